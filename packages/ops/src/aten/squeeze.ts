import { attr, type Dim } from '@qfuse/ir';
import { type Fail, wrapAxis } from '../shapes.js';
import { reshaping, type ShapeContext } from './support/reshaping.js';

/** `shape` without those of `axes` that have size 1. A symbolic dim that is not known to be 1 stays, as in torch. */
const without = ({ shape, env }: ShapeContext<unknown>, axes: readonly number[]): readonly Dim[] =>
  shape.filter((d, i) => !(axes.includes(i) && env.equal(d, 1) === 'yes'));

const squeezeAll = (name: string) =>
  reshaping({ name, summary: 'all axes of size 1 removed', shape: (c) => without(c, [...c.shape.keys()]) });

const squeezeDim = (name: string) =>
  reshaping({
    name,
    summary: 'one axis removed if its size is 1',
    attrs: { dim: attr.int() },
    shape: (c) => without(c, [wrapAxis(c.attrs.dim, c.shape.length, c.fail)]),
  });

const squeezeDims = (name: string) =>
  reshaping({
    name,
    summary: 'those of the axes removed whose size is 1',
    attrs: { dim: attr.ints() },
    shape: (c) => {
      const axes = c.attrs.dim.map((d) => wrapAxis(d, c.shape.length, c.fail));
      if (new Set(axes).size < axes.length) c.fail(`dim [${c.attrs.dim.join(', ')}] repeats one`);
      return without(c, axes);
    },
  });

/** `shape` with a new axis of size 1 at `dim`, in `[-rank - 1, rank]`. */
const withAxis = (shape: readonly Dim[], dim: number, fail: Fail): readonly Dim[] =>
  shape.toSpliced(wrapAxis(dim, shape.length + 1, fail), 0, 1);

const unsqueezed = (name: string) =>
  reshaping({
    name,
    summary: 'a new axis of size 1',
    attrs: { dim: attr.int() },
    shape: ({ shape, attrs, fail }) => withAxis(shape, attrs.dim, fail),
  });

/** All axes of size 1 removed. */
export const Squeeze = squeezeAll('aten.squeeze');

/** Axis `dim` removed if its size is 1. */
export const SqueezeDim = squeezeDim('aten.squeeze.dim');

/** Those of the axes `dim` removed whose size is 1. */
export const SqueezeDims = squeezeDims('aten.squeeze.dims');

/** A new axis of size 1 before axis `dim`. */
export const Unsqueeze = unsqueezed('aten.unsqueeze');

/** {@link Squeeze} into memory of its own. */
export const SqueezeCopy = squeezeAll('aten.squeeze_copy');

/** {@link SqueezeDim} into memory of its own. */
export const SqueezeCopyDim = squeezeDim('aten.squeeze_copy.dim');

/** {@link SqueezeDims} into memory of its own. */
export const SqueezeCopyDims = squeezeDims('aten.squeeze_copy.dims');

/** {@link Unsqueeze} into memory of its own. */
export const UnsqueezeCopy = unsqueezed('aten.unsqueeze_copy');
