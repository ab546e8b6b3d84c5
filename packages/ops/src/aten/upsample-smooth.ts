import { attr, type AttrSpecs, tensor } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { resample, resampledType, rounding, sourcesOf, vecSizes } from './support/resample.js';

const self = tensor('f32', 'f64', 'f16', 'bf16');
const scale = attr.optional(attr.float());

/** The plain overload and `.vec` of a smooth upsampling; `scales` are the plain one's factors, one per axis. */
function smooth<const S extends AttrSpecs>(base: string, mode: 'linear' | 'cubic', scales: S) {
  const names = Object.keys(scales);
  const rank = names.length;
  const plain = defineOp({
    name: `aten.${base}`,
    summary: `${mode} interpolation at output_size places along each spatial axis`,
    operands: { self },
    attrs: { output_size: attr.dims(), align_corners: attr.bool(), ...scales },
    infer: ({ operands, attrs, env, fail }) => [resampledType(operands.self, attrs.output_size as readonly number[], rank, env, fail)],
    reference: ({ operands, attrs, results }) => {
      const { shape } = results[0]!;
      const round = rounding(operands.self.dtype);
      const given = attrs as Record<string, unknown>;
      const axes = names.map((name, i) =>
        sourcesOf(
          mode,
          operands.self.shape[i + 2]!,
          shape[i + 2]!,
          given['align_corners'] as boolean,
          given[name] as number | undefined,
          round,
        ),
      );
      return [resample(operands.self, axes, shape)];
    },
  });
  const vec = defineOp({
    name: `aten.${base}.vec`,
    summary: `${mode} interpolation at output_size places, or scale_factors as many, along each spatial axis`,
    operands: { input: self },
    attrs: { output_size: attr.optional(attr.dims()), align_corners: attr.bool(), scale_factors: attr.optional(attr.floats()) },
    infer: ({ operands: { input }, attrs, env, fail }) => [
      resampledType(input, vecSizes(input, rank, attrs.output_size, attrs.scale_factors, fail), rank, env, fail),
    ],
    decompose: ({ operands: { input }, attrs, builder, results }) => {
      const factors = Object.fromEntries(names.map((name, i) => [name, attrs.scale_factors?.[i]]));
      return builder.create(plain, { self: input }, {
        output_size: results[0]!.shape.slice(2),
        align_corners: attrs.align_corners,
        ...factors,
      } as never).results;
    },
  });
  return { plain, vec };
}

const two = { scales_h: scale, scales_w: scale };

const linear = smooth('upsample_linear1d', 'linear', { scales: scale });
const bilinear = smooth('upsample_bilinear2d', 'linear', two);
const trilinear = smooth('upsample_trilinear3d', 'linear', { scales_d: scale, scales_h: scale, scales_w: scale });
const bicubic = smooth('upsample_bicubic2d', 'cubic', two);

/**
 * Linear interpolation of self `[N, C, L]` at positions `(i + ½) · L / out - ½`, or `i · (L - 1) / (out - 1)` with
 * `align_corners`; positions beyond the ends take the end. A stated scale `s` replaces `L / out` by `1 / s`.
 */
export const UpsampleLinear1d = linear.plain;
/** {@link UpsampleLinear1d} by output size or scale factors. */
export const UpsampleLinear1dVec = linear.vec;
/** {@link UpsampleLinear1d} over two axes: self `[N, C, H, W]`. */
export const UpsampleBilinear2d = bilinear.plain;
/** {@link UpsampleBilinear2d} by output size or scale factors. */
export const UpsampleBilinear2dVec = bilinear.vec;
/** {@link UpsampleLinear1d} over three axes: self `[N, C, D, H, W]`. */
export const UpsampleTrilinear3d = trilinear.plain;
/** {@link UpsampleTrilinear3d} by output size or scale factors. */
export const UpsampleTrilinear3dVec = trilinear.vec;
/** Cubic convolution (a = -3/4) of self `[N, C, H, W]` at the positions of {@link UpsampleLinear1d}. */
export const UpsampleBicubic2d = bicubic.plain;
/** {@link UpsampleBicubic2d} by output size or scale factors. */
export const UpsampleBicubic2dVec = bicubic.vec;
