import { countOf, hostTensor, type HostTensor } from '@qfuse/ir';
import { stridesOf } from '../../shapes.js';
import { Selection } from './selection.js';

/** Orders elements as torch does: NaN is larger than every number, and zeros of either sign are equal. */
function compareElements(a: number | bigint, b: number | bigint): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return 0;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}

/** Puts the positions of one line in order. */
export type Arrange = (values: readonly (number | bigint)[]) => readonly number[];

/** Compares positions by their elements. */
const byElement =
  (values: readonly (number | bigint)[], descending: boolean) =>
  (i: number, j: number): number =>
    descending ? compareElements(values[j]!, values[i]!) : compareElements(values[i]!, values[j]!);

/** All positions in ascending or descending order. Equal elements keep theirs when `stable`, else they come as on torch's CPU. */
export const sorted =
  (descending: boolean, stable: boolean): Arrange =>
  (values) => {
    const compare = byElement(values, descending);
    if (stable) return [...values.keys()].sort(compare);
    const all = new Selection(values.length, (i, j) => compare(i, j) < 0);
    all.sort(values.length);
    return all.order;
  };

/** The first `k` positions of the largest or smallest elements, as torch's CPU kernel finds them. */
export const selection =
  (k: number, largest: boolean, inOrder: boolean): Arrange =>
  (values) => {
    if (k === 0) return [];
    const compare = byElement(values, largest);
    const found = new Selection(values.length, (i, j) => compare(i, j) < 0);
    if (k * 64 <= values.length) found.partialSort(k);
    else {
      found.nthElement(k - 1);
      if (inOrder) found.sort(k - 1);
    }
    return found.order;
  };

/** The elements of each line along `axis` in the order that `arrange` gives, and the positions that they had. */
export function arrangeLines(
  self: HostTensor,
  axis: number,
  shape: readonly number[],
  arrange: Arrange,
): { readonly values: HostTensor; readonly indices: HostTensor } {
  const values = hostTensor(self.dtype, shape);
  const indices = hostTensor('i64', shape);
  const size = self.shape[axis] ?? 1;
  const length = shape[axis] ?? 1;
  const inner = self.shape.length === 0 ? 1 : stridesOf(self.shape)[axis]!;
  const lines = length === 0 ? 0 : countOf(shape) / length;
  for (let line = 0; line < lines; line++) {
    const block = Math.floor(line / inner);
    const rest = line % inner;
    const own = Array.from({ length: size }, (_, i) => self.data[(block * size + i) * inner + rest]!);
    const order = arrange(own);
    for (let i = 0; i < length; i++) {
      const at = (block * length + i) * inner + rest;
      values.data[at] = own[order[i]!]!;
      indices.data[at] = BigInt(order[i]!);
    }
  }
  return { values, indices };
}
