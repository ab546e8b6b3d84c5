import { attr, dimProduct, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { wrapAxis } from '../shapes.js';
import { inferSize, reshaping, View } from './support/reshaping.js';

export { View };

/** `self` with shape `shape`, one of whose dims may be -1. */
export const Reshape = reshaping({
  name: 'aten.reshape',
  summary: 'the same elements under another shape',
  attrs: { shape: attr.dims() },
  shape: ({ shape, attrs, env, fail }) => inferSize(shape, attrs.shape, env, fail),
});

const size = { size: attr.dims() };

/** {@link View} of a tensor that nothing else reads. */
export const UnsafeView = reshaping({
  name: 'aten._unsafe_view',
  summary: 'the same elements under another shape',
  attrs: size,
  shape: (c) => inferSize(c.shape, c.attrs.size, c.env, c.fail),
});

/** {@link View} into memory of its own, as Core ATen states it. */
export const ViewCopy = reshaping({
  name: 'aten.view_copy',
  summary: 'the same elements under another shape',
  attrs: size,
  shape: (c) => inferSize(c.shape, c.attrs.size, c.env, c.fail),
});

const likeOther = (name: 'aten.view_as' | 'aten.reshape_as') =>
  defineOp({
    name,
    summary: 'the elements of self under the shape of other',
    operands: { self: tensor(), other: tensor() },
    infer: ({ operands: { self, other }, env, fail }) => [tensorType(self.dtype, inferSize(self.shape, other.shape, env, fail))],
    reference: ({ operands: { self }, results }) => [{ dtype: self.dtype, shape: results[0]!.shape, data: self.data }],
    decompose: ({ operands: { self }, results, builder }) => builder.create(View, { self }, { size: results[0]!.shape }).results,
  });

/** `self` with the shape of `other`, whose elements are not read. */
export const ViewAs = likeOther('aten.view_as');

/** `self` with the shape of `other`, whose elements are not read. */
export const ReshapeAs = likeOther('aten.reshape_as');

/** Axes `start_dim` to `end_dim` (inclusive) joined into one; a 0-d tensor becomes `[1]`. */
export const FlattenUsingInts = reshaping({
  name: 'aten.flatten.using_ints',
  summary: 'neighbouring axes joined into one',
  attrs: { start_dim: attr.optional(attr.int(), 0), end_dim: attr.optional(attr.int(), -1) },
  shape: ({ shape, attrs, fail }) => {
    const start = wrapAxis(attrs.start_dim, shape.length, fail);
    const end = wrapAxis(attrs.end_dim, shape.length, fail);
    if (start > end) fail(`start_dim ${attrs.start_dim} lies after end_dim ${attrs.end_dim}`);
    return [...shape.slice(0, start), dimProduct(shape.slice(start, end + 1)), ...shape.slice(end + 1)];
  },
});

/** Axis `dim` split into `sizes`, one of which may be -1. */
export const UnflattenInt = reshaping({
  name: 'aten.unflatten.int',
  summary: 'one axis split into several',
  attrs: { dim: attr.int(), sizes: attr.dims() },
  shape: ({ shape, attrs, env, fail }) => {
    if (shape.length === 0) return fail('self is a 0-d tensor, which has no axis to split');
    const axis = wrapAxis(attrs.dim, shape.length, fail);
    if (attrs.sizes.length === 0) return fail('sizes is [], expected at least one size');
    return shape.toSpliced(axis, 1, ...inferSize([shape[axis]!], attrs.sizes, env, fail));
  },
});

/** All elements along one axis. */
export const Ravel = reshaping({ name: 'aten.ravel', summary: 'all axes joined into one', shape: ({ shape }) => [dimProduct(shape)] });

/** At least one axis: `[]` becomes `[1]`. */
export const Atleast1d = reshaping({
  name: 'aten.atleast_1d',
  summary: 'at least one axis',
  shape: ({ shape }) => (shape.length === 0 ? [1] : shape),
});

/** At least two axes: `[N]` becomes `[1, N]`. */
export const Atleast2d = reshaping({
  name: 'aten.atleast_2d',
  summary: 'at least two axes',
  shape: ({ shape }) => [...new Array<number>(Math.max(0, 2 - shape.length)).fill(1), ...shape],
});

/** At least three axes: `[N]` becomes `[1, N, 1]`, `[M, N]` becomes `[M, N, 1]`. */
export const Atleast3d = reshaping({
  name: 'aten.atleast_3d',
  summary: 'at least three axes',
  shape: ({ shape }) => (shape.length >= 3 ? shape : shape.length === 2 ? [...shape, 1] : [1, ...(shape.length === 0 ? [1] : shape), 1]),
});
