import { attr, type AttrSpecs, type AttrsOf } from '@qfuse/ir';
import { exchange, move, orderOf, Permute, reordering } from './support/reordering.js';

export { Permute };

const pair = { dim0: attr.int(), dim1: attr.int() };
const moves = <A extends AttrSpecs>(
  name: string,
  attrs: A,
  lists: (attrs: AttrsOf<A>) => readonly [readonly number[], readonly number[]],
) =>
  reordering({
    name,
    summary: 'axes moved to other places, the rest in order',
    attrs,
    order: (given, rank, fail) => move(...lists(given), rank, fail),
  });

const exchanged = (name: string) =>
  reordering({
    name,
    summary: 'two axes exchanged',
    attrs: pair,
    order: (given, rank, fail) => exchange(given.dim0, given.dim1, rank, fail),
  });
const turned = (name: string) =>
  reordering({
    name,
    summary: 'the transpose of a matrix',
    order: (_, rank, fail) => (rank > 2 ? fail(`self has rank ${rank}, expected at most 2`) : exchange(0, -1, rank, fail)),
  });

const matrixTransposed = (name: string) =>
  reordering({
    name,
    summary: 'the last two axes exchanged',
    order: (_, rank, fail) =>
      rank === 1
        ? fail('self has rank 1, expected a matrix or a batch of matrices')
        : exchange(-2, -1, Math.max(rank, 2), fail).slice(0, rank),
  });

/** {@link Permute} into memory of its own. */
export const PermuteCopy = reordering({
  name: 'aten.permute_copy',
  summary: 'axes in another order',
  attrs: { dims: attr.ints() },
  order: ({ dims }, rank, fail) => orderOf(dims, rank, fail),
});

/** Axes `dim0` and `dim1` exchanged. */
export const TransposeInt = exchanged('aten.transpose.int');

/** {@link TransposeInt} into memory of its own. */
export const TransposeCopyInt = exchanged('aten.transpose_copy.int');

/** Axes `axis0` and `axis1` exchanged. */
export const Swapaxes = reordering({
  name: 'aten.swapaxes',
  summary: 'two axes exchanged',
  attrs: { axis0: attr.int(), axis1: attr.int() },
  order: (given, rank, fail) => exchange(given.axis0, given.axis1, rank, fail),
});

/** The transpose of a matrix; tensors of rank 0 and 1 stay as they are. */
export const T = turned('aten.t');

/** {@link T} into memory of its own. */
export const TCopy = turned('aten.t_copy');

/** All axes in reverse order. */
export const NumpyT = reordering({
  name: 'aten.numpy_T',
  summary: 'all axes in reverse order',
  order: (_, rank) => Array.from({ length: rank }, (_axis, i) => rank - 1 - i),
});

/** The last two axes exchanged; a 0-d tensor stays as it is. */
export const MT = matrixTransposed('aten.mT');

/** {@link MT} of the conjugate, which for real numbers is the same. */
export const Adjoint = matrixTransposed('aten.adjoint');

/** Axis `source` moved to `destination`. */
export const MovedimInt = moves('aten.movedim.int', { source: attr.int(), destination: attr.int() }, (given) => [
  [given.source],
  [given.destination],
]);

/** Axes `source[i]` moved to `destination[i]`. */
export const MovedimIntlist = moves('aten.movedim.intlist', { source: attr.ints(), destination: attr.ints() }, (given) => [
  given.source,
  given.destination,
]);
