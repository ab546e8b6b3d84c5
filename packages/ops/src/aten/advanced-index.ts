import { attr, countOf, ShapeEnv, tensor, tensorList, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { broadcastStrides, forEachOffset, shapeText } from '../shapes.js';
import { Accumulator } from './support/accumulator.js';
import { planIndex, readIndex } from './support/advanced-index.js';
import { pick } from './support/pick.js';
import { renamed } from './support/renamed.js';

/**
 * Advanced indexing `self[i0, i1, :, …]`. `indices` has an entry for each of the first axes, absent for a whole
 * axis; integer entries broadcast to a shape `B` and may be negative. The result has `B` in the place of the
 * indexed axes when they are neighbours, else in front.
 */
export const IndexTensor = defineOp({
  name: 'aten.index.Tensor',
  summary: 'elements at positions that index tensors give',
  operands: { self: tensor(), indices: tensorList() },
  infer: ({ operands: { self, indices }, env, fail }) => {
    const { shape } = planIndex(self, indices, env, fail);
    return shape === undefined
      ? fail('the size of the result depends on the elements of a mask; use where, masked_fill or index_put')
      : [tensorType(self.dtype, shape)];
  },
  reference: ({ operands: { self, indices }, fail }) => {
    const { shape, axes } = readIndex(self, indices, new ShapeEnv(), fail);
    return [pick(self, shape, axes)];
  },
});

/** {@link IndexTensor} whose indices are known to be in range. */
export const UnsafeIndexTensor = renamed('aten._unsafe_index.Tensor', IndexTensor);

/**
 * `self` with `self[indices] = values`, or `+=` with `accumulate`. Indices as in {@link IndexTensor}, and masks;
 * `values` broadcasts to the indexed shape. Of several writes to one element the last in row-major order stays.
 */
export const IndexPut = defineOp({
  name: 'aten.index_put',
  summary: 'self with elements at positions that index tensors give replaced or increased',
  operands: { self: tensor(), indices: tensorList(), values: tensor() },
  attrs: { accumulate: attr.optional(attr.bool(), false) },
  infer: ({ operands: { self, indices, values }, env, fail }) => {
    const { shape } = planIndex(self, indices, env, fail);
    if (values.dtype !== self.dtype) fail(`values is ${values.dtype}, expected ${self.dtype} as self`);
    const lead = (shape?.length ?? 0) - values.shape.length;
    // With masks the number of positions is known in a run only.
    const fits =
      shape === undefined ||
      (lead >= 0 && values.shape.every((d, i) => env.equal(d, 1) !== 'no' || env.equal(d, shape[i + lead]!) !== 'no'));
    if (!fits) fail(`values has shape ${shapeText(values.shape)}, which does not broadcast to the indexed shape ${shapeText(shape)}`);
    return [tensorType(self.dtype, self.shape)];
  },
  reference: ({ operands: { self, indices, values }, attrs, fail }) => {
    const { shape, axes } = readIndex(self, indices, new ShapeEnv(), fail);
    const lead = shape.length - values.shape.length;
    if (lead < 0 || values.shape.some((d, i) => d !== 1 && d !== shape[i + lead]))
      fail(`values has shape ${shapeText(values.shape)}, which does not broadcast to the indexed shape ${shapeText(shape)}`);
    const sums = new Accumulator(self, attrs.accumulate ? 'sum' : 'last');
    const write = sums.from(values);
    const read = broadcastStrides(values.shape, shape);
    const positions: number[] = [];
    forEachOffset(shape, [read], (_, [at]) => positions.push(at!));
    let next = 0;
    const visit = (axis: number, offset: number): void => {
      if (axis === axes.length) write(offset, positions[next++]!);
      else for (const o of axes[axis]!) visit(axis + 1, offset + o);
    };
    if (countOf(shape) > 0) visit(0, 0);
    return [sums.result()];
  },
});

/** {@link IndexPut} whose indices are known to be in range. */
export const UnsafeIndexPut = renamed('aten._unsafe_index_put', IndexPut);
