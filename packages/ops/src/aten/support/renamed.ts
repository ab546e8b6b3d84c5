import type { AttrSpecs, OperandSpecs } from '@qfuse/ir';
import { defineOp, type OpDefinition } from '../../define.js';

/** `op` under another name, of which it is the decomposition too. */
export const renamed = <const O extends OperandSpecs, const A extends AttrSpecs>(
  name: string,
  op: OpDefinition<O, A>,
): OpDefinition<O, A> =>
  defineOp({ ...op, name, decompose: ({ operands, attrs, builder }) => builder.create(op, operands as never, attrs as never).results });
