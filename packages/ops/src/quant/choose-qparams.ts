import {
  attr,
  type DType,
  type Elements,
  floatScalar,
  hostTensor,
  isFloat,
  isInteger,
  roundTiesToEven,
  storer,
  tensor,
  tensorType,
  type Value,
} from '@qfuse/ir';
import { ClampMin } from '../aten/clamp.js';
import { View } from '../aten/reshape.js';
import { defineOp } from '../define.js';
import { castNode, type Formula, middleOf, rangeNodes, rawScaleNodes, zeroPointNodes } from './choose-qparams-steps.js';
import { granularityAttrs, qparamsIndex, qparamsShape } from './granularity.js';
import { arithmeticRounder } from './rounders.js';

/** Smallest positive normal number, the default of `eps`. */
const smallestNormal: Partial<Record<DType, number>> = { f64: 2 ** -1022, f32: 2 ** -126, bf16: 2 ** -126, f16: 2 ** -14 };

type Round = (x: number) => number;

/** The scale before it is bounded, from the range `[low, high]` that contains 0, in the input's arithmetic. */
function rawScale(low: number, high: number, { mapping, qmin, qmax }: Formula, round: Round): number {
  // Divisors are Python numbers: arithmetic of 16-bit floats takes them in f32, as it takes its own operands.
  const divide = (a: number, by: number): number => round(a / Math.fround(by));
  if (mapping === 'symmetric') return divide(Math.max(-low, high), (qmax - qmin) / 2);
  if (mapping === 'asymmetric') return divide(round(high - low), qmax - qmin);
  const [smin, smax] = [divide(low, qmin), divide(high, qmax)];
  return smin > smax ? smin : smax;
}

function zeroPointOf(low: number, high: number, scale: number, formula: Formula, round: Round): number {
  const { mapping, qmin, qmax } = formula;
  const clamp = (x: number): number => Math.min(Math.max(x, round(qmin)), round(qmax));
  if (mapping !== 'asymmetric') return middleOf(formula);
  const [first, last] = [round(low / scale), round(high / scale)];
  if (formula.zero_point_rule === 'minimum') return clamp(round(qmin - roundTiesToEven(first)));
  const error = round(round(qmin + first) + round(qmax + last));
  return roundTiesToEven(clamp(error > 0 ? round(qmin - first) : round(qmax - last)));
}

/**
 * Scales and zero points from the smallest and largest elements that share one, extended to contain 0: `[low, high]`.
 * - `asymmetric`: `scale = (high - low) / (qmax - qmin)`, `zero_point = clamp(qmin - round(low / scale), qmin, qmax)`;
 *   with the rule `smaller_error` it is rounded after `qmin - low / scale` or `qmax - high / scale` was chosen as XNNPACK does.
 * - `symmetric`: `scale = max(-low, high) / ((qmax - qmin) / 2)`; `symmetric_no_clipping_err`: `max(low / qmin, high / qmax)`;
 *   `zero_point` is the attribute of that name, by default `trunc((qmax + qmin + 1) / 2)`.
 * Range and quotient are rounded to the input's dtype; then everything is in dtype `compute` (default: the input's), where
 * the scale is at least `eps` (default: the smallest normal number of the input's dtype).
 * So the results equal torch's and torchao's bit for bit. Results: scale (of `scale_dtype`, by default `compute`) and
 * zero point (of `zero_point_dtype`, by default i32) in the shape of the granularity: `[]`, `[n]`, `[…, 1]`, `[…]`.
 */
export const ChooseQparams = defineOp({
  name: 'quant.choose_qparams',
  summary: 'scale and zero point from the range of elements',
  operands: { input: tensor('f32', 'f64', 'f16', 'bf16') },
  attrs: {
    ...granularityAttrs,
    mapping: attr.oneOf('asymmetric', 'symmetric', 'symmetric_no_clipping_err'),
    qmin: attr.int(),
    qmax: attr.int(),
    eps: attr.optional(attr.float()),
    compute: attr.optional(attr.dtype()),
    zero_point: attr.optional(attr.int()),
    zero_point_rule: attr.optional(attr.oneOf('minimum', 'smaller_error'), 'minimum'),
    scale_dtype: attr.optional(attr.dtype()),
    zero_point_dtype: attr.optional(attr.dtype(), 'i32'),
  },
  infer: ({ operands: { input }, attrs, env, fail }) => {
    const { compute = input.dtype, scale_dtype: scale = compute, zero_point_dtype: zero } = attrs;
    if (attrs.qmin >= attrs.qmax) fail(`qmin ${attrs.qmin} is not below qmax ${attrs.qmax}`);
    for (const [name, dtype] of Object.entries({ compute, scale_dtype: scale }))
      if (!isFloat(dtype)) fail(`${name} is ${dtype}, expected a float dtype`);
    if (!isFloat(zero) && !isInteger(zero)) fail(`zero_point_dtype is ${zero}, expected an integer or float dtype`);
    const shape = qparamsShape(input.shape, attrs, env, fail);
    return [tensorType(scale, shape), tensorType(zero, shape)];
  },
  reference: ({ operands: { input }, attrs, results, fail }) => {
    const [scales, zeros] = results.map((r) => hostTensor(r.dtype, r.shape));
    const count = scales!.data.length;
    const [lows, highs] = ranges(input.data, count, qparamsIndex(input.shape, attrs, fail));
    if (count > 0 && input.data.length === 0) fail('input has no elements, expected at least one for each scale');
    const compute = attrs.compute ?? input.dtype;
    const [own, wide] = [arithmeticRounder(input.dtype), arithmeticRounder(compute)];
    const eps = wide(attrs.eps ?? smallestNormal[input.dtype]!);
    const [storeScale, storeZero] = [storer(scales!.dtype), storer(zeros!.dtype)];
    for (let g = 0; g < count; g++) {
      const scale = Math.max(wide(rawScale(lows[g]!, highs[g]!, attrs, own)), eps);
      storeScale(scales!.data, g, scale);
      storeZero(zeros!.data, g, zeroPointOf(lows[g]!, highs[g]!, scale, attrs, wide));
    }
    return [scales!, zeros!];
  },
  decompose: ({ operands: { input }, attrs, results, builder: b }) => {
    const compute = attrs.compute ?? input.type.dtype;
    const range = rangeNodes(input, attrs, b);
    const raw = rawScaleNodes(...range, attrs, b);
    const [low, high] = range.map((v) => castNode(v, compute, b)) as [Value, Value];
    const eps = floatScalar(attrs.eps ?? smallestNormal[input.type.dtype]!);
    const scale = b.create(ClampMin, { self: castNode(raw, compute, b) }, { min: eps }).result;
    const zero = zeroPointNodes(low, high, scale, attrs, results[1]!.dtype, b);
    return [scale, zero].map((v, i) => b.create(View, { self: castNode(v, results[i]!.dtype, b) }, { size: results[i]!.shape }).result);
  },
});

/** The smallest and the largest of the elements of each group, and 0. */
function ranges(data: Elements, groups: number, groupOf: (offset: number) => number): readonly [Float64Array, Float64Array] {
  const [lows, highs] = [new Float64Array(groups), new Float64Array(groups)];
  for (let i = 0; i < data.length; i++) {
    const g = groupOf(i);
    const x = data[i] as number;
    lows[g] = Math.min(lows[g]!, x);
    highs[g] = Math.max(highs[g]!, x);
  }
  return [lows, highs];
}
