import { attr, type Elements, hostTensor, type HostTensor, optionalTensor, roundTiesToEven, storer, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { checkQparams, granularityAttrs, qparamsIndex } from './granularity.js';

const floats = ['f32', 'f64', 'f16', 'bf16'] as const;
const integers = ['i8', 'u8', 'i4', 'u4', 'i16', 'u16', 'i32'] as const;

/** Element `i` of scales or zero points as a number; absent zero points are 0. */
const at = (t: HostTensor | undefined, i: number): number => (t === undefined ? 0 : Number(t.data[i]));

/**
 * `Q(x) = clamp(round(x · (1 / scale)) + zero_point, qmin, qmax)`, ties to even.
 * The reciprocal and the product are rounded to f32, as `torch.ops.quantized_decomposed.quantize_*` does: the
 * results equal torch's bit for bit.
 */
export const Quantize = defineOp({
  name: 'quant.quantize',
  summary: 'rounds floats to integers on a grid of scale and zero point',
  operands: { input: tensor(...floats), scale: tensor('f32', 'f64', 'f16', 'bf16'), zero_point: optionalTensor() },
  attrs: { ...granularityAttrs, qmin: attr.int(), qmax: attr.int(), dtype: attr.dtype() },
  infer: ({ operands, attrs, env, fail }) => {
    const { input, scale, zero_point } = operands;
    if (!(integers as readonly string[]).includes(attrs.dtype)) fail(`dtype is ${attrs.dtype}, expected one of ${integers.join(', ')}`);
    if (attrs.qmin >= attrs.qmax) fail(`qmin ${attrs.qmin} is not below qmax ${attrs.qmax}`);
    checkQparams('scale', scale, input.shape, attrs, env, fail);
    if (zero_point !== undefined) checkQparams('zero_point', zero_point, input.shape, attrs, env, fail);
    return [tensorType(attrs.dtype, input.shape)];
  },
  reference: ({ operands: { input, scale, zero_point }, attrs }) => {
    const out = hostTensor(attrs.dtype, input.shape);
    const group = qparamsIndex(input.shape, attrs);
    const inverse = Float64Array.from({ length: scale.data.length }, (_, i) => Math.fround(1 / at(scale, i)));
    const store = storer(attrs.dtype);
    for (let i = 0; i < out.data.length; i++) {
      const g = group(i);
      const q = roundTiesToEven(Math.fround(at(input, i) * inverse[g]!)) + at(zero_point, g);
      store(out.data as Elements, i, Math.min(Math.max(q, attrs.qmin), attrs.qmax));
    }
    return [out];
  },
});

/** `D(q) = (q - zero_point) · scale`, rounded once to the result's dtype. */
export const Dequantize = defineOp({
  name: 'quant.dequantize',
  summary: 'the numbers that integers on a grid of scale and zero point stand for',
  operands: { input: tensor(...integers), scale: tensor('f32', 'f64', 'f16', 'bf16'), zero_point: optionalTensor() },
  attrs: { ...granularityAttrs, qmin: attr.int(), qmax: attr.int(), dtype: attr.dtype() },
  infer: ({ operands, attrs, env, fail }) => {
    const { input, scale, zero_point } = operands;
    if (!(floats as readonly string[]).includes(attrs.dtype)) fail(`dtype is ${attrs.dtype}, expected one of ${floats.join(', ')}`);
    checkQparams('scale', scale, input.shape, attrs, env, fail);
    if (zero_point !== undefined) checkQparams('zero_point', zero_point, input.shape, attrs, env, fail);
    return [tensorType(attrs.dtype, input.shape)];
  },
  reference: ({ operands: { input, scale, zero_point }, attrs }) => {
    const out = hostTensor(attrs.dtype, input.shape);
    const group = qparamsIndex(input.shape, attrs);
    const store = storer(attrs.dtype);
    for (let i = 0; i < out.data.length; i++) {
      const g = group(i);
      store(out.data as Elements, i, (at(input, i) - at(zero_point, g)) * Math.fround(at(scale, g)));
    }
    return [out];
  },
});
