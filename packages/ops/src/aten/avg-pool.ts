import { attr, type Dim, type Elements, isFloat, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { perAxisFrom, tapsOf } from './support/windows.js';
import { adaptiveTaps, pool, poolLead, poolShape, poolWindows } from './support/pool.js';

const floats = ['f32', 'f64', 'f16', 'bf16'] as const;

/** Sum over `divisor`: exact integers are divided with truncation, as C does. */
function quotient(data: Elements, offsets: readonly number[], divisor: number): number | bigint {
  if (data instanceof BigInt64Array) {
    let sum = 0n;
    for (const i of offsets) sum += data[i]!;
    return sum / BigInt(divisor);
  }
  let sum = 0;
  for (const i of offsets) sum += data[i] as number;
  return sum / divisor;
}

const windowAttrs = {
  kernel_size: attr.ints(),
  stride: attr.optional(attr.ints(), []),
  padding: attr.optional(attr.ints(), [0]),
  ceil_mode: attr.optional(attr.bool(), false),
  count_include_pad: attr.optional(attr.bool(), true),
};

const avgPool = <const N extends string, const A extends object>(name: N, rank: number, more: A) =>
  defineOp({
    name,
    summary: `means of windows over the last ${rank} ax${rank === 1 ? 'i' : 'e'}s`,
    operands: { self: tensor(...floats, 'i64') },
    attrs: { ...windowAttrs, ...more },
    infer: ({ operands: { self }, attrs, env, fail }) => {
      if ((attrs as { divisor_override?: number }).divisor_override === 0) fail('divisor_override is 0, expected another number');
      return [tensorType(self.dtype, poolShape(self, poolWindows(attrs, rank, fail), attrs.ceil_mode, env, fail))];
    },
    reference: ({ operands: { self }, attrs, results, fail }) => {
      const { shape } = results[0]!;
      const override = (attrs as { divisor_override?: number }).divisor_override;
      const axes = poolWindows(attrs, rank, fail).map((w, i) => tapsOf(self.shape.slice(-rank)[i]!, shape.slice(-rank)[i]!, w));
      return [
        pool(self, axes, results[0]!, (data, offsets, _, padded) => {
          // A window without elements (all padding) is 0, whatever the divisor.
          if (offsets.length === 0) return isFloat(self.dtype) ? 0 : 0n;
          return quotient(data, offsets, override ?? (attrs.count_include_pad ? padded : offsets.length));
        }),
      ];
    },
  });

const divisor = { divisor_override: attr.optional(attr.int()) };

/**
 * `y[…, p] = (1 / d) Σ_k x[…, p·stride + k - padding]`; `d` counts the positions of the window, with those in the
 * padding when `count_include_pad`. Self `[N, C, L]` or `[C, L]`. An empty stride means the kernel's size.
 */
export const AvgPool1d = avgPool('aten.avg_pool1d', 1, {});
/** {@link AvgPool1d} over two axes: self `[N, C, H, W]` or `[C, H, W]`; `divisor_override` replaces `d`. */
export const AvgPool2d = avgPool('aten.avg_pool2d', 2, divisor);
/** {@link AvgPool1d} over three axes: self `[N, C, D, H, W]` or `[C, D, H, W]`; `divisor_override` replaces `d`. */
export const AvgPool3d = avgPool('aten.avg_pool3d', 3, divisor);

const adaptive = <const N extends string>(name: N, rank: number) =>
  defineOp({
    name,
    summary: `means of output_size near-equal parts of the last ${rank} ax${rank === 1 ? 'i' : 'e'}s`,
    operands: { self: tensor(...floats) },
    attrs: { output_size: attr.dims() },
    infer: ({ operands: { self }, attrs, env, fail }) => {
      const { output_size: size } = attrs;
      const parts: readonly Dim[] = size.every((d) => typeof d === 'number') ? perAxisFrom(0, 'output_size', size, rank, fail) : size;
      if (parts.length !== rank) fail(`output_size has ${parts.length} entries, expected ${rank}`);
      return [tensorType(self.dtype, [...poolLead(self, rank, env, fail), ...parts])];
    },
    reference: ({ operands: { self }, results }) => {
      const axes = results[0]!.shape.slice(-rank).map((places, i) => adaptiveTaps(self.shape.slice(-rank)[i]!, places));
      return [pool(self, axes, results[0]!, (data, offsets) => quotient(data, offsets, offsets.length))];
    },
  });

/** Means of `output_size` parts, part `i` from `floor(i·L/out)` to `ceil((i+1)·L/out)`. Self `[N, C, L]` or `[C, L]`. */
export const AdaptiveAvgPool1d = adaptive('aten.adaptive_avg_pool1d', 1);
/** {@link AdaptiveAvgPool1d} over two axes: self `[N, C, H, W]` or `[C, H, W]`. */
export const AdaptiveAvgPool2d = adaptive('aten.adaptive_avg_pool2d', 2);
/** {@link AdaptiveAvgPool1d} over three axes: self `[N, C, D, H, W]` or `[C, D, H, W]`. */
export const AdaptiveAvgPool3d = adaptive('aten.adaptive_avg_pool3d', 3);
/** What {@link AdaptiveAvgPool2d} becomes in Core ATen. */
export const CoreAdaptiveAvgPool2d = adaptive('aten._adaptive_avg_pool2d', 2);
/** What {@link AdaptiveAvgPool3d} becomes in Core ATen. */
export const CoreAdaptiveAvgPool3d = adaptive('aten._adaptive_avg_pool3d', 3);
