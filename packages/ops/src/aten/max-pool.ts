import { attr, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { perAxisFrom, tapsOf } from './support/windows.js';
import { adaptiveTaps, maxPool, poolLead, poolShape, poolWindows } from './support/pool.js';

const floats = ['f32', 'f64', 'f16', 'bf16'] as const;
const numbers = [...floats, 'i64', 'i32', 'i16', 'i8', 'u8'] as const;

const attrs = {
  kernel_size: attr.ints(),
  stride: attr.optional(attr.ints(), []),
  padding: attr.optional(attr.ints(), [0]),
  dilation: attr.optional(attr.ints(), [1]),
  ceil_mode: attr.optional(attr.bool(), false),
};

const withIndices = <const N extends string>(name: N, rank: number) =>
  defineOp({
    name,
    summary: `maxima of windows over the last ${rank} ax${rank === 1 ? 'i' : 'e'}s, and where they are`,
    operands: { self: tensor(...numbers) },
    attrs,
    infer: ({ operands: { self }, attrs: a, env, fail }) => {
      const shape = poolShape(self, poolWindows(a, rank, fail), a.ceil_mode, env, fail);
      return [tensorType(self.dtype, shape), tensorType('i64', shape)];
    },
    reference: ({ operands: { self }, attrs: a, results, fail }) => {
      const { shape } = results[0]!;
      const axes = poolWindows(a, rank, fail).map((w, i) => tapsOf(self.shape.slice(-rank)[i]!, shape.slice(-rank)[i]!, w));
      return maxPool(self, axes, shape, fail);
    },
  });

/**
 * `y[…, p] = max_k x[…, p·stride + k·dilation - padding]` over the elements that exist, with their index in the plane
 * (`i64`); NaN wins. Self `[N, C, L]` or `[C, L]`. An empty stride means the kernel's size.
 */
export const MaxPool1dWithIndices = withIndices('aten.max_pool1d_with_indices', 1);
/** {@link MaxPool1dWithIndices} over two axes: self `[N, C, H, W]` or `[C, H, W]`, indices `h·W + w`. */
export const MaxPool2dWithIndices = withIndices('aten.max_pool2d_with_indices', 2);
/** {@link MaxPool1dWithIndices} over three axes: self `[N, C, D, H, W]` or `[C, D, H, W]`. */
export const MaxPool3dWithIndices = withIndices('aten.max_pool3d_with_indices', 3);

const valuesOnly = <const N extends string>(name: N, rank: number, whole: typeof MaxPool1dWithIndices) =>
  defineOp({
    name,
    summary: `maxima of windows over the last ${rank} ax${rank === 1 ? 'i' : 'e'}s`,
    operands: { self: tensor(...numbers) },
    attrs,
    infer: ({ operands: { self }, attrs: a, env, fail }) => [
      tensorType(self.dtype, poolShape(self, poolWindows(a, rank, fail), a.ceil_mode, env, fail)),
    ],
    decompose: ({ operands, attrs: a, builder }) => [builder.create(whole, operands, a).results[0]!],
  });

/** The values of {@link MaxPool1dWithIndices}. */
export const MaxPool1d = valuesOnly('aten.max_pool1d', 1, MaxPool1dWithIndices);
/** The values of {@link MaxPool2dWithIndices}. */
export const MaxPool2d = valuesOnly('aten.max_pool2d', 2, MaxPool2dWithIndices);
/** The values of {@link MaxPool3dWithIndices}. */
export const MaxPool3d = valuesOnly('aten.max_pool3d', 3, MaxPool3dWithIndices);

const adaptive = <const N extends string>(name: N, rank: number) =>
  defineOp({
    name,
    summary: `maxima of output_size near-equal parts of the last ${rank} ax${rank === 1 ? 'i' : 'e'}s, and where they are`,
    operands: { self: tensor(...floats) },
    attrs: { output_size: attr.ints() },
    infer: ({ operands: { self }, attrs: a, env, fail }) => {
      const shape = [...poolLead(self, rank, env, fail), ...perAxisFrom(0, 'output_size', a.output_size, rank, fail)];
      return [tensorType(self.dtype, shape), tensorType('i64', shape)];
    },
    reference: ({ operands: { self }, results, fail }) => {
      const { shape } = results[0]!;
      const axes = shape.slice(-rank).map((places, i) => adaptiveTaps(self.shape.slice(-rank)[i]!, places));
      return maxPool(self, axes, shape, fail);
    },
  });

/** Maxima of `output_size` parts, part `i` from `floor(i·L/out)` to `ceil((i+1)·L/out)`, and their indices in the plane. Self `[N, C, L]` or `[C, L]`. */
export const AdaptiveMaxPool1d = adaptive('aten.adaptive_max_pool1d', 1);
/** {@link AdaptiveMaxPool1d} over two axes: self `[N, C, H, W]` or `[C, H, W]`. */
export const AdaptiveMaxPool2d = adaptive('aten.adaptive_max_pool2d', 2);
/** {@link AdaptiveMaxPool1d} over three axes: self `[N, C, D, H, W]` or `[C, D, H, W]`. */
export const AdaptiveMaxPool3d = adaptive('aten.adaptive_max_pool3d', 3);
