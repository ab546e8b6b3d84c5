import { type Builder, type Constant, decodeElements, encodeElements, newElements, no, type Node, numel, tensorType, type Value, type Verdict, yes } from '@qfuse/plugin';
import { aten, quant } from '@qfuse/ops';

/** Whether a dequantized constant can be transposed before it is dequantized: its parameters must follow an axis or be one pair. */
export function canTranspose(dq: Node<typeof quant.Dequantize>): Verdict {
  if (dq.result.type.shape.length !== 2) return no('the dequantized operand has not two axes');
  const { granularity } = dq.attrs;
  return granularity === 'axis' || granularity === 'tensor' || granularity === 'group' ? yes : no(`the dequantized operand has one scale a ${granularity}`);
}

/**
 * A value `[K, N]` known at compile time as `[N, K]`: a constant is transposed when it is read, a dequantized one
 * before it is dequantized, with its axis turned too (scales of groups are transposed alike).
 */
export function transposed(value: Value, b: Builder): Value {
  if (value.constant !== undefined) return b.constant(transposeConstant(value.constant), `${value.name}.t`);
  const dq = value.producer as Node<typeof quant.Dequantize> | undefined;
  if (dq?.op !== quant.Dequantize) return b.create(aten.Permute, { self: value }, { dims: [1, 0] }).result;
  const { granularity, axis } = dq.attrs;
  const turn = (v: Value | undefined): Value | undefined => (v === undefined || granularity !== 'group' ? v : v.constant === undefined ? b.create(aten.Permute, { self: v }, { dims: [1, 0] }).result : transposed(v, b));
  const turnedAxis = axis === undefined ? undefined : 1 - (axis < 0 ? axis + 2 : axis);
  return b.create(
    quant.Dequantize,
    { input: transposed(dq.operand('input'), b), scale: turn(dq.operand('scale'))!, zero_point: turn(dq.operandOrNone('zero_point')) },
    { ...dq.attrs, axis: turnedAxis },
  ).result;
}

function transposeConstant(source: Constant): Constant {
  const { dtype, shape } = source.type;
  const [rows, columns] = shape as readonly [number, number];
  return source.derive('transpose', tensorType(dtype, [columns, rows]), (bytes) => {
    const from = decodeElements(dtype, bytes, numel(source.type) as number);
    const to = newElements(dtype, from.length);
    for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c]!;
    return encodeElements(dtype, to);
  });
}
