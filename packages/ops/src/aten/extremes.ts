import { type DType, type HostTensor, hostTensor, storer, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { reducedShape } from '../shapes.js';
import { groupsOf, reduceTensor, type Reducer, reduction, reductionAttrs, reductionOf, refuseEmpty } from './support/reduce.js';
import type { ResultType } from './support/elementwise.js';

type Better = (a: number | bigint, b: number | bigint) => boolean;
const greater: Better = (a, b) => a > b;
const less: Better = (a, b) => a < b;

/** Position of the best of the elements, the first of equals; the first NaN when there is one. */
function bestOf(xs: ArrayLike<number | bigint>, better: Better): number {
  let best = 0;
  if (Number.isNaN(xs[0])) return 0;
  for (let i = 1; i < xs.length; i++) {
    if (Number.isNaN(xs[i])) return i;
    if (better(xs[i]!, xs[best]!)) best = i;
  }
  return best;
}

const best = (better: Better): Reducer => ({ float: (xs) => xs[bestOf(xs, better)]!, integer: (xs) => xs[bestOf(xs, better)]! });
const same = (self: DType): DType => self;
const nonEmpty = (): boolean => true;

const extremum = (name: string, better: Better, what: string) => ({
  one: reduction({ name: `aten.${name}`, summary: `${what} element`, attrs: {}, dtype: same, nonEmpty, reducer: () => best(better) }),
  along: reduction({
    name: `aten.a${name}`,
    summary: `${what} elements along axes`,
    attrs: reductionAttrs.dims,
    dtype: same,
    nonEmpty,
    reducer: () => best(better),
  }),
});

const max = extremum('max', greater, 'largest');
const min = extremum('min', less, 'smallest');

/** The largest element; `[]`. NaN when there is one. No elements are refused, as in all ops of this file. */
export const Max = max.one;
/** The smallest element; `[]`. NaN when there is one. */
export const Min = min.one;
/** {@link Max} along the axes `dim`; none or an empty list means all. */
export const Amax = max.along;
/** {@link Min} along the axes `dim`; none or an empty list means all. */
export const Amin = min.along;

/** Positions of the best elements along an axis, or in row-major order of all elements. */
function positions(result: ResultType, self: HostTensor, axes: readonly number[], better: Better): HostTensor {
  const { starts, steps } = groupsOf(self.shape, axes);
  const out = hostTensor(result.dtype, result.shape);
  const store = storer(result.dtype);
  starts.forEach((start, g) =>
    store(
      out.data,
      g,
      bestOf(
        Array.from(steps, (step) => self.data[start + step]!),
        better,
      ),
    ),
  );
  return out;
}

const valuesAndIndices = (name: string, better: Better, what: string) =>
  defineOp({
    name: `aten.${name}.dim`,
    summary: `${what} elements along an axis, and where they are`,
    operands: { self: tensor() },
    attrs: reductionAttrs.dim,
    infer: ({ operands: { self }, attrs, fail }) => {
      const { axes, keepdim } = reductionOf(attrs, self.shape.length, fail);
      refuseEmpty(self.shape, axes, fail);
      const shape = reducedShape(self.shape, axes, keepdim);
      return [tensorType(self.dtype, shape), tensorType('i64', shape)];
    },
    reference: ({ operands: { self }, attrs, results, fail }) => {
      const { axes } = reductionOf(attrs, self.shape.length, fail);
      refuseEmpty(self.shape, axes, fail);
      return [reduceTensor(best(better), results[0]!, self.dtype, self, axes), positions(results[1]!, self, axes, better)];
    },
  });

/** Results `values` and `indices` (i64): the largest element along axis `dim` and its first position; NaN wins. */
export const MaxDim = valuesAndIndices('max', greater, 'largest');
/** Results `values` and `indices` (i64): the smallest element along axis `dim` and its first position; NaN wins. */
export const MinDim = valuesAndIndices('min', less, 'smallest');

const argument = (name: string, better: Better, what: string) =>
  defineOp({
    name: `aten.${name}`,
    summary: `where the ${what} element is`,
    operands: { self: tensor() },
    attrs: reductionAttrs.maybeDim,
    infer: ({ operands: { self }, attrs, fail }) => {
      const { axes, keepdim } = reductionOf(attrs, self.shape.length, fail);
      if (self.dtype === 'bool') fail('self is bool, expected numbers');
      refuseEmpty(self.shape, axes, fail);
      return [tensorType('i64', reducedShape(self.shape, axes, keepdim))];
    },
    reference: ({ operands: { self }, attrs, results: [result], fail }) => {
      const { axes } = reductionOf(attrs, self.shape.length, fail);
      refuseEmpty(self.shape, axes, fail);
      return [positions(result!, self, axes, better)];
    },
  });

/** The first position of the largest element along axis `dim`, or in row-major order of all; i64. NaN wins. */
export const Argmax = argument('argmax', greater, 'largest');
/** The first position of the smallest element along axis `dim`, or in row-major order of all; i64. NaN wins. */
export const Argmin = argument('argmin', less, 'smallest');

/** Results `min` and `max` along axis `dim`, or of all elements; NaN wins. */
export const Aminmax = defineOp({
  name: 'aten.aminmax',
  summary: 'smallest and largest elements',
  operands: { self: tensor() },
  attrs: reductionAttrs.maybeDim,
  infer: ({ operands: { self }, attrs, fail }) => {
    const { axes, keepdim } = reductionOf(attrs, self.shape.length, fail);
    refuseEmpty(self.shape, axes, fail);
    const type = tensorType(self.dtype, reducedShape(self.shape, axes, keepdim));
    return [type, type];
  },
  reference: ({ operands: { self }, attrs, results, fail }) => {
    const { axes } = reductionOf(attrs, self.shape.length, fail);
    refuseEmpty(self.shape, axes, fail);
    return [best(less), best(greater)].map((reducer, i) => reduceTensor(reducer, results[i]!, self.dtype, self, axes));
  },
  decompose: ({ operands: { self }, attrs: { dim, keepdim }, builder }) => {
    const axes = { dim: dim === undefined ? [] : [dim], keepdim };
    return [builder.create(Amin, { self }, axes).result, builder.create(Amax, { self }, axes).result];
  },
});
