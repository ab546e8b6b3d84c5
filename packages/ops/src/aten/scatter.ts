import { attr, type HostTensor, type Scalar, type ShapeEnv, tensor, type TensorType, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Fail, wrapAxis } from '../shapes.js';
import { Accumulator, type Joining } from './support/accumulator.js';
import { checkIndexType, checkWithin, forEachIndexed, isEmpty } from './support/along-axis.js';
import { checkScalar, scalarTensor } from './support/elementwise.js';

/** Checks a scatter of `src`, if any, to the places `index` along `dim`; the result has the type of `self`. */
function scatterType(
  self: TensorType,
  dim: number,
  index: TensorType,
  src: TensorType | undefined,
  env: ShapeEnv,
  fail: Fail,
): readonly TensorType[] {
  const axis = wrapAxis(dim, self.shape.length, fail);
  if (!isEmpty(index.shape)) {
    checkIndexType(index, fail);
    checkWithin(index, self, 'self', axis, env, fail);
    if (src !== undefined) checkWithin(index, src, 'src', undefined, env, fail);
  }
  if (src !== undefined && src.dtype !== self.dtype) fail(`src is ${src.dtype}, expected ${self.dtype} as self`);
  return [tensorType(self.dtype, self.shape)];
}

/** Joins the elements of `src` with the elements of `self` that `index` says. */
function scatter(
  self: HostTensor,
  dim: number,
  index: HostTensor,
  src: HostTensor,
  joining: Joining,
  includeSelf: boolean,
  fail: Fail,
): HostTensor {
  const out = new Accumulator(self, joining, includeSelf);
  const write = out.from(src);
  forEachIndexed(self, dim, index, src.shape, fail, (_, at, from) => write(at, from));
  return out.result();
}

/** Joins one number with the elements of `self` that `index` says. */
function scatterValue(self: HostTensor, dim: number, index: HostTensor, value: Scalar, joining: Joining, fail: Fail): HostTensor {
  const out = new Accumulator(self, joining);
  const write = out.from(scalarTensor(value, self.dtype));
  forEachIndexed(self, dim, index, index.shape, fail, (_, at) => write(at, 0));
  return out.result();
}

const sources = { self: tensor(), index: tensor(), src: tensor() };
const places = { self: tensor(), index: tensor() };
const dim = { dim: attr.int() };
const legacy = { reduce: attr.oneOf('add', 'multiply') };
const legacyJoining = (reduce: 'add' | 'multiply'): Joining => (reduce === 'add' ? 'sum' : 'prod');

/** `self` with `out[…, index[…, i, …], …] = src[…, i, …]` along `dim`; of several writes to one element the last stays. */
export const ScatterSrc = defineOp({
  name: 'aten.scatter.src',
  summary: 'self with elements of src at given positions of an axis',
  operands: sources,
  attrs: dim,
  infer: ({ operands: { self, index, src }, attrs, env, fail }) => scatterType(self, attrs.dim, index, src, env, fail),
  reference: ({ operands: { self, index, src }, attrs, fail }) => [scatter(self, attrs.dim, index, src, 'last', true, fail)],
});

/** {@link ScatterSrc} of one number. */
export const ScatterValue = defineOp({
  name: 'aten.scatter.value',
  summary: 'self with a number at given positions of an axis',
  operands: places,
  attrs: { ...dim, value: attr.scalar() },
  infer: ({ operands: { self, index }, attrs, env, fail }) => {
    checkScalar('value', attrs.value, self.dtype, fail);
    return scatterType(self, attrs.dim, index, undefined, env, fail);
  },
  reference: ({ operands: { self, index }, attrs, fail }) => [scatterValue(self, attrs.dim, index, attrs.value, 'last', fail)],
});

/** {@link ScatterSrc} that adds to or multiplies the elements that are there. */
export const ScatterReduce = defineOp({
  name: 'aten.scatter.reduce',
  summary: 'self with elements of src added or multiplied at given positions of an axis',
  operands: sources,
  attrs: { ...dim, ...legacy },
  infer: ({ operands: { self, index, src }, attrs, env, fail }) => scatterType(self, attrs.dim, index, src, env, fail),
  reference: ({ operands: { self, index, src }, attrs, fail }) => [
    scatter(self, attrs.dim, index, src, legacyJoining(attrs.reduce), true, fail),
  ],
});

/** {@link ScatterReduce} of one number. */
export const ScatterValueReduce = defineOp({
  name: 'aten.scatter.value_reduce',
  summary: 'self with a number added or multiplied at given positions of an axis',
  operands: places,
  attrs: { ...dim, value: attr.scalar(), ...legacy },
  infer: ({ operands: { self, index }, attrs, env, fail }) => {
    checkScalar('value', attrs.value, self.dtype, fail);
    return scatterType(self, attrs.dim, index, undefined, env, fail);
  },
  reference: ({ operands: { self, index }, attrs, fail }) => [
    scatterValue(self, attrs.dim, index, attrs.value, legacyJoining(attrs.reduce), fail),
  ],
});

/** `self` with `out[…, index[…, i, …], …] += src[…, i, …]` along `dim`. */
export const ScatterAdd = defineOp({
  name: 'aten.scatter_add',
  summary: 'self with elements of src added at given positions of an axis',
  operands: sources,
  attrs: dim,
  infer: ({ operands: { self, index, src }, attrs, env, fail }) => scatterType(self, attrs.dim, index, src, env, fail),
  reference: ({ operands: { self, index, src }, attrs, fail }) => [scatter(self, attrs.dim, index, src, 'sum', true, fail)],
});

/**
 * Elements of `self` joined with those of `src` that `index` sends there, without the element of `self` itself
 * unless `include_self`. Elements that nothing is sent to stay. The mean of integers goes to the smaller integer.
 */
export const ScatterReduceTwo = defineOp({
  name: 'aten.scatter_reduce.two',
  summary: 'elements of src reduced at given positions of an axis of self',
  operands: sources,
  attrs: { ...dim, reduce: attr.oneOf('sum', 'prod', 'mean', 'amax', 'amin'), include_self: attr.optional(attr.bool(), true) },
  infer: ({ operands: { self, index, src }, attrs, env, fail }) => {
    if (attrs.reduce === 'mean' && self.dtype === 'bool') fail('self is bool, expected numbers for the mean');
    return scatterType(self, attrs.dim, index, src, env, fail);
  },
  reference: ({ operands: { self, index, src }, attrs, fail }) => [
    scatter(self, attrs.dim, index, src, attrs.reduce, attrs.include_self, fail),
  ],
});
