import { attr, type AttrSpecs, tensor } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { resample, resampledType, rounding, sourcesOf, vecSizes } from './support/resample.js';

const self = tensor('f32', 'f64', 'f16', 'bf16', 'u8');
const scale = attr.optional(attr.float());

/** The plain overload and `.vec` of a nearest upsampling; `scales` are the plain one's factors, one per axis. */
function nearest<const S extends AttrSpecs>(base: string, mode: 'nearest' | 'nearest-exact', scales: S) {
  const names = Object.keys(scales);
  const rank = names.length;
  const plain = defineOp({
    name: `aten.${base}`,
    summary: 'nearest elements at output_size places along each spatial axis',
    operands: { self },
    attrs: { output_size: attr.dims(), ...scales },
    infer: ({ operands, attrs, env, fail }) => [resampledType(operands.self, attrs.output_size as readonly number[], rank, env, fail)],
    reference: ({ operands, attrs, results }) => {
      const { shape } = results[0]!;
      const round = rounding(operands.self.dtype);
      const axes = names.map((name, i) =>
        sourcesOf(mode, operands.self.shape[i + 2]!, shape[i + 2]!, false, (attrs as Record<string, number | undefined>)[name], round),
      );
      return [resample(operands.self, axes, shape)];
    },
  });
  const vec = defineOp({
    name: `aten.${base}.vec`,
    summary: 'nearest elements at output_size places, or scale_factors as many, along each spatial axis',
    operands: { input: self },
    attrs: { output_size: attr.optional(attr.dims()), scale_factors: attr.optional(attr.floats()) },
    infer: ({ operands: { input }, attrs, env, fail }) => [
      resampledType(input, vecSizes(input, rank, attrs.output_size, attrs.scale_factors, fail), rank, env, fail),
    ],
    decompose: ({ operands: { input }, attrs, builder, results }) => {
      const factors = Object.fromEntries(names.map((name, i) => [name, attrs.scale_factors?.[i]]));
      return builder.create(plain, { self: input }, { output_size: results[0]!.shape.slice(2), ...factors } as never).results;
    },
  });
  return { plain, vec };
}

const one = { scales: scale };
const two = { scales_h: scale, scales_w: scale };
const three = { scales_d: scale, scales_h: scale, scales_w: scale };

const n1 = nearest('upsample_nearest1d', 'nearest', one);
const n2 = nearest('upsample_nearest2d', 'nearest', two);
const n3 = nearest('upsample_nearest3d', 'nearest', three);
const e1 = nearest('_upsample_nearest_exact1d', 'nearest-exact', one);
const e2 = nearest('_upsample_nearest_exact2d', 'nearest-exact', two);
const e3 = nearest('_upsample_nearest_exact3d', 'nearest-exact', three);

/** `y[…, i] = x[…, floor(i · L / out)]`; self `[N, C, L]`. A stated scale `s` replaces `L / out` by `1 / s`. */
export const UpsampleNearest1d = n1.plain;
/** {@link UpsampleNearest1d} by output size or scale factors. */
export const UpsampleNearest1dVec = n1.vec;
/** {@link UpsampleNearest1d} over two axes: self `[N, C, H, W]`. */
export const UpsampleNearest2d = n2.plain;
/** {@link UpsampleNearest2d} by output size or scale factors. */
export const UpsampleNearest2dVec = n2.vec;
/** {@link UpsampleNearest1d} over three axes: self `[N, C, D, H, W]`. */
export const UpsampleNearest3d = n3.plain;
/** {@link UpsampleNearest3d} by output size or scale factors. */
export const UpsampleNearest3dVec = n3.vec;
/** `y[…, i] = x[…, floor((i + ½) · L / out)]`; self `[N, C, L]`. A stated scale `s` replaces `L / out` by `1 / s`. */
export const UpsampleNearestExact1d = e1.plain;
/** {@link UpsampleNearestExact1d} by output size or scale factors. */
export const UpsampleNearestExact1dVec = e1.vec;
/** {@link UpsampleNearestExact1d} over two axes: self `[N, C, H, W]`. */
export const UpsampleNearestExact2d = e2.plain;
/** {@link UpsampleNearestExact2d} by output size or scale factors. */
export const UpsampleNearestExact2dVec = e2.vec;
/** {@link UpsampleNearestExact1d} over three axes: self `[N, C, D, H, W]`. */
export const UpsampleNearestExact3d = e3.plain;
/** {@link UpsampleNearestExact3d} by output size or scale factors. */
export const UpsampleNearestExact3dVec = e3.vec;
