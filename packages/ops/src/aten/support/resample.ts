import {
  countOf,
  type Dim,
  dimFloorDiv,
  dimMul,
  hostTensor,
  type HostTensor,
  type ShapeEnv,
  storer,
  type TensorType,
  tensorType,
} from '@qfuse/ir';
import { type Fail, shapeText } from '../../shapes.js';

/** The input elements along one axis that make an output element, and their weights. */
export interface Sources {
  readonly at: readonly number[];
  readonly weight: readonly number[];
}

/** How values between elements are found. */
export type Interpolation = 'nearest' | 'nearest-exact' | 'linear' | 'cubic';

/** Rounding of positions: torch computes them in f64 for f64 and in f32 for the other dtypes. */
export const rounding = (dtype: HostTensor['dtype']): ((x: number) => number) => (dtype === 'f64' ? (x) => x : Math.fround);

/** Weights of the four elements around a position `t` past the second: cubic convolution with a = -3/4. */
export function cubicWeights(t: number): readonly [number, number, number, number] {
  const a = -0.75;
  const near = (x: number): number => ((a + 2) * x - (a + 3)) * x * x + 1;
  const far = (x: number): number => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return [far(t + 1), near(t), near(1 - t), far(2 - t)];
}

/** Sources of each of `out` elements along an axis of `size`; `scale` is the factor that the program states, if any. */
export function sourcesOf(
  mode: Interpolation,
  size: number,
  out: number,
  alignCorners: boolean,
  scale: number | undefined,
  round: (x: number) => number,
): readonly Sources[] {
  const last = size - 1;
  const clamp = (i: number): number => Math.min(Math.max(i, 0), last);
  const step = alignCorners
    ? out > 1
      ? round(last / (out - 1))
      : 0
    : round(scale !== undefined && scale > 0 ? 1 / scale : round(size) / round(out));
  const centered = (i: number): number => round(round(step * round(i + 0.5)) - 0.5);
  return Array.from({ length: out }, (_, i): Sources => {
    if (mode === 'nearest') return { at: [clamp(Math.floor(round(i * step)))], weight: [1] };
    if (mode === 'nearest-exact') return { at: [clamp(Math.floor(round(round(i + 0.5) * step)))], weight: [1] };
    const position = alignCorners ? round(i * step) : centered(i);
    if (mode === 'linear') {
      const from = clamp(Math.floor(position));
      const t = round(Math.min(Math.max(position - from, 0), 1));
      return { at: [from, clamp(from + 1)], weight: [1 - t, t] };
    }
    const from = Math.min(Math.floor(position), last);
    const t = Math.min(Math.max(round(position - from), 0), 1);
    return { at: [-1, 0, 1, 2].map((k) => clamp(from + k)), weight: cubicWeights(t) };
  });
}

/** Weighted sums over the last `axes.length` axes: the sources of each axis times those of the others. */
export function resample(self: HostTensor, axes: readonly (readonly Sources[])[], shape: readonly number[]): HostTensor {
  const out = hostTensor(self.dtype, shape);
  const store = storer(self.dtype);
  const sizes = self.shape.slice(-axes.length);
  const [plane, outPlane] = [countOf(sizes), countOf(axes.map((a) => a.length))];
  const planes = outPlane === 0 ? 0 : out.data.length / outPlane;
  let place = 0;
  const go = (axis: number, at: readonly number[], weight: readonly number[]): void => {
    if (axis < axes.length) {
      for (const s of axes[axis]!)
        go(
          axis + 1,
          at.flatMap((a) => s.at.map((b) => a * sizes[axis]! + b)),
          weight.flatMap((a) => s.weight.map((b) => a * b)),
        );
      return;
    }
    for (let p = 0; p < planes; p++) {
      // A single source is copied: 1 · x keeps infinities, but integers need no detour.
      let sum = at.length === 1 ? self.data[p * plane + at[0]!]! : 0;
      if (at.length > 1) for (let i = 0; i < at.length; i++) (sum as number) += weight[i]! * (self.data[p * plane + at[i]!] as number);
      store(out.data, p * outPlane + place, sum);
    }
    place++;
  };
  go(0, [0], [1]);
  return out;
}

/** `floor(size · factor)`; a symbolic size needs a factor that is a fraction with a small power of two below. */
function scaled(size: Dim, factor: number, fail: Fail): Dim {
  if (typeof size === 'number') return Math.trunc(size * factor);
  for (let below = 1; below <= 1024; below *= 2)
    if (Number.isInteger(factor * below)) return dimFloorDiv(dimMul(size, factor * below), below);
  return fail(`scale factor ${factor} of the symbolic size ${shapeText([size])} has no exact result; give output_size instead`);
}

/** Sizes of the resampled axes of a `.vec` overload, which states either them or factors. */
export function vecSizes(
  input: TensorType,
  rank: number,
  size: readonly Dim[] | undefined,
  factors: readonly number[] | undefined,
  fail: Fail,
): readonly Dim[] {
  if ((size === undefined) === (factors === undefined)) fail('expected one of output_size and scale_factors');
  const given = size ?? factors!;
  if (given.length !== rank || input.shape.length !== rank + 2)
    fail(
      `input has shape ${shapeText(input.shape)} and ${size === undefined ? 'scale_factors' : 'output_size'} has ${given.length} entries, expected rank ${rank + 2} and ${rank} entries`,
    );
  return size ?? factors!.map((f, i) => scaled(input.shape[i + 2]!, f, fail));
}

/** Result type of a resampling of `[N, C, …]` to `size`. */
export function resampledType(self: TensorType, size: readonly Dim[], rank: number, env: ShapeEnv, fail: Fail): TensorType {
  if (self.shape.length !== rank + 2 || size.length !== rank)
    fail(
      `self has shape ${shapeText(self.shape)} and output_size has ${size.length} entries, expected rank ${rank + 2} and ${rank} entries`,
    );
  if (size.some((d) => env.lessEqual(1, d) === 'no')) fail(`output_size is ${shapeText(size)}, expected at least 1 each`);
  if (self.shape.slice(1).some((d) => env.lessEqual(1, d) === 'no'))
    fail(`self has shape ${shapeText(self.shape)}, expected only the batch axis to be empty`);
  return tensorType(self.dtype, [...self.shape.slice(0, 2), ...size]);
}
