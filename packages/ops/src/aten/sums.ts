import { attr, type Builder, type DType, dtypeInfo, intScalar, isFloat, type Value } from '@qfuse/ir';
import type { Fail } from '../shapes.js';
import { DivTensor } from './arithmetic.js';
import { Isnan } from './float-tests.js';
import { LogicalNot } from './logical.js';
import { type Reducer, reduction, reductionAttrs } from './support/reduce.js';
import { MaskedFillScalar } from './where.js';

const dtypeAttr = { dtype: attr.optional(attr.dtype()) };
const { dim, dims } = reductionAttrs;

/** Integers and bools are summed in i64. */
const accumulated = (self: DType, { dtype }: { readonly dtype: DType | undefined }): DType => dtype ?? (isFloat(self) ? self : 'i64');

/** Means are floats: of the operand, or of `dtype`. */
function averaged(self: DType, { dtype }: { readonly dtype: DType | undefined }, fail: Fail): DType {
  const result = dtype ?? self;
  return isFloat(result) ? result : fail(`${dtype === undefined ? 'self' : 'dtype'} is ${result}, expected a float dtype`);
}

const add = (xs: Float64Array): number => xs.reduce((a, b) => a + b, 0);
const sum: Reducer = { float: add, integer: (xs) => xs.reduce((a, b) => a + b, 0n) };
const product: Reducer = {
  float: (xs) => xs.reduce((a, b) => a * b, 1),
  integer: (xs) => xs.reduce((a, b) => BigInt.asIntN(64, a * b), 1n),
};
/** Elements are not rounded to a 16-bit result's dtype before they are averaged. */
const averagedIn = (_: DType, result: DType): DType => (isFloat(result) && dtypeInfo(result).bits === 16 ? 'f32' : result);

const mean: Reducer = { float: (xs) => add(xs) / xs.length };
const zeroForNaN = (self: Value, b: Builder): Value =>
  b.create(MaskedFillScalar, { self, mask: b.create(Isnan, { self }).result }, { value: intScalar(0) }).result;
const withoutNaN = (xs: Float64Array): Float64Array => xs.filter((x) => !Number.isNaN(x));
const nansum: Reducer = { ...sum, float: (xs) => add(withoutNaN(xs)) };
const nanmean: Reducer = { float: (xs) => add(withoutNaN(xs)) / withoutNaN(xs).length };

/** The sum of all elements; `[]`. Integers and bools give i64 unless `dtype` says otherwise, to which elements are cast first. */
export const Sum = reduction({
  name: 'aten.sum',
  summary: 'sum of all elements',
  attrs: dtypeAttr,
  dtype: accumulated,
  reducer: () => sum,
});
/** {@link Sum} over the axes `dim`; none or an empty list means all. */
export const SumDimIntList = reduction({
  name: 'aten.sum.dim_IntList',
  summary: 'sums along axes',
  attrs: { ...dims, ...dtypeAttr },
  dtype: accumulated,
  reducer: () => sum,
});

/** The mean of all elements; `[]`, NaN for none. Floats only, or with a float `dtype`. */
export const Mean = reduction({
  name: 'aten.mean',
  summary: 'mean of all elements',
  attrs: dtypeAttr,
  dtype: averaged,
  compute: averagedIn,
  reducer: () => mean,
});
/** {@link Mean} over the axes `dim`; none or an empty list means all. */
export const MeanDim = reduction({
  name: 'aten.mean.dim',
  summary: 'means along axes',
  attrs: { ...dims, ...dtypeAttr },
  dtype: averaged,
  compute: averagedIn,
  reducer: () => mean,
});

/** The product of all elements; `[]`, 1 for none. Dtypes as in {@link Sum}. */
export const Prod = reduction({
  name: 'aten.prod',
  summary: 'product of all elements',
  attrs: dtypeAttr,
  dtype: accumulated,
  reducer: () => product,
});
/** {@link Prod} over one axis. */
export const ProdDimInt = reduction({
  name: 'aten.prod.dim_int',
  summary: 'products along an axis',
  attrs: { ...dim, ...dtypeAttr },
  dtype: accumulated,
  reducer: () => product,
});

/** {@link SumDimIntList} with NaN as 0. */
export const Nansum = reduction({
  name: 'aten.nansum',
  summary: 'sums along axes, NaN left out',
  attrs: { ...dims, ...dtypeAttr },
  dtype: accumulated,
  reducer: () => nansum,
  decompose: ({ operands: { self }, attrs, builder }) => [builder.create(SumDimIntList, { self: zeroForNaN(self, builder) }, attrs).result],
});
/** {@link MeanDim} of the elements that are not NaN. */
export const Nanmean = reduction({
  name: 'aten.nanmean',
  summary: 'means along axes, NaN left out',
  attrs: { ...dims, ...dtypeAttr },
  dtype: (self, attrs, fail) => (isFloat(self) ? averaged(self, attrs, fail) : fail(`self is ${self}, expected a float dtype`)),
  reducer: () => nanmean,
  decompose: ({ operands: { self }, attrs: { dim, keepdim }, results: [result], builder: b }) => {
    const over = { dim, keepdim, dtype: result!.dtype };
    const there = b.create(LogicalNot, { self: b.create(Isnan, { self }).result }).result;
    return [
      b.create(DivTensor, {
        self: b.create(SumDimIntList, { self: zeroForNaN(self, b) }, over).result,
        other: b.create(SumDimIntList, { self: there }, over).result,
      }).result,
    ];
  },
});
