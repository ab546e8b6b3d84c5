/** Sizes, strides and offset of a tensor in a storage, counted in elements. */
export interface Strided {
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** Number of elements. */
export const countOf = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** Elements of the storage from the first to the last that the tensor reaches; 0 for an empty tensor. */
export const spanOf = ({ sizes, strides }: Strided): number =>
  countOf(sizes) === 0 ? 0 : sizes.reduce((last, n, i) => last + (n - 1) * strides[i]!, 0) + 1;

/** Whether elements in row-major order are neighbours in the storage. Strides of axes of size 1 mean nothing. */
export function isContiguous({ sizes, strides }: Strided): boolean {
  let expected = 1;
  for (let i = sizes.length - 1; i >= 0; i--) {
    if (sizes[i] === 1) continue;
    if (strides[i] !== expected) return false;
    expected *= sizes[i]!;
  }
  return true;
}

/**
 * The elements of a strided tensor in row-major order.
 * @param storage - bytes from the first element of the tensor on, {@link spanOf} elements of `width` bytes
 */
export function gather(storage: Uint8Array, { sizes, strides }: Strided, width: number): Uint8Array {
  const count = countOf(sizes);
  const out = new Uint8Array(count * width);
  if (count === 0) return out;
  // The innermost axes that lie side by side are copied as one run.
  let rank = sizes.length;
  let run = 1;
  for (; rank > 0 && (sizes[rank - 1] === 1 || strides[rank - 1] === run); rank--) run *= sizes[rank - 1]!;
  const index = new Array<number>(rank).fill(0);
  let from = 0;
  for (let to = 0; to < out.length; to += run * width) {
    if (run * width === 1) out[to] = storage[from]!;
    else out.set(storage.subarray(from * width, (from + run) * width), to);
    for (let axis = rank - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < sizes[axis]!) break;
      from -= strides[axis]! * sizes[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}
