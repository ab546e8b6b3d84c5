import { attr, type DType, floatScalar, intScalar, isFloat, type Scalar, scalarNumber, type Value } from '@qfuse/ir';
import { promoteTypes } from '../promotion.js';
import type { Fail } from '../shapes.js';
import { MulTensor } from './arithmetic.js';
import { ToCopy } from './casts.js';
import { NeScalar } from './comparison.js';
import { Sqrt } from './exponential.js';
import { Amax, Amin } from './extremes.js';
import { PowTensorScalar } from './power.js';
import { Abs } from './signs.js';
import { SumDimIntList } from './sums.js';
import { type Reducer, reduction, reductionAttrs } from './support/reduce.js';

const { dims } = reductionAttrs;
const two = intScalar(2);
const dtypeAttr = { dtype: attr.optional(attr.dtype()) };

/** The `p`-norm of numbers: `(Σ |x|ᵖ)^(1/p)`; ∞ is the largest size, -∞ the smallest, 0 counts what is not 0. */
function vectorNorm(p: number): Reducer {
  const fold = (start: number, f: (a: number, size: number) => number) => (xs: Float64Array) =>
    xs.reduce((a, x) => f(a, Math.abs(x)), start);
  if (p === Number.POSITIVE_INFINITY) return { float: fold(0, Math.max) };
  if (p === Number.NEGATIVE_INFINITY) return { float: fold(Number.POSITIVE_INFINITY, Math.min) };
  if (p === 0) return { float: fold(0, (a, size) => a + (size === 0 ? 0 : 1)) };
  if (p === 1) return { float: fold(0, (a, size) => a + size) };
  if (p === 2) return { float: (xs) => Math.sqrt(fold(0, (a, size) => a + size * size)(xs)) };
  return { float: (xs) => fold(0, (a, size) => a + size ** p)(xs) ** (1 / p) };
}

/** Floats only; `dtype` must hold all values of self's. */
function normDType(self: DType, dtype: DType | undefined, fail: Fail): DType {
  if (!isFloat(self)) return fail(`self is ${self}, expected a float dtype`);
  if (dtype === undefined) return self;
  if (!isFloat(dtype) || promoteTypes(self, dtype) !== dtype)
    fail(`dtype is ${dtype}, expected a float dtype that holds all values of ${self}`);
  return dtype;
}

/** Norms without a value for no elements: of negative order and, as a maximum, ∞. */
const needsElements = (p: number): boolean => p < 0 || p === Number.POSITIVE_INFINITY;

/** `(Σ |x|ᵒʳᵈ)^(1/ord)` along the axes `dim` (all when absent or empty); ord ±∞ and 0 as limits. Floats only, cast to `dtype` before. */
export const LinalgVectorNorm = reduction({
  name: 'aten.linalg_vector_norm',
  summary: 'vector norms along axes',
  attrs: { ord: attr.optional(attr.scalar(), two), ...dims, ...dtypeAttr },
  dtype: (self, { dtype }, fail) => normDType(self, dtype, fail),
  nonEmpty: ({ ord }) => needsElements(scalarNumber(ord)),
  reducer: ({ ord }) => vectorNorm(scalarNumber(ord)),
  decompose: ({ operands: { self }, attrs: { ord, dim, keepdim }, results: [result], builder: b }) => {
    const p = scalarNumber(ord);
    const x = self.type.dtype === result!.dtype ? self : b.create(ToCopy, { self }, { dtype: result!.dtype }).result;
    const over = { dim, keepdim };
    const sum = (terms: Value): Value => b.create(SumDimIntList, { self: terms }, { ...over, dtype: result!.dtype }).result;
    if (p === 0) return [sum(b.create(NeScalar, { self: x }, { other: intScalar(0) }).result)];
    const sizes = b.create(Abs, { self: x }).result;
    if (!Number.isFinite(p)) return [b.create(p > 0 ? Amax : Amin, { self: sizes }, over).result];
    if (p === 1) return [sum(sizes)];
    if (p === 2) return [b.create(Sqrt, { self: sum(b.create(MulTensor, { self: x, other: x }).result) }).result];
    const powers = b.create(PowTensorScalar, { self: sizes }, { exponent: floatScalar(p) }).result;
    return [b.create(PowTensorScalar, { self: sum(powers) }, { exponent: floatScalar(1 / p) }).result];
  },
});

const orderOf = (p: Scalar | undefined): number => scalarNumber(p ?? two);
const nonEmpty = ({ p }: { readonly p: Scalar | undefined }): boolean => needsElements(orderOf(p));

/** {@link LinalgVectorNorm} of all elements with order `p`; `[]`. */
export const NormScalar = reduction({
  name: 'aten.norm.Scalar',
  summary: 'vector norm of all elements',
  attrs: { p: attr.optional(attr.scalar(), two) },
  dtype: (self, _, fail) => normDType(self, undefined, fail),
  nonEmpty,
  reducer: ({ p }) => vectorNorm(orderOf(p)),
  decompose: ({ operands: { self }, attrs: { p }, builder }) => [builder.create(LinalgVectorNorm, { self }, { ord: p }).result],
});

const ofOrder = { p: attr.optional(attr.scalar()) };

/** {@link LinalgVectorNorm} along the axes `dim` with order `p`, 2 by default. */
export const NormScalarOptDim = reduction({
  name: 'aten.norm.ScalarOpt_dim',
  summary: 'vector norms along axes',
  attrs: { ...ofOrder, dim: attr.ints(), keepdim: dims.keepdim },
  dtype: (self, _, fail) => normDType(self, undefined, fail),
  nonEmpty,
  reducer: ({ p }) => vectorNorm(orderOf(p)),
  decompose: ({ operands: { self }, attrs: { p, dim, keepdim }, builder }) => [
    builder.create(LinalgVectorNorm, { self }, { ord: p ?? two, dim, keepdim }).result,
  ],
});

/** {@link NormScalarOptDim} of elements cast to `dtype`. */
export const NormScalarOptDimDtype = reduction({
  name: 'aten.norm.ScalarOpt_dim_dtype',
  summary: 'vector norms along axes in another dtype',
  attrs: { ...ofOrder, dim: attr.ints(), keepdim: dims.keepdim, dtype: attr.dtype() },
  dtype: (self, { dtype }, fail) => normDType(self, dtype, fail),
  nonEmpty,
  reducer: ({ p }) => vectorNorm(orderOf(p)),
  decompose: ({ operands: { self }, attrs: { p, dim, keepdim, dtype }, builder }) => [
    builder.create(LinalgVectorNorm, { self }, { ord: p ?? two, dim, keepdim, dtype }).result,
  ],
});

/** {@link NormScalar} of elements cast to `dtype`. */
export const NormScalarOptDtype = reduction({
  name: 'aten.norm.ScalarOpt_dtype',
  summary: 'vector norm of all elements in another dtype',
  attrs: { ...ofOrder, dtype: attr.dtype() },
  dtype: (self, { dtype }, fail) => normDType(self, dtype, fail),
  nonEmpty,
  reducer: ({ p }) => vectorNorm(orderOf(p)),
  decompose: ({ operands: { self }, attrs: { p, dtype }, builder }) => [
    builder.create(LinalgVectorNorm, { self }, { ord: p ?? two, dtype }).result,
  ],
});

/** `√(Σ x²)` along the axes `dim`: {@link LinalgVectorNorm} of order 2. */
export const FrobeniusNormDim = reduction({
  name: 'aten.frobenius_norm.dim',
  summary: 'Euclidean norms along axes',
  attrs: { dim: attr.ints(), keepdim: dims.keepdim },
  dtype: (self, _, fail) => normDType(self, undefined, fail),
  reducer: () => vectorNorm(2),
  decompose: ({ operands: { self }, attrs: { dim, keepdim }, builder }) => [
    builder.create(LinalgVectorNorm, { self }, { ord: floatScalar(2), dim, keepdim }).result,
  ],
});
