import { countOf, type Dim, type Elements, hostTensor, type HostTensor, type ShapeEnv, storer, type TensorType } from '@qfuse/ir';
import { type Fail, shapeText } from '../../shapes.js';
import { forEachBox, perAxisFrom, placesOf, type Taps, type Window } from './windows.js';

/** Attributes of a pooling window; an empty `stride` means the kernel's size. */
export interface PoolAttrs {
  readonly kernel_size: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation?: readonly number[] | undefined;
}

/** The windows of a pooling over `rank` axes. */
export function poolWindows(attrs: PoolAttrs, rank: number, fail: Fail): readonly Window[] {
  const kernel = perAxisFrom(1, 'kernel_size', attrs.kernel_size, rank, fail);
  const stride = attrs.stride.length === 0 ? kernel : perAxisFrom(1, 'stride', attrs.stride, rank, fail);
  const padding = perAxisFrom(0, 'padding', attrs.padding, rank, fail);
  const dilation = perAxisFrom(1, 'dilation', attrs.dilation ?? [1], rank, fail);
  return kernel.map((k, i) => {
    const span = (k - 1) * dilation[i]! + 1;
    if (padding[i]! > span / 2) fail(`padding is [${padding.join(', ')}], expected at most half of the window, which spans ${span}`);
    return { kernel: k, stride: stride[i]!, dilation: dilation[i]!, before: padding[i]!, after: padding[i]! };
  });
}

/** Checks the operand of a pooling over `rank` axes; only the batch axis may have size 0. Returns the axes before the pooled ones. */
export function poolLead(self: TensorType, rank: number, env: ShapeEnv, fail: Fail): readonly Dim[] {
  const { length } = self.shape;
  if (length !== rank + 1 && length !== rank + 2)
    fail(`self has shape ${shapeText(self.shape)}, expected rank ${rank + 1} (no batch axis) or ${rank + 2}`);
  if (self.shape.slice(length === rank + 2 ? 1 : 0).some((d) => env.lessEqual(1, d) === 'no'))
    fail(`self has shape ${shapeText(self.shape)}, expected only the batch axis to be empty`);
  return self.shape.slice(0, -rank);
}

/** Shape of a pooling over `windows`. */
export function poolShape(self: TensorType, windows: readonly Window[], ceil: boolean, env: ShapeEnv, fail: Fail): readonly Dim[] {
  const rank = windows.length;
  return [...poolLead(self, rank, env, fail), ...windows.map((w, i) => placesOf(self.shape.slice(-rank)[i]!, w, ceil, env, fail))];
}

/** What a pooling sees of one window: the data, the offsets of its elements, and its size with padding. */
export type Reduce = (data: Elements, offsets: readonly number[], plane: number, padded: number) => number | bigint;

/** Reduces each window of each plane of `self` over its last `axes.length` axes. */
export function pool(
  self: HostTensor,
  axes: readonly (readonly Taps[])[],
  result: { readonly dtype: HostTensor['dtype']; readonly shape: readonly number[] },
  reduce: Reduce,
): HostTensor {
  const out = hostTensor(result.dtype, result.shape);
  const store = storer(result.dtype);
  const sizes = self.shape.slice(-axes.length);
  const [plane, outPlane] = [countOf(sizes), countOf(axes.map((a) => a.length))];
  const planes = outPlane === 0 ? 0 : out.data.length / outPlane;
  forEachBox(axes, sizes, sizes, (place, at, _, padded) => {
    for (let p = 0; p < planes; p++) {
      const offsets = p === 0 ? at : at.map((i) => i + p * plane);
      store(out.data, p * outPlane + place, reduce(self.data, offsets, p * plane, padded));
    }
  });
  return out;
}

/** Values and indices (within a plane) of the largest element of each window: the first of equals, the last NaN if any. */
export function maxPool(
  self: HostTensor,
  axes: readonly (readonly Taps[])[],
  shape: readonly number[],
  fail: Fail,
): readonly [HostTensor, HostTensor] {
  const indices = pool(self, axes, { dtype: 'i64', shape }, (data, offsets, plane) => {
    let best = offsets[0] ?? fail('a window holds no element: it lies between the elements and the padding');
    for (const i of offsets) if (data[i]! > data[best]! || Number.isNaN(data[i])) best = i;
    return best - plane;
  });
  const values = hostTensor(self.dtype, shape);
  const places = countOf(axes.map((a) => a.length));
  const plane = countOf(self.shape.slice(-axes.length));
  for (let i = 0; i < values.data.length; i++) values.data[i] = self.data[Math.floor(i / places) * plane + Number(indices.data[i])]!;
  return [values, indices];
}

/** The windows of an adaptive pooling: place `i` of `places` covers `floor(i·size/places)` to `ceil((i+1)·size/places)`. */
export const adaptiveTaps = (size: number, places: number): readonly Taps[] =>
  Array.from({ length: places }, (_, i) => {
    const from = Math.floor((i * size) / places);
    const at = Array.from({ length: Math.ceil(((i + 1) * size) / places) - from }, (__, k) => from + k);
    return { at, tap: at, padded: at.length };
  });
