import { attr, type Dim, hostTensor, tensor, type TensorType, tensorType, type ShapeEnv, numel } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { broadcastShapes, broadcastStrides, type Fail, forEachOffset, shapeText, stridesOf, wrapAxis } from '../shapes.js';
import { atLeastVector, checkIndexType, checkWithin, forEachIndexed, isEmpty, position } from './support/along-axis.js';
import { axesOf, pick } from './support/pick.js';

/** `out[…, i, …] = self[…, index[…, i, …], …]` along `dim`; `index` has the rank of `self` and the shape of the result. */
export const Gather = defineOp({
  name: 'aten.gather',
  summary: 'elements along an axis at positions that an index of the same rank gives',
  operands: { self: tensor(), index: tensor() },
  attrs: { dim: attr.int(), sparse_grad: attr.optional(attr.bool(), false) },
  infer: ({ operands: { self, index }, attrs, env, fail }) => {
    const axis = wrapAxis(attrs.dim, self.shape.length, fail);
    if (!isEmpty(index.shape)) {
      checkIndexType(index, fail);
      checkWithin(index, self, 'self', axis, env, fail);
    }
    return [tensorType(self.dtype, index.shape)];
  },
  reference: ({ operands: { self, index }, attrs, fail }) => {
    const out = hostTensor(self.dtype, index.shape);
    forEachIndexed(self, attrs.dim, index, index.shape, fail, (at, from) => {
      out.data[at] = self.data[from]!;
    });
    return [out];
  },
});

/** `out[…, i, …] = self[…, index[i], …]` along `dim`; `index` is a vector or one number. */
export const IndexSelect = defineOp({
  name: 'aten.index_select',
  summary: 'whole indices of an axis',
  operands: { self: tensor(), index: tensor('i64', 'i32') },
  attrs: { dim: attr.int() },
  infer: ({ operands: { self, index }, attrs, env, fail }) => {
    const axis = wrapAxis(attrs.dim, self.shape.length, fail);
    if (index.shape.length > 1) fail(`index has shape ${shapeText(index.shape)}, expected a vector`);
    if (self.shape.length > 0) return [tensorType(self.dtype, self.shape.with(axis, numel(index)))];
    return env.equal(numel(index), 1) === 'no'
      ? fail(`index has shape ${shapeText(index.shape)}, expected one element for a 0-d self`)
      : [self];
  },
  reference: ({ operands: { self, index }, attrs, results, fail }) => {
    const shape = atLeastVector(self.shape) as readonly number[];
    const axis = wrapAxis(attrs.dim, self.shape.length, fail);
    const stride = stridesOf(shape)[axis]!;
    const offsets = Array.from(index.data as Int32Array, (at) => position(at, shape[axis]!, fail) * stride);
    return [pick(self, results[0]!.shape, axesOf(shape).with(axis, offsets))];
  },
});

/** Shape of `self` and `indices` broadcast to each other except along `axis`, where each keeps its own size. */
function alongShape(self: TensorType, indices: TensorType, axis: number, env: ShapeEnv, fail: Fail): readonly Dim[] {
  if (self.shape.length === 0) fail('self is a 0-d tensor, which has no axis');
  if (self.shape.length !== indices.shape.length)
    fail(`indices has shape ${shapeText(indices.shape)}, expected the rank of self ${shapeText(self.shape)}`);
  return broadcastShapes(env, [self.shape.with(axis, 1), indices.shape.with(axis, 1)], fail).with(axis, indices.shape[axis]!);
}

/**
 * {@link Gather} after `self` and `indices` were broadcast except along `dim`; positions are taken modulo the
 * size. Without `dim` over all elements in order, with no modulo.
 */
export const TakeAlongDim = defineOp({
  name: 'aten.take_along_dim',
  summary: 'elements along an axis at given positions, other axes broadcast',
  operands: { self: tensor(), indices: tensor('i64') },
  attrs: { dim: attr.optional(attr.int()) },
  infer: ({ operands: { self, indices }, attrs: { dim }, env, fail }) => [
    tensorType(
      self.dtype,
      dim === undefined ? [numel(indices)] : alongShape(self, indices, wrapAxis(dim, self.shape.length, fail), env, fail),
    ),
  ],
  reference: ({ operands: { self, indices }, attrs: { dim }, results, fail }) => {
    const out = hostTensor(self.dtype, results[0]!.shape);
    if (dim === undefined) {
      indices.data.forEach((at: number | bigint, i: number) => (out.data[i] = self.data[position(at, self.data.length, fail)]!));
      return [out];
    }
    const axis = wrapAxis(dim, self.shape.length, fail);
    const size = self.shape[axis]!;
    const stride = stridesOf(self.shape)[axis]!;
    const rest = broadcastStrides(self.shape, out.shape).with(axis, 0);
    if (size === 0 && out.data.length > 0) fail(`axis ${axis} has size 0`);
    forEachOffset(out.shape, [rest, broadcastStrides(indices.shape, out.shape)], (i, [from, at]) => {
      const wrapped = ((Number(indices.data[at!]!) % size) + size) % size;
      out.data[i] = self.data[from! + wrapped * stride]!;
    });
    return [out];
  },
});

/** `out[i] = self.ravel()[index[i]]`; negative positions count from the end. */
export const Take = defineOp({
  name: 'aten.take',
  summary: 'elements at positions in row-major order',
  operands: { self: tensor(), index: tensor('i64') },
  infer: ({ operands: { self, index } }) => [tensorType(self.dtype, index.shape)],
  reference: ({ operands: { self, index }, fail }) => {
    const out = hostTensor(self.dtype, index.shape);
    const count = self.data.length;
    index.data.forEach((given: number | bigint, i: number) => {
      const at = Number(given);
      out.data[i] = self.data[position(at < 0 ? at + count : at, count, fail)]!;
    });
    return [out];
  },
});
