import { type Dim, dimProduct, type HostTensor, isFloat, type ShapeEnv, type TensorType } from '@qfuse/ir';
import { broadcastShapes, broadcastStrides, type Fail, forEachOffset, shapeText } from '../../shapes.js';

/** Refuses bools, and tensors of different dtypes; absent ones are left out. */
export function checkFactors(tensors: readonly (TensorType | undefined)[], fail: Fail): void {
  const given = tensors.flatMap((t) => t?.dtype ?? []);
  if (given.includes('bool')) fail('operands are bool, expected numbers');
  if (new Set(given).size > 1) fail(`operands have dtypes ${given.join(', ')}, expected one dtype`);
}

/** A shape as a batch of matrices: of a vector a row on the left, a column on the right. */
const asMatrices = <D extends Dim>(shape: readonly D[], side: 'left' | 'right'): readonly (D | 1)[] =>
  shape.length > 1 ? shape : side === 'left' ? [1, ...shape] : [...shape, 1];

/**
 * Shape of the matrix product of `[…, n, k]` (or `[k]`) and `[…, k, m]` (or `[k]`), whose batch dims broadcast.
 * @throws through `fail` when a factor is 0-d or the shapes do not fit
 */
export function productShape(left: readonly Dim[], right: readonly Dim[], env: ShapeEnv, fail: Fail): readonly Dim[] {
  const refuse = (): never => fail(`shapes ${shapeText(left)} and ${shapeText(right)} have no matrix product`);
  if (left.length === 0 || right.length === 0) return refuse();
  const [a, b] = [asMatrices(left, 'left'), asMatrices(right, 'right')];
  if (env.equal(a.at(-1)!, b.at(-2)!) === 'no') refuse();
  const batch = broadcastShapes(env, [a.slice(0, -2), b.slice(0, -2)], fail);
  return [...batch, ...(left.length === 1 ? [] : [a.at(-2)!]), ...(right.length === 1 ? [] : [b.at(-1)!])];
}

/** `Σ_i a[at + i·step] · b[from + i·by]` for `i < count`. */
type Dot = (at: number, step: number, from: number, by: number, count: number) => number | bigint;

/** How the lines of two tensors of one dtype are multiplied: floats in float64, integers modulo 2^32 or exactly. */
function dotOf(a: HostTensor, b: HostTensor): Dot {
  if (a.data instanceof BigInt64Array || a.data instanceof BigUint64Array) {
    const [x, y] = [a.data, b.data as BigInt64Array];
    return (at, step, from, by, count) => {
      let sum = 0n;
      for (let i = 0; i < count; i++) sum += x[at + i * step]! * y[from + i * by]!;
      return sum;
    };
  }
  const [x, y] = [a.data as Float32Array, b.data as Float32Array];
  if (isFloat(a.dtype))
    return (at, step, from, by, count) => {
      let sum = 0;
      for (let i = 0; i < count; i++, at += step, from += by) sum += x[at]! * y[from]!;
      return sum;
    };
  return (at, step, from, by, count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum = (sum + Math.imul(x[at + i * step]!, y[from + i * by]!)) | 0;
    return sum;
  };
}

/**
 * The matrix product of two tensors of shapes that {@link productShape} accepts, element by element in row-major
 * order. Integers may still have to be wrapped to their width.
 * @param transposed - whether `right` is a matrix `[m, k]` that stands for its transpose
 */
export function forEachProduct(
  left: HostTensor,
  right: HostTensor,
  transposed: boolean,
  visit: (position: number, sum: number | bigint) => void,
): void {
  const [a, b] = [asMatrices(left.shape, 'left'), transposed ? right.shape : asMatrices(right.shape, 'right')];
  const [n, k] = a.slice(-2) as [number, number];
  const m = transposed ? b.at(-2)! : b.at(-1)!;
  const [stepOfK, stepOfM] = transposed ? [1, k] : [m, 1];
  const [ofLeft, ofRight] = [a.slice(0, -2), b.slice(0, -2)];
  // Shapes are checked already, so the larger of two dims is the broadcast one, unless one is 0.
  const rank = Math.max(ofLeft.length, ofRight.length);
  const dimOf = (shape: readonly number[], axis: number): number => shape[axis - rank + shape.length] ?? 1;
  const batch = Array.from({ length: rank }, (_, axis) => (dimOf(ofLeft, axis) === 1 ? dimOf(ofRight, axis) : dimOf(ofLeft, axis)));
  const dot = dotOf(left, right);
  let position = 0;
  forEachOffset(batch, [broadcastStrides(ofLeft, batch), broadcastStrides(ofRight, batch)], (_, [i, j]) => {
    for (let row = 0; row < n; row++)
      for (let column = 0; column < m; column++) visit(position++, dot(i! * n * k + row * k, 1, j! * k * m + column * stepOfM, stepOfK, k));
  });
}

/** Number of elements of the batch dims of `[…, n, k]`. */
export const batchSize = (shape: readonly Dim[]): Dim => dimProduct(shape.slice(0, -2));
