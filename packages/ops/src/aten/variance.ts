import {
  attr,
  type Builder,
  dimProduct,
  type DType,
  dtypeInfo,
  floatScalar,
  intScalar,
  isFloat,
  type Scalar,
  scalarNumber,
  tensor,
  tensorType,
  type Value,
} from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Fail, reducedShape } from '../shapes.js';
import { DivScalar, DivTensor, MulTensor, SubScalar, SubTensor } from './arithmetic.js';
import { ToCopy } from './casts.js';
import { ClampMin } from './clamp.js';
import { Sqrt } from './exponential.js';
import { View } from './reshape.js';
import { ScalarTensorSym } from './scalar-tensor-sym.js';
import { MeanDim, SumDimIntList } from './sums.js';
import { checked } from './support/checked.js';
import { reduceNumbers, type ReductionAttrs, reductionAttrs, reductionOf } from './support/reduce.js';

/** How the elements of a group count: torch's overloads say it as a bool or as a number. */
interface Correction {
  readonly unbiased?: boolean | undefined;
  readonly correction?: Scalar | undefined;
}

const correctionOf = ({ unbiased, correction }: Correction): number =>
  unbiased === undefined ? scalarNumber(correction ?? intScalar(1)) : Number(unbiased);

const mean = (xs: Float64Array): number => xs.reduce((a, b) => a + b, 0) / xs.length;

/** `Σ (x - mean)² / max(0, n - correction)`: NaN or ∞ when nothing is left to divide by. */
function variance(xs: Float64Array, correction: number): number {
  const center = mean(xs);
  return xs.reduce((sum, x) => sum + (x - center) ** 2, 0) / Math.max(0, xs.length - correction);
}

const statistic = {
  variance,
  deviation: (xs: Float64Array, correction: number): number => Math.sqrt(variance(xs, correction)),
  /** The mean as it runs along, `mean += (x - mean) / n`: infinities then give NaN, as in torch's var_mean. */
  mean: (xs: Float64Array): number => (xs.length === 0 ? Number.NaN : xs.reduce((sofar, x, i) => sofar + (x - sofar) / (i + 1), 0)),
} as const;
type Statistic = keyof typeof statistic;

function checkFloat(dtype: DType, fail: Fail): DType {
  return isFloat(dtype) ? dtype : fail(`self is ${dtype}, expected a float dtype`);
}

const unbiased = { unbiased: attr.optional(attr.bool(), true) };
const forms = {
  default: unbiased,
  dim: { dim: reductionAttrs.dims.dim, ...unbiased, keepdim: reductionAttrs.dims.keepdim },
  correction: { dim: reductionAttrs.dims.dim, correction: attr.optional(attr.scalar()), keepdim: reductionAttrs.dims.keepdim },
} as const;
type Form = keyof typeof forms;

/** `Σ (x - mean)² / max(0, n - correction)` in simpler ops; the axes stay with size 1. Also gives the mean. */
function varianceOf(
  self: Value,
  axes: readonly number[],
  correction: number,
  b: Builder,
): { readonly variance: Value; readonly mean: Value } {
  const over = { dim: axes, keepdim: true };
  const center = b.create(MeanDim, { self }, over).result;
  const off = b.create(SubTensor, { self, other: center }).result;
  const sum = b.create(SumDimIntList, { self: b.create(MulTensor, { self: off, other: off }).result }, over).result;
  const count = dimProduct(axes.map((i) => self.type.shape[i]!));
  if (typeof count === 'number')
    return { mean: center, variance: b.create(DivScalar, { self: sum }, { other: floatScalar(Math.max(0, count - correction)) }).result };
  const size = b.create(ScalarTensorSym, {}, { s: count, dtype: self.type.dtype }).result;
  const divisor = b.create(
    ClampMin,
    { self: b.create(SubScalar, { self: size }, { other: floatScalar(correction) }).result },
    { min: intScalar(0) },
  ).result;
  return { mean: center, variance: b.create(DivTensor, { self: sum, other: divisor }).result };
}

/** An op whose results are statistics of the elements along axes. */
const statistics = <const F extends Form>(name: string, form: F, summary: string, list: readonly Statistic[]) =>
  defineOp({
    name: form === 'default' ? `aten.${name}` : `aten.${name}.${form}`,
    summary,
    operands: { self: tensor() },
    attrs: forms[form],
    infer: ({ operands: { self }, attrs, fail }) => {
      const { axes, keepdim } = reductionOf(attrs as ReductionAttrs, self.shape.length, fail);
      return list.map(() => tensorType(checkFloat(self.dtype, fail), reducedShape(self.shape, axes, keepdim)));
    },
    reference: ({ operands: { self }, attrs, results, fail }) => {
      const { axes } = reductionOf(attrs as ReductionAttrs, self.shape.length, fail);
      const correction = correctionOf(attrs as Correction);
      return list.map((name, i) => reduceNumbers(results[i]!, self, axes, (xs) => statistic[name](xs, correction)));
    },
    decompose: ({ operands: { self }, attrs, results, builder: b }) => {
      const { axes } = reductionOf(attrs as ReductionAttrs, self.type.shape.length, checked);
      // 16-bit floats would lose too much between the steps.
      const narrow = dtypeInfo(self.type.dtype).bits === 16;
      const values = varianceOf(
        narrow ? b.create(ToCopy, { self }, { dtype: 'f32' }).result : self,
        axes,
        correctionOf(attrs as Correction),
        b,
      );
      const valueOf = (name: Statistic): Value => (name === 'deviation' ? b.create(Sqrt, { self: values.variance }).result : values[name]);
      return list.map((name, i) => {
        const shaped = b.create(View, { self: valueOf(name) }, { size: results[i]!.shape }).result;
        return narrow ? b.create(ToCopy, { self: shaped }, { dtype: self.type.dtype }).result : shaped;
      });
    },
  });

/** The variance of all elements, `Σ (x - mean)² / (n - 1)`, or `/ n` when not unbiased. Floats only, as all ops of this file. */
export const Var = statistics('var', 'default', 'variance of all elements', ['variance']);
/** {@link Var} along the axes `dim`; none or an empty list means all. */
export const VarDim = statistics('var', 'dim', 'variances along axes', ['variance']);
/** {@link VarDim} with `n - correction` as divisor, 1 by default. */
export const VarCorrection = statistics('var', 'correction', 'variances along axes', ['variance']);
/** The square root of {@link Var}. */
export const Std = statistics('std', 'default', 'standard deviation of all elements', ['deviation']);
/** The square root of {@link VarDim}. */
export const StdDim = statistics('std', 'dim', 'standard deviations along axes', ['deviation']);
/** The square root of {@link VarCorrection}. */
export const StdCorrection = statistics('std', 'correction', 'standard deviations along axes', ['deviation']);
/** {@link Var} and the mean. */
export const VarMean = statistics('var_mean', 'default', 'variance and mean of all elements', ['variance', 'mean']);
/** {@link VarDim} and the means. */
export const VarMeanDim = statistics('var_mean', 'dim', 'variances and means along axes', ['variance', 'mean']);
/** {@link VarCorrection} and the means. */
export const VarMeanCorrection = statistics('var_mean', 'correction', 'variances and means along axes', ['variance', 'mean']);
/** {@link Std} and the mean. */
export const StdMean = statistics('std_mean', 'default', 'standard deviation and mean of all elements', ['deviation', 'mean']);
/** {@link StdDim} and the means. */
export const StdMeanDim = statistics('std_mean', 'dim', 'standard deviations and means along axes', ['deviation', 'mean']);
/** {@link StdCorrection} and the means. */
export const StdMeanCorrection = statistics('std_mean', 'correction', 'standard deviations and means along axes', ['deviation', 'mean']);
