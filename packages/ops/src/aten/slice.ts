import { attr, dimAdd, dimText, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { stridesOf, wrapAxis } from '../shapes.js';
import { checkIndex } from './support/bounds.js';
import { checked } from './support/checked.js';
import { pickStrided } from './support/pick.js';
import { renamed } from './support/renamed.js';
import { slicedAxis, SliceTensor } from './support/slicing.js';

export { SliceTensor };

/** {@link SliceTensor} into memory of its own. */
export const SliceCopyTensor = renamed('aten.slice_copy.Tensor', SliceTensor);

/** Indices `start` to `start + length` of axis `dim`; `start` may count from the end. */
const narrowed = (name: string) =>
  defineOp({
    name,
    summary: 'length indices of an axis from start on',
    operands: { self: tensor() },
    attrs: { dim: attr.int(), start: attr.dim(), length: attr.dim() },
    infer: ({ operands: { self }, attrs: { dim, start, length }, env, fail }) => {
      const axis = slicedAxis(dim, self.shape.length, fail);
      const size = self.shape[axis]!;
      const from = env.lessEqual(start, -1) === 'yes' ? dimAdd(start, size) : start;
      if (env.lessEqual(0, length) === 'no' || env.lessEqual(0, from) === 'no' || env.lessEqual(dimAdd(from, length), size) === 'no')
        fail(`start ${dimText(start)} and length ${dimText(length)} do not lie within axis ${axis}, which has size ${dimText(size)}`);
      return [tensorType(self.dtype, self.shape.with(axis, length))];
    },
    decompose: ({ operands: { self }, attrs: { dim, start, length }, env, builder }) => {
      const size = self.type.shape[wrapAxis(dim, self.type.shape.length, checked)]!;
      const from = env.lessEqual(start, -1) === 'yes' ? dimAdd(start, size) : start;
      return builder.create(SliceTensor, { self }, { dim, start: from, end: dimAdd(from, length) }).results;
    },
  });

/** Indices `start` to `start + length` of axis `dim`. */
export const Narrow = narrowed('aten.narrow');

/** {@link Narrow} into memory of its own. */
export const NarrowCopy = narrowed('aten.narrow_copy');

/** `self[…, index, …]` along axis `dim`. */
export const SelectInt = defineOp({
  name: 'aten.select.int',
  summary: 'one index of an axis, which goes away',
  operands: { self: tensor() },
  attrs: { dim: attr.int(), index: attr.dim() },
  infer: ({ operands: { self }, attrs: { dim, index }, env, fail }) => {
    const axis = slicedAxis(dim, self.shape.length, fail);
    checkIndex(index, self.shape[axis]!, axis, env, fail);
    return [tensorType(self.dtype, self.shape.toSpliced(axis, 1))];
  },
  reference: ({ operands: { self }, attrs: { dim, index }, results, fail }) => {
    const axis = slicedAxis(dim, self.shape.length, fail);
    const size = self.shape[axis]!;
    if (index < -size || index >= size) return fail(`index ${index} is out of range for axis ${axis}, which has size ${size}`);
    const strides = stridesOf(self.shape);
    return [pickStrided(self, results[0]!.shape, strides.toSpliced(axis, 1), (index < 0 ? index + size : index) * strides[axis]!)];
  },
});

/** {@link SelectInt} into memory of its own. */
export const SelectCopyInt = renamed('aten.select_copy.int', SelectInt);

const unbound = (name: string) =>
  defineOp({
    name,
    summary: 'a result for each index of an axis',
    operands: { self: tensor() },
    attrs: { dim: attr.optional(attr.int(), 0) },
    infer: ({ operands: { self }, attrs, fail }) => {
      const axis = slicedAxis(attrs.dim, self.shape.length, fail);
      const size = self.shape[axis]!;
      if (typeof size !== 'number')
        return fail(`axis ${axis} has the symbolic size ${dimText(size)}, so the number of results is not known`);
      return Array.from({ length: size }, () => tensorType(self.dtype, self.shape.toSpliced(axis, 1)));
    },
    decompose: ({ operands: { self }, attrs, results, builder }) =>
      results.map((_, index) => builder.create(SelectInt, { self }, { dim: attrs.dim, index }).result),
  });

/** `self[…, i, …]` along axis `dim` for every `i`. */
export const UnbindInt = unbound('aten.unbind.int');

/** {@link UnbindInt} into memory of its own. */
export const UnbindCopyInt = unbound('aten.unbind_copy.int');
