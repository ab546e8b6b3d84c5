import { attr, type Builder, type DType, intScalar, tensor, tensorType, type Value } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { reducedShape, wrapAxes } from '../shapes.js';
import { NeScalar } from './comparison.js';
import { SumDimIntList } from './sums.js';
import { reduceTensor, type Reducer, reduction, reductionAttrs } from './support/reduce.js';

const { dim } = reductionAttrs;

const nonzero: Reducer = {
  float: (xs) => xs.reduce((n, x) => n + (x === 0 ? 0 : 1), 0),
  integer: (xs) => xs.reduce((n, x) => n + (x === 0n ? 0 : 1), 0),
};
const countNonzero = (self: Value, axes: readonly number[], b: Builder): Value =>
  b.create(SumDimIntList, { self: b.create(NeScalar, { self }, { other: intScalar(0) }).result }, { dim: axes }).result;
const counts = { dtype: (): DType => 'i64', compute: (self: DType): DType => self, reducer: (): Reducer => nonzero };

/** How many elements are not 0 (NaN is not), along one axis or in all; i64. */
export const CountNonzero = reduction({
  name: 'aten.count_nonzero',
  summary: 'counts elements that are not 0',
  attrs: { dim: reductionAttrs.maybeDim.dim },
  ...counts,
  decompose: ({ operands: { self }, attrs: { dim: axis }, builder }) => [countNonzero(self, axis === undefined ? [] : [axis], builder)],
});
/** {@link CountNonzero} over the axes `dim`; an empty list means all. */
export const CountNonzeroDimIntList = reduction({
  name: 'aten.count_nonzero.dim_IntList',
  summary: 'counts elements that are not 0 along axes',
  attrs: { dim: attr.ints() },
  ...counts,
  decompose: ({ operands: { self }, attrs: { dim: axes }, builder }) => [countNonzero(self, axes, builder)],
});

/** The answers keep u8, as torch has it from before there were bools. */
const answer = (self: DType): DType => (self === 'u8' ? 'u8' : 'bool');
const any: Reducer = { float: (xs) => xs.some((x) => x !== 0), integer: (xs) => xs.some((x) => x !== 0n) };
const all: Reducer = { float: (xs) => xs.every((x) => x !== 0), integer: (xs) => xs.every((x) => x !== 0n) };
const questions = { dtype: answer, compute: (self: DType): DType => self };

/** Whether an element is not 0; `[]`, false for none. Bool, u8 for u8. */
export const Any = reduction({ name: 'aten.any', summary: 'whether an element is not 0', attrs: {}, ...questions, reducer: () => any });
/** {@link Any} over one axis. */
export const AnyDim = reduction({
  name: 'aten.any.dim',
  summary: 'whether an element along an axis is not 0',
  attrs: dim,
  ...questions,
  reducer: () => any,
});
/** Whether all elements are not 0; `[]`, true for none. Bool, u8 for u8. */
export const All = reduction({ name: 'aten.all', summary: 'whether no element is 0', attrs: {}, ...questions, reducer: () => all });
/** {@link All} over one axis. */
export const AllDim = reduction({
  name: 'aten.all.dim',
  summary: 'whether no element along an axis is 0',
  attrs: dim,
  ...questions,
  reducer: () => all,
});

const several = (name: string, summary: string, reducer: Reducer) =>
  defineOp({
    name,
    summary,
    operands: { self: tensor() },
    attrs: reductionAttrs.dims,
    infer: ({ operands: { self }, attrs, fail }) => [
      tensorType(answer(self.dtype), reducedShape(self.shape, axesOf(attrs.dim, self.shape.length, fail), attrs.keepdim)),
    ],
    reference: ({ operands: { self }, attrs, results: [result], fail }) => [
      reduceTensor(reducer, result!, self.dtype, self, axesOf(attrs.dim, self.shape.length, fail)),
    ],
  });

/** Other than in sums, an empty list means no axis: each element is asked by itself. */
const axesOf = (axes: readonly number[] | undefined, rank: number, fail: (why: string) => never): readonly number[] =>
  axes?.length === 0 ? [] : wrapAxes(axes, rank, fail);

/** {@link Any} over the axes `dim`: absent means all, an empty list none. */
export const AnyDims = several('aten.any.dims', 'whether an element along axes is not 0', any);
/** {@link All} over the axes `dim`: absent means all, an empty list none. */
export const AllDims = several('aten.all.dims', 'whether no element along axes is 0', all);
