import { countOf, hostTensor, type HostTensor } from '@qfuse/ir';
import { stridesOf } from '../../shapes.js';

/** Offsets, in elements, that the indices of one result axis add; {@link OUTSIDE} for an index that reads nothing. */
export type AxisOffsets = readonly number[];

/** The offset of an index that reads no element, as in padding. */
export const OUTSIDE = -1;

/** Offsets of an axis of `size` that is read with `stride`. */
export const steps = (size: number, stride: number): number[] => Array.from({ length: size }, (_, i) => i * stride);

/** Offsets that read each axis of `shape` once, in order. */
export function axesOf(shape: readonly number[]): number[][] {
  const strides = stridesOf(shape);
  return shape.map((size, axis) => steps(size, strides[axis]!));
}

/** Where a rearrangement starts, and what it holds where nothing is read. */
export interface PickOptions {
  /** Offset of the first element; default 0. */
  readonly first?: number;
  /** Default 0. */
  readonly fill?: number | bigint;
}

/**
 * The rearrangement `out[i0, i1, …] = self[first + axes[0][i0] + axes[1][i1] + …]`, in row-major order of the indices.
 * @param shape - shape of the result, which may group the indices otherwise than `axes`
 */
export function pick(
  self: HostTensor,
  shape: readonly number[],
  axes: readonly AxisOffsets[],
  { first = 0, fill = 0 }: PickOptions = {},
): HostTensor {
  const out = hostTensor(self.dtype, shape);
  if (countOf(shape) === 0) return out;
  // Numbers and bigints are copied alike; the types of the arrays agree because the dtypes do.
  const from = self.data as Float32Array;
  const to = out.data as Float32Array;
  const last = axes.length - 1;
  let position = 0;
  const visit = (axis: number, offset: number): void => {
    if (offset === OUTSIDE && axis <= last) {
      const count = axes.slice(axis).reduce((n, a) => n * a.length, 1);
      to.fill(fill as number, position, position + count);
      position += count;
    } else if (axis < last) for (const o of axes[axis]!) visit(axis + 1, o === OUTSIDE ? OUTSIDE : offset + o);
    else if (axis === last) for (const o of axes[axis]!) to[position++] = o === OUTSIDE ? (fill as number) : from[offset + o]!;
    else to[position++] = from[offset]!;
  };
  visit(0, first);
  return out;
}

/** {@link pick} for an affine reading: each axis of `shape` has one stride (0 repeats elements). */
export const pickStrided = (self: HostTensor, shape: readonly number[], strides: readonly number[], first = 0): HostTensor =>
  pick(
    self,
    shape,
    strides.map((stride, axis) => steps(shape[axis]!, stride)),
    { first },
  );
