import { type Builder, type Dim, floatScalar, type TensorType, type Value } from '@qfuse/ir';
import { AddScalar, AddTensor, MulTensor, SubTensor } from '../arithmetic.js';
import { ToCopy } from '../casts.js';
import { Rsqrt } from '../exponential.js';
import { Full } from '../fills.js';
import { MeanDim } from '../sums.js';
import { reshapeTo } from './reshaping.js';

/** Nodes of a normalization: mean and `1 / √(variance + eps)`, with the normalized axes kept as axes of size 1. */
export interface Statistics {
  readonly mean: Value;
  readonly rstd: Value;
}

/** `1 / √(variance + eps)` */
export const inverseRoot = (variance: Value, eps: number, b: Builder): Value =>
  b.create(Rsqrt, { self: b.create(AddScalar, { self: variance }, { other: floatScalar(eps) }).result }).result;

/** Mean and biased variance of `x` over `axes`; the variance is that of the centred elements, `E[x²] - E[x]²` cancels. */
export function statisticsOf(x: Value, axes: readonly number[], eps: number, b: Builder): Statistics {
  const { shape, dtype } = x.type;
  if (axes.some((axis) => shape[axis] === 0)) {
    const size = shape.map((d, axis) => (axes.includes(axis) ? 1 : d));
    const full = (value: number): Value => b.create(Full, {}, { size, fill_value: floatScalar(value), dtype }).result;
    return { mean: full(0), rstd: full(NaN) };
  }
  const meanOf = (self: Value): Value => b.create(MeanDim, { self }, { dim: axes, keepdim: true }).result;
  const mean = meanOf(x);
  const centred = b.create(SubTensor, { self: x, other: mean }).result;
  return { mean, rstd: inverseRoot(meanOf(b.create(MulTensor, { self: centred, other: centred }).result), eps, b) };
}

/** `(x - mean) · rstd · weight + bias`, all broadcast to `x`. */
export function normalize(x: Value, { mean, rstd }: Statistics, weight: Value | undefined, bias: Value | undefined, b: Builder): Value {
  const centred = b.create(SubTensor, { self: x, other: mean }).result;
  return scaleAndShift(b.create(MulTensor, { self: centred, other: rstd }).result, weight, bias, b);
}

/** `x · weight + bias`, either of which may be absent. */
export function scaleAndShift(x: Value, weight: Value | undefined, bias: Value | undefined, b: Builder): Value {
  const y = weight === undefined ? x : b.create(MulTensor, { self: x, other: weight }).result;
  return bias === undefined ? y : b.create(AddTensor, { self: y, other: bias }).result;
}

/** A parameter `[C]` that broadcasts to `[N, C, …]` of rank `rank`. */
export const perChannel = <V extends Value | undefined>(parameter: V, rank: number, b: Builder): V =>
  parameter === undefined
    ? parameter
    : (reshapeTo(b, parameter, [parameter.type.shape[0]!, ...Array.from({ length: rank - 2 }, (): Dim => 1)]) as V);

/** A value of the shape and dtype of a result. */
export function asResult(value: Value, { dtype, shape }: TensorType, b: Builder): Value {
  const cast = value.type.dtype === dtype ? value : b.create(ToCopy, { self: value }, { dtype }).result;
  return reshapeTo(b, cast, shape);
}

/** The statistics over all axes but that of the channels. */
export const batchStatistics = (x: Value, eps: number, b: Builder): Statistics =>
  statisticsOf(
    x,
    Array.from(x.type.shape.keys()).filter((axis) => axis !== 1),
    eps,
    b,
  );

/** Given statistics `[C]`, shaped to broadcast to `x`. */
export function givenStatistics(x: Value, mean: Value, variance: Value, eps: number, b: Builder): Statistics {
  const rank = x.type.shape.length;
  return { mean: perChannel(mean, rank, b), rstd: perChannel(inverseRoot(variance, eps, b), rank, b) };
}

/** Operands of a normalization per channel. */
export interface Normalized {
  readonly input: Value;
  readonly weight?: Value | undefined;
  readonly bias?: Value | undefined;
}

/** `(x - mean) · rstd · weight + bias` with weight and bias `[C]`. */
export function normalizedChannels({ input: x, weight, bias }: Normalized, statistics: Statistics, result: TensorType, b: Builder): Value {
  const rank = x.type.shape.length;
  return asResult(normalize(x, statistics, perChannel(weight, rank, b), perChannel(bias, rank, b), b), result, b);
}
