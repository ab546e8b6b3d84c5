import { countOf, type DType, hostTensor, type HostTensor, QfuseError } from '@qfuse/plugin';
import type { SpecGranularity } from '../observer.js';

/** The smallest and largest of the elements that share a scale, in the shape of the scales. */
export interface Extremes {
  readonly min: HostTensor;
  readonly max: HostTensor;
}

/** A row-major tensor as `[outer, groups, size, inner]`; elements of one `size` run, or of one group for an axis, share a scale. */
export interface Layout {
  readonly outer: number;
  readonly groups: number;
  readonly size: number;
  readonly inner: number;
  /** Which of the four axes the elements that share a scale extend over. */
  readonly axes: readonly number[];
  /** Shape of the scales. */
  readonly shape: readonly number[];
}

/**
 * How the elements of a tensor share scales, which have the shapes of `quant.quantize`: `[]`, `[n]` for an axis, `[…, n / size, …]` for
 * groups, `[…, 1]` for rows.
 * @throws QfuseError `quantizer/observer` when the tensor has no such axis or groups do not divide it
 */
export function layoutOf(shape: readonly number[], granularity: SpecGranularity): Layout {
  if (granularity.kind === 'tensor') return { outer: 1, groups: 1, size: countOf(shape), inner: 1, axes: [2], shape: [] };
  const named = granularity.kind === 'row' ? -1 : granularity.axis;
  const axis = named < 0 ? named + shape.length : named;
  const length = shape[axis];
  if (length === undefined)
    throw new QfuseError('quantizer/observer', `a tensor of shape [${shape.join(', ')}] has no axis ${named} to give scales to`);
  const [outer, inner] = [countOf(shape.slice(0, axis)), countOf(shape.slice(axis + 1))];
  if (granularity.kind === 'axis') return { outer, groups: length, size: 1, inner, axes: [0, 3], shape: [length] };
  const size = granularity.kind === 'row' ? length : granularity.size;
  if (length % size !== 0)
    throw new QfuseError('quantizer/observer', `groups of ${size} do not divide axis ${named} of shape [${shape.join(', ')}]`);
  const groups = length / size;
  return { outer, groups, size, inner, axes: [2], shape: shape.map((d, i) => (i === axis ? groups : d)) };
}

/** Calls `visit` for each run of consecutive elements that share a scale, with the index of the scale. */
export function eachRun(layout: Layout, visit: (index: number, start: number, count: number) => void): void {
  const { outer, groups, size, inner, axes } = layout;
  const axis = axes.length === 2;
  for (let o = 0, start = 0; o < outer; o++)
    for (let g = 0; g < groups; g++)
      if (axis || inner === 1) {
        visit(axis ? g : o * groups + g, start, size * inner);
        start += size * inner;
      } else for (let s = 0; s < size; s++) for (let i = 0; i < inner; i++, start++) visit((o * groups + g) * inner + i, start, 1);
}

/**
 * The extremes of a tensor with at least one element, cast to `dtype` (f32, f16, bf16 or f64) as torch casts; NaN wherever the elements
 * that share a scale have one, as `torch.aminmax` and `torch.amin` give it.
 * @throws QfuseError `quantizer/observer` as {@link layoutOf}
 */
export function extremesOf(tensor: HostTensor, granularity: SpecGranularity, dtype: DType = 'f32'): Extremes {
  const layout = layoutOf(tensor.shape, granularity);
  const data = floatsOf(tensor);
  const [min, max] = [hostTensor(dtype, layout.shape), hostTensor(dtype, layout.shape)];
  const [lows, highs] = [min.data as Float32Array, max.data as Float32Array];
  lows.fill(Infinity);
  highs.fill(-Infinity);
  eachRun(layout, (index, start, count) => widen(lows, highs, index, data, start, count));
  return { min, max };
}

/** Widens extremes `index` by `count` elements of `data` from `start`. */
function widen(min: Float32Array, max: Float32Array, index: number, data: ArrayLike<number>, start: number, count: number): void {
  let [low, high] = [min[index]!, max[index]!];
  for (let i = start; i < start + count; i++) {
    const x = data[i]!;
    if (x < low) low = x;
    if (x > high) high = x;
    if (x !== x) low = high = x;
  }
  // A NaN that is there already fails both comparisons and stays. The sum turns -0 to 0.
  min[index] = low + 0;
  max[index] = high + 0;
}

/**
 * The extremes of both.
 * @throws QfuseError `quantizer/shape` when they have different shapes
 */
export function union(a: Extremes, b: Extremes): Extremes {
  checkShape(a.min.shape, b.min.shape);
  const pick = (x: HostTensor, y: HostTensor, choose: (a: number, b: number) => number): HostTensor =>
    hostTensor(
      x.dtype,
      x.shape,
      (x.data as Float32Array).map((v, i) => choose(v, y.data[i] as number)),
    );
  return { min: pick(a.min, b.min, Math.min), max: pick(a.max, b.max, Math.max) };
}

/** @throws QfuseError `quantizer/shape` when scales of one shape meet scales of another */
export function checkShape(known: readonly number[], given: readonly number[]): void {
  if (known.length === given.length && known.every((d, i) => d === given[i])) return;
  const [a, b] = [known, given].map((shape) => `[${shape.join(', ')}]`);
  throw new QfuseError('quantizer/shape', `an observer of scales of shape ${a} was given a tensor with scales of shape ${b}`, {
    help: 'The observed axis must have one length in all batches.',
  });
}

/** Elements as numbers that f32 rounds correctly: of 64-bit integers that f64 does not hold, rounded to odd. */
function floatsOf({ data }: HostTensor): ArrayLike<number> {
  return data instanceof BigInt64Array || data instanceof BigUint64Array ? Float64Array.from(data, oddNumber) : data;
}

function oddNumber(x: bigint): number {
  const high = x >> 20n;
  return BigInt(Number(x)) === x ? Number(x) : Number(high << 20n === x ? high : high | 1n) * 2 ** 20;
}
