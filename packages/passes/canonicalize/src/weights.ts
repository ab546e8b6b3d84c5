import {
  type Builder,
  constant,
  type Constant,
  decodeElements,
  type Dim,
  encodeElements,
  any,
  newElements,
  no,
  type Node,
  numel,
  oneOf,
  op,
  type ShapeEnv,
  tensorType,
  type Value,
  type Verdict,
  yes,
} from '@qfuse/plugin';
import { aten, quant } from '@qfuse/ops';
import { permutationOf } from './permutes.js';

/** A matrix that is known at compile time, possibly as integers. */
export const knownMatrix = oneOf(op(quant.Dequantize, { input: constant() }).shared().as('dequantize'), constant().as('kn'));

/** The second operand `[K, N]` of a product: behind a permute, which `aten.linear` does without, or known at compile time and transposed there. */
export const matrix = oneOf(
  op(aten.Permute, { self: any().as('nk') })
    .shared()
    .as('permute'),
  knownMatrix,
);

/** What {@link matrix} captures. */
export interface Matrix {
  readonly nk?: Value | undefined;
  readonly permute?: Node<typeof aten.Permute> | undefined;
  readonly dequantize?: Node<typeof quant.Dequantize> | undefined;
  readonly kn?: Value | undefined;
}

/** The captured value `[K, N]`. */
export const matrixValue = (m: Matrix): Value => (m.permute?.result ?? m.dequantize?.result ?? m.kn)!;

/** Whether the captured value is a matrix whose transpose is at hand. */
export function isMatrix(m: Matrix): Verdict {
  const { shape } = matrixValue(m).type;
  if (shape.length !== 2) return no(`the second operand has rank ${shape.length}, expected 2`);
  if (m.permute !== undefined && permutationOf(m.permute).join() !== '1,0')
    return no(`the second operand is permuted by [${permutationOf(m.permute).join(', ')}], expected [1, 0]`);
  // Scales of rows would become scales of columns, which have no name.
  return m.dequantize?.attrs.granularity === 'row' ? no('the second operand has one scale a row, which cannot be transposed') : yes;
}

/** The captured matrix as `[N, K]`. */
export const weightOf = (m: Matrix, b: Builder): Value => m.nk ?? transposed(matrixValue(m), b);

/** Whether two dims are known to be equal; a dim that is not there equals none. */
export const sameDim = (env: ShapeEnv, a: Dim | undefined, b: Dim | undefined): boolean =>
  a !== undefined && b !== undefined && env.equal(a, b) === 'yes';

/**
 * The transpose of a matrix: a constant is transposed when it is read, a dequantized one before it is dequantized, with
 * its axis turned too (scales of groups and blocks are transposed alike), anything else by a permute.
 */
export function transposed(value: Value, b: Builder): Value {
  if (value.constant !== undefined) return b.constant(transposeConstant(value.constant), `${value.name}.t`);
  const dq = value.producer as Node<typeof quant.Dequantize> | undefined;
  if (dq?.op !== quant.Dequantize) return b.create(aten.Permute, { self: value }, { dims: [1, 0] }).result;
  const { granularity, axis, block_size } = dq.attrs;
  const turn = (v: Value): Value => (granularity === 'group' || granularity === 'block' ? transposed(v, b) : v);
  const zeroPoint = dq.operandOrNone('zero_point');
  return b.create(
    quant.Dequantize,
    {
      input: transposed(dq.operand('input'), b),
      scale: turn(dq.operand('scale')),
      zero_point: zeroPoint === undefined ? undefined : turn(zeroPoint),
    },
    { ...dq.attrs, axis: axis === undefined ? undefined : 1 - (axis < 0 ? axis + 2 : axis), block_size: block_size?.toReversed() },
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
