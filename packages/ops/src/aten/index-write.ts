import {
  attr,
  type Dim,
  type Elements,
  hostTensor,
  type HostTensor,
  isInteger,
  numel,
  type ShapeEnv,
  storer,
  tensor,
  type TensorType,
  tensorType,
} from '@qfuse/ir';
import { defineOp } from '../define.js';
import { broadcastShapes, broadcastStrides, type Fail, forEachOffset, shapeText, stridesOf, wrapAxis } from '../shapes.js';
import { Accumulator } from './support/accumulator.js';
import { atLeastVector, position } from './support/along-axis.js';
import { castTensor, checkScalar, scalarTensor } from './support/elementwise.js';

/** Refuses an index that is not a vector or one number. */
function checkVector(index: TensorType, fail: Fail): void {
  if (index.shape.length > 1) fail(`index has shape ${shapeText(index.shape)}, expected a vector`);
}

/** Refuses a `source` that is not of the shape of `self` with as many indices along `dim` as `index` has. */
function checkSource(
  self: TensorType,
  dim: number,
  index: TensorType,
  source: TensorType,
  env: ShapeEnv,
  fail: Fail,
): readonly TensorType[] {
  checkVector(index, fail);
  const axis = wrapAxis(dim, self.shape.length, fail);
  const wanted: readonly Dim[] = self.shape.length === 0 ? [] : self.shape.with(axis, numel(index));
  const scalar =
    self.shape.length === 0 && source.shape.length <= 1 && env.equal(numel(source), 1) !== 'no' && env.equal(numel(index), 1) !== 'no';
  const fits = source.shape.length === wanted.length && source.shape.every((d, i) => env.equal(d, wanted[i]!) !== 'no');
  if (!fits && !scalar) fail(`source has shape ${shapeText(source.shape)}, expected ${shapeText(wanted)}`);
  if (source.dtype !== self.dtype) fail(`source is ${source.dtype}, expected ${self.dtype} as self`);
  return [tensorType(self.dtype, self.shape)];
}

/** Calls `visit` with the offset in `self` of each element of a tensor that lies at `index` along `dim`. */
function forEachSelected(
  self: HostTensor,
  dim: number,
  index: readonly number[],
  visit: (at: number, from: number) => void,
  fail: Fail,
): void {
  const shape = atLeastVector(self.shape) as readonly number[];
  const axis = wrapAxis(dim, self.shape.length, fail);
  const strides = stridesOf(shape);
  const source = shape.with(axis, index.length);
  const own = stridesOf(source);
  forEachOffset(source, [strides.with(axis, 0)], (from, [rest]) => {
    const i = Math.floor(from / own[axis]!) % index.length;
    visit(rest! + position(index[i]!, shape[axis]!, fail) * strides[axis]!, from);
  });
}

const numbers = (index: HostTensor): number[] => Array.from(index.data as Int32Array, Number);

/** `self` with `out[…, index[i], …] += alpha · source[…, i, …]` along `dim`. */
export const IndexAdd = defineOp({
  name: 'aten.index_add',
  summary: 'self with slices of source added at given indices of an axis',
  operands: { self: tensor(), index: tensor('i64', 'i32'), source: tensor() },
  attrs: { dim: attr.int(), alpha: attr.optional(attr.scalar(), { kind: 'int', value: 1 }) },
  infer: ({ operands: { self, index, source }, attrs, env, fail }) => checkSource(self, attrs.dim, index, source, env, fail),
  reference: ({ operands: { self, index, source }, attrs: { dim, alpha }, fail }) => {
    const sums = new Accumulator(self, 'sum');
    const scaled = hostTensor(source.dtype, source.shape);
    const store = storer(source.dtype);
    const factor = isInteger(self.dtype) ? BigInt(alpha.kind === 'float' ? Math.trunc(alpha.value) : alpha.value) : Number(alpha.value);
    source.data.forEach((v: number | bigint, i: number) =>
      store(scaled.data, i, typeof factor === 'bigint' ? BigInt(v) * factor : Number(v) * factor),
    );
    forEachSelected(self, dim, numbers(index), sums.from(scaled), fail);
    return [sums.result()];
  },
});

/** `self` with `out[…, index[i], …] = source[…, i, …]` along `dim`; of several writes the last stays. */
export const IndexCopy = defineOp({
  name: 'aten.index_copy',
  summary: 'self with slices of source at given indices of an axis',
  operands: { self: tensor(), index: tensor('i64'), source: tensor() },
  attrs: { dim: attr.int() },
  infer: ({ operands: { self, index, source }, attrs, env, fail }) => checkSource(self, attrs.dim, index, source, env, fail),
  reference: ({ operands: { self, index, source }, attrs, fail }) => {
    const out = new Accumulator(self, 'last');
    forEachSelected(self, attrs.dim, numbers(index), out.from(source), fail);
    return [out.result()];
  },
});

/** `self` with one number at the indices `index`, which may be negative, of axis `dim`. */
function fillAt(self: HostTensor, dim: number, index: HostTensor, value: HostTensor, fail: Fail): HostTensor {
  const size = atLeastVector(self.shape)[wrapAxis(dim, self.shape.length, fail)]!;
  const out = hostTensor(self.dtype, self.shape, self.data.slice() as Elements);
  forEachSelected(
    self,
    dim,
    numbers(index).map((at) => (at < 0 ? at + size : at)),
    (at) => void (out.data[at] = value.data[0]!),
    fail,
  );
  return out;
}

/** `self` with the number `value` at the indices `index` of axis `dim`. */
export const IndexFillIntScalar = defineOp({
  name: 'aten.index_fill.int_Scalar',
  summary: 'self with a number at given indices of an axis',
  operands: { self: tensor(), index: tensor('i64') },
  attrs: { dim: attr.int(), value: attr.scalar() },
  infer: ({ operands: { self, index }, attrs, fail }) => {
    checkVector(index, fail);
    wrapAxis(attrs.dim, self.shape.length, fail);
    checkScalar('value', attrs.value, self.dtype, fail);
    return [self];
  },
  reference: ({ operands: { self, index }, attrs, fail }) => [fillAt(self, attrs.dim, index, scalarTensor(attrs.value, self.dtype), fail)],
});

/** `self` with the 0-d tensor `value` at the indices `index` of axis `dim`. */
export const IndexFillIntTensor = defineOp({
  name: 'aten.index_fill.int_Tensor',
  summary: 'self with a 0-d tensor at given indices of an axis',
  operands: { self: tensor(), index: tensor('i64'), value: tensor() },
  attrs: { dim: attr.int() },
  infer: ({ operands: { self, index, value }, attrs, fail }) => {
    checkVector(index, fail);
    wrapAxis(attrs.dim, self.shape.length, fail);
    return value.shape.length > 0 ? fail(`value has shape ${shapeText(value.shape)}, expected []`) : [self];
  },
  reference: ({ operands: { self, index, value }, attrs, fail }) => [fillAt(self, attrs.dim, index, castTensor(value, self.dtype), fail)],
});

/** `self` with `out.ravel()[index[i]] = source.ravel()[i]`, or `+=` with `accumulate`; negative positions count from the end. */
export const Put = defineOp({
  name: 'aten.put',
  summary: 'self with elements at positions in row-major order replaced or increased',
  operands: { self: tensor(), index: tensor('i64'), source: tensor() },
  attrs: { accumulate: attr.optional(attr.bool(), false) },
  infer: ({ operands: { self, index, source }, env, fail }) => {
    if (env.equal(numel(index), numel(source)) === 'no')
      fail(`source has shape ${shapeText(source.shape)}, expected as many elements as index ${shapeText(index.shape)}`);
    return source.dtype === self.dtype ? [self] : fail(`source is ${source.dtype}, expected ${self.dtype} as self`);
  },
  reference: ({ operands: { self, index, source }, attrs, fail }) => {
    const out = new Accumulator(self, attrs.accumulate ? 'sum' : 'last');
    const write = out.from(source);
    const count = self.data.length;
    numbers(index).forEach((at, i) => write(position(at < 0 ? at + count : at, count, fail), i));
    return [out.result()];
  },
});

/** `self`, broadcast with `mask`, with its elements where `mask` is true replaced by those of `source` in order. */
export const MaskedScatter = defineOp({
  name: 'aten.masked_scatter',
  summary: 'the true places of a mask filled from source in order',
  operands: { self: tensor(), mask: tensor('bool'), source: tensor() },
  infer: ({ operands: { self, mask, source }, env, fail }) =>
    source.dtype === self.dtype
      ? [tensorType(self.dtype, broadcastShapes(env, [self.shape, mask.shape], fail))]
      : fail(`source is ${source.dtype}, expected ${self.dtype} as self`),
  reference: ({ operands: { self, mask, source }, results, fail }) => {
    const { shape } = results[0]!;
    const out = hostTensor(self.dtype, shape);
    let next = 0;
    forEachOffset(shape, [broadcastStrides(self.shape, shape), broadcastStrides(mask.shape, shape)], (position_, [own, masked]) => {
      const set = Number(mask.data[masked!]) !== 0;
      if (set && next >= source.data.length) fail(`source has ${source.data.length} elements, the mask has more true ones`);
      out.data[position_] = set ? source.data[next++]! : self.data[own!]!;
    });
    return [out];
  },
});
