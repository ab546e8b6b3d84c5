import {
  attr,
  type Elements,
  hostTensor,
  type HostTensor,
  isFloat,
  optionalTensor,
  roundTiesToEven,
  storer,
  tensor,
  tensorType,
} from '@qfuse/ir';
import { defineOp } from '../define.js';
import { checkQparams, granularityAttrs, qparamsIndex } from './granularity.js';
import { arithmeticRounder } from './rounders.js';

const floats = ['f32', 'f64', 'f16', 'bf16'] as const;
const integers = ['i8', 'u8', 'i4', 'u4', 'i16', 'u16', 'i32'] as const;

/** The dtype whose arithmetic rounds between the steps. */
const computeAttr = attr.optional(attr.dtype(), 'f32');

/** Element `i` of scales or zero points as a number; absent zero points are 0. */
const at = (t: HostTensor | undefined, i: number): number => (t === undefined ? 0 : Number(t.data[i]));

/**
 * `Q(x) = clamp(round(x · (1 / scale)) + zero_point, qmin, qmax)`, ties to even; with `round_last`
 * `clamp(round(x · (1 / scale) + zero_point), qmin, qmax)`, which differs at ties.
 * The reciprocal is rounded to the dtype of scale, then it, the zero point, the product and the sum to dtype `compute` (default f32). So
 * the results equal those of `torch.ops.quantized_decomposed.quantize_*` and `torch.ops.torchao.quantize_affine` bit for bit.
 */
export const Quantize = defineOp({
  name: 'quant.quantize',
  summary: 'rounds floats to integers on a grid of scale and zero point',
  operands: { input: tensor(...floats), scale: tensor('f32', 'f64', 'f16', 'bf16'), zero_point: optionalTensor() },
  attrs: {
    ...granularityAttrs,
    qmin: attr.int(),
    qmax: attr.int(),
    dtype: attr.dtype(),
    compute: computeAttr,
    round_last: attr.optional(attr.bool(), false),
  },
  infer: ({ operands, attrs, env, fail }) => {
    const { input, scale, zero_point } = operands;
    if (!isFloat(attrs.compute)) fail(`compute is ${attrs.compute}, expected a float dtype`);
    if (!(integers as readonly string[]).includes(attrs.dtype)) fail(`dtype is ${attrs.dtype}, expected one of ${integers.join(', ')}`);
    if (attrs.qmin >= attrs.qmax) fail(`qmin ${attrs.qmin} is not below qmax ${attrs.qmax}`);
    checkQparams('scale', scale, input.shape, attrs, env, fail);
    if (zero_point !== undefined) checkQparams('zero_point', zero_point, input.shape, attrs, env, fail);
    return [tensorType(attrs.dtype, input.shape)];
  },
  reference: ({ operands: { input, scale, zero_point }, attrs, fail }) => {
    const out = hostTensor(attrs.dtype, input.shape);
    const group = qparamsIndex(input.shape, attrs, fail);
    const [own, round] = [arithmeticRounder(scale.dtype), arithmeticRounder(attrs.compute)];
    const inverse = Float64Array.from({ length: scale.data.length }, (_, i) => round(own(1 / at(scale, i))));
    const zeros = Float64Array.from({ length: scale.data.length }, (_, i) => round(at(zero_point, i)));
    const [low, high] = [round(attrs.qmin), round(attrs.qmax)];
    const store = storer(attrs.dtype);
    for (let i = 0; i < out.data.length; i++) {
      const g = group(i);
      const x = round(round(at(input, i)) * inverse[g]!);
      const zero = zeros[g]!;
      const q = attrs.round_last ? roundTiesToEven(round(x + zero)) : round(roundTiesToEven(x) + zero);
      store(out.data as Elements, i, Math.min(Math.max(q, low), high));
    }
    return [out];
  },
});

/**
 * `D(q) = (q - zero_point) · scale`: the difference (after dtype `difference`, when it is given), the scale and the
 * product are rounded to dtype `compute` (default f32), then to the result's. So the results equal those of
 * `torch.ops.quantized_decomposed.dequantize_*` and `torch.ops.torchao.dequantize_affine` bit for bit.
 */
export const Dequantize = defineOp({
  name: 'quant.dequantize',
  summary: 'the numbers that integers on a grid of scale and zero point stand for',
  operands: { input: tensor(...integers), scale: tensor('f32', 'f64', 'f16', 'bf16'), zero_point: optionalTensor() },
  attrs: {
    ...granularityAttrs,
    qmin: attr.int(),
    qmax: attr.int(),
    dtype: attr.dtype(),
    compute: computeAttr,
    difference: attr.optional(attr.dtype()),
  },
  infer: ({ operands, attrs, env, fail }) => {
    const { input, scale, zero_point } = operands;
    if (!isFloat(attrs.compute)) fail(`compute is ${attrs.compute}, expected a float dtype`);
    if (attrs.difference !== undefined && !isFloat(attrs.difference)) fail(`difference is ${attrs.difference}, expected a float dtype`);
    if (!(floats as readonly string[]).includes(attrs.dtype)) fail(`dtype is ${attrs.dtype}, expected one of ${floats.join(', ')}`);
    checkQparams('scale', scale, input.shape, attrs, env, fail);
    if (zero_point !== undefined) checkQparams('zero_point', zero_point, input.shape, attrs, env, fail);
    return [tensorType(attrs.dtype, input.shape)];
  },
  reference: ({ operands: { input, scale, zero_point }, attrs, fail }) => {
    const out = hostTensor(attrs.dtype, input.shape);
    const group = qparamsIndex(input.shape, attrs, fail);
    const round = arithmeticRounder(attrs.compute);
    const narrow = attrs.difference === undefined ? (x: number): number => x : arithmeticRounder(attrs.difference);
    const scales = Float64Array.from({ length: scale.data.length }, (_, i) => round(at(scale, i)));
    const store = storer(attrs.dtype);
    for (let i = 0; i < out.data.length; i++) {
      const g = group(i);
      store(out.data as Elements, i, round(round(narrow(at(input, i) - at(zero_point, g))) * scales[g]!));
    }
    return [out];
  },
});
