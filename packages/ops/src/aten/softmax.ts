import { attr, type DType, type HostTensor, floatScalar, hostTensor, intScalar, isFloat, storer, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { floatResult } from '../promotion.js';
import { type Fail, wrapAxis } from '../shapes.js';
import { AddTensor, SubTensor } from './arithmetic.js';
import { ToCopy } from './casts.js';
import { Exp, Log } from './exponential.js';
import { Amax } from './extremes.js';
import { Full } from './fills.js';
import { Isinf } from './float-tests.js';
import { View } from './reshape.js';
import { SumDimIntList } from './sums.js';
import { castTensor, type ResultType } from './support/elementwise.js';
import { checked } from './support/checked.js';
import { groupsOf, reduction, reductionOf } from './support/reduce.js';
import { renamed } from './support/renamed.js';
import { MaskedFillScalar } from './where.js';

/** The largest number, NaN when one is; -∞ of none. */
const peakOf = (xs: Float64Array): number => xs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);

/** `log Σ eˣ`, shifted by the largest x so that nothing overflows. */
function logSumExp(xs: Float64Array): number {
  const peak = peakOf(xs);
  // ±∞ minus itself is NaN: an infinite peak is the answer.
  return Number.isFinite(peak) ? peak + Math.log(xs.reduce((sum, x) => sum + Math.exp(x - peak), 0)) : peak;
}

function softmax(xs: Float64Array): Float64Array {
  const peak = peakOf(xs);
  const powers = xs.map((x) => Math.exp(x - peak));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

function logSoftmax(xs: Float64Array): Float64Array {
  const peak = peakOf(xs);
  const log = Math.log(xs.reduce((sum, x) => sum + Math.exp(x - peak), 0));
  return xs.map((x) => x - peak - log);
}

const safeSoftmax = (xs: Float64Array): Float64Array => (peakOf(xs) === Number.NEGATIVE_INFINITY ? xs.map(() => 0) : softmax(xs));

/** Replaces the elements along an axis by `f` of them. */
function alongAxis(result: ResultType, self: HostTensor, dim: number, f: (xs: Float64Array) => Float64Array, fail: Fail): HostTensor {
  const { starts, steps } = groupsOf(self.shape, self.shape.length === 0 ? [] : [wrapAxis(dim, self.shape.length, fail)]);
  const cast = castTensor(self, result.dtype);
  const out = hostTensor(result.dtype, result.shape);
  const store = storer(result.dtype);
  const xs = new Float64Array(steps.length);
  for (const start of starts) {
    for (let k = 0; k < xs.length; k++) xs[k] = cast.data[start + steps[k]!] as number;
    f(xs).forEach((y, k) => store(out.data, start + steps[k]!, y));
  }
  return out;
}

const checkFloat = (dtype: DType, fail: Fail): DType =>
  isFloat(dtype) ? dtype : fail(`elements are ${dtype}, expected floats (or a float dtype)`);

/** An op along axis `dim` of elements that are cast to `dtype` before. */
const withDType = (name: string, summary: string, f: (xs: Float64Array) => Float64Array) =>
  defineOp({
    name,
    summary,
    operands: { self: tensor() },
    attrs: { dim: attr.int(), dtype: attr.optional(attr.dtype()) },
    infer: ({ operands: { self }, attrs: { dim, dtype }, fail }) => {
      wrapAxis(dim, self.shape.length, fail);
      return [tensorType(checkFloat(dtype ?? self.dtype, fail), self.shape)];
    },
    reference: ({ operands: { self }, attrs: { dim }, results: [result], fail }) => [alongAxis(result!, self, dim, f, fail)],
  });

/** As {@link withDType} for what these become in Core ATen; `half_to_float` casts f16 to f32. */
const core = (name: string, summary: string, f: (xs: Float64Array) => Float64Array) =>
  defineOp({
    name,
    summary,
    operands: { self: tensor() },
    attrs: { dim: attr.int(), half_to_float: attr.bool() },
    infer: ({ operands: { self }, attrs: { dim, half_to_float: widen }, fail }) => {
      wrapAxis(dim, self.shape.length, fail);
      if (widen && self.dtype !== 'f16') fail(`half_to_float is true for ${self.dtype}, expected f16`);
      return [tensorType(widen ? 'f32' : checkFloat(self.dtype, fail), self.shape)];
    },
    reference: ({ operands: { self }, attrs: { dim }, results: [result], fail }) => [alongAxis(result!, self, dim, f, fail)],
  });

/** `eˣ / Σ eˣ` along axis `dim`, in `dtype` when it is given; floats only. NaN where all are -∞. */
export const SoftmaxInt = withDType('aten.softmax.int', 'softmax along an axis', softmax);
/** `ln` of {@link SoftmaxInt}: `x - log Σ eˣ`. */
export const LogSoftmaxInt = withDType('aten.log_softmax.int', 'logarithm of softmax along an axis', logSoftmax);
/** {@link SoftmaxInt} as torch.special has it. */
export const SpecialSoftmax = renamed('aten.special_softmax', SoftmaxInt);
/** {@link LogSoftmaxInt} as torch.special has it. */
export const SpecialLogSoftmax = renamed('aten.special_log_softmax', LogSoftmaxInt);
/** {@link SoftmaxInt} with 0 where all are -∞. */
export const SafeSoftmax = withDType('aten._safe_softmax', 'softmax along an axis, 0 for rows of -inf', safeSoftmax);
/** What {@link SoftmaxInt} is in Core ATen. */
export const Softmax = core('aten._softmax', 'softmax along an axis', softmax);
/** What {@link LogSoftmaxInt} is in Core ATen. */
export const LogSoftmax = core('aten._log_softmax', 'logarithm of softmax along an axis', logSoftmax);

/** `ln Σ eˣ` along the axes `dim`; integers and bools give f32, no elements give -∞. */
export const Logsumexp = reduction({
  name: 'aten.logsumexp',
  summary: 'logarithm of the sum of exponentials along axes',
  attrs: { dim: attr.ints(), keepdim: attr.optional(attr.bool(), false) },
  dtype: floatResult,
  reducer: () => ({ float: logSumExp }),
  decompose: ({ operands: { self }, attrs: { dim }, results: [result], builder: b }) => {
    const x = self.type.dtype === result!.dtype ? self : b.create(ToCopy, { self }, { dtype: result!.dtype }).result;
    if (reductionOf({ dim }, x.type.shape.length, checked).axes.some((i) => x.type.shape[i] === 0))
      return [b.create(Full, {}, { size: result!.shape, fill_value: floatScalar(Number.NEGATIVE_INFINITY), dtype: result!.dtype }).result];
    const peak = b.create(Amax, { self: x }, { dim, keepdim: true }).result;
    // An infinite peak is not subtracted: ±∞ minus itself is NaN.
    const shift = b.create(MaskedFillScalar, { self: peak, mask: b.create(Isinf, { self: peak }).result }, { value: intScalar(0) }).result;
    const powers = b.create(Exp, { self: b.create(SubTensor, { self: x, other: shift }).result }).result;
    const sum = b.create(Log, { self: b.create(SumDimIntList, { self: powers }, { dim, keepdim: true }).result }).result;
    return [b.create(View, { self: b.create(AddTensor, { self: sum, other: shift }).result }, { size: result!.shape }).result];
  },
});
