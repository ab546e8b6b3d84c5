import { dtypeInfo, type Node, no, yes } from '@qfuse/plugin';
import { defineKernel, exact, type WebGPUKernel } from '../kernel.js';
import { layoutOf } from '../storage.js';
import { hasOp, op } from './ops.js';

/**
 * Ops that leave the elements as they are: values are immutable, so a copy, a clone and a cast between dtypes of one
 * device layout (i32 and i64) are the operand's own memory. Views are no kernels: an op says of itself that it is one.
 */
const copies: readonly string[] = ['clone', 'alias', 'alias_copy', 'contiguous', 'detach', 'detach_copy', 'lift_fresh_copy', 'dropout', 'positive', 'to.device', 'to.dtype', 'to.dtype_layout', '_to_copy', 'type_as', 'to.other'];

function operandOf(node: Node): string {
  return node.op.operandNames[0]!;
}

function supports(node: Node): ReturnType<typeof no> | typeof yes {
  const from = node.operand(operandOf(node) as never).type.dtype;
  const to = node.results[0]!.type.dtype;
  const [a, b] = [layoutOf(from), layoutOf(to)];
  // Narrowing to 8 bits changes values; between i32 and i64 the device has the same numbers anyway.
  const same = from === to || (a !== undefined && a === b) || (a?.word === b?.word && a?.perWord === 1 && b?.perWord === 1 && dtypeInfo(from).kind === 'int' && dtypeInfo(to).kind === 'int');
  if (!same) return no(`${from} and ${to} lie differently in memory`);
  const training = (node.attrs as { readonly train?: boolean }).train;
  return training === true ? no('train is true, expected a model exported for inference') : yes;
}

/** Kernels of this family for the ops that exist. */
export const aliasKernels: readonly WebGPUKernel[] = copies
  .map((name) => `aten.${name}`)
  .filter(hasOp)
  .map((name) => defineKernel({ name: `alias/${name}`, op: op(name), alias: op(name).operandNames[0]! as never, error: exact, supports }));
