import { attr, type Dim, dimAdd, dimMax, dimMin, dimSub, dimText, type HostTensor, type ShapeEnv, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Fail, stridesOf, wrapAxis } from '../shapes.js';
import { checkIndex } from './support/bounds.js';
import { checked } from './support/checked.js';
import { pickStrided } from './support/pick.js';
import { slicedAxis, SliceTensor, slicing } from './support/slicing.js';

export { SliceTensor };

/** {@link SliceTensor} into memory of its own. */
export const SliceCopyTensor = slicing('aten.slice_copy.Tensor');

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

const selected = (name: string) =>
  defineOp({
    name,
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

/** `self[…, index, …]` along axis `dim`. */
export const SelectInt = selected('aten.select.int');

/** {@link SelectInt} into memory of its own. */
export const SelectCopyInt = selected('aten.select_copy.int');

const unbound = (name: string) =>
  defineOp({
    name,
    summary: 'a result for each index of an axis',
    operands: { self: tensor() },
    attrs: { dim: attr.optional(attr.int(), 0) },
    infer: ({ operands: { self }, attrs, fail }) => {
      const axis = slicedAxis(attrs.dim, self.shape.length, fail);
      const size = self.shape[axis]!;
      if (typeof size !== 'number') return fail(`axis ${axis} has the symbolic size ${dimText(size)}, so the number of results is not known`);
      return Array.from({ length: size }, () => tensorType(self.dtype, self.shape.toSpliced(axis, 1)));
    },
    decompose: ({ operands: { self }, attrs, results, builder }) => results.map((_, index) => builder.create(SelectInt, { self }, { dim: attrs.dim, index }).result),
  });

/** `self[…, i, …]` along axis `dim` for every `i`. */
export const UnbindInt = unbound('aten.unbind.int');

/** {@link UnbindInt} into memory of its own. */
export const UnbindCopyInt = unbound('aten.unbind_copy.int');

interface DiagonalPlace {
  readonly offset: number;
  readonly dim1: number;
  readonly dim2: number;
}

/** Length of the diagonal `offset` of a matrix: above the main one when positive. */
const diagonalLength = (rows: Dim, columns: Dim, offset: number, env: ShapeEnv): Dim =>
  env.simplify(dimMax(dimMin(offset < 0 ? dimAdd(rows, offset) : rows, offset > 0 ? dimSub(columns, offset) : columns), 0));

function diagonalShape(shape: readonly Dim[], { offset, dim1, dim2 }: DiagonalPlace, env: ShapeEnv, fail: Fail): readonly Dim[] {
  const [a, b] = [slicedAxis(dim1, shape.length, fail), slicedAxis(dim2, shape.length, fail)];
  if (a === b) fail(`dim1 and dim2 are the same axis ${a}`);
  return [...shape.filter((_, i) => i !== a && i !== b), diagonalLength(shape[a]!, shape[b]!, offset, env)];
}

function readDiagonal(self: HostTensor, { offset, dim1, dim2 }: DiagonalPlace, shape: readonly number[], fail: Fail): HostTensor {
  const [a, b] = [wrapAxis(dim1, self.shape.length, fail), wrapAxis(dim2, self.shape.length, fail)];
  const strides = stridesOf(self.shape);
  const first = offset >= 0 ? offset * strides[b]! : -offset * strides[a]!;
  return pickStrided(self, shape, [...strides.filter((_, i) => i !== a && i !== b), strides[a]! + strides[b]!], first);
}

const diagonals = (name: string) =>
  defineOp({
    name,
    summary: 'a diagonal of two axes as the last axis',
    operands: { self: tensor() },
    attrs: { offset: attr.optional(attr.int(), 0), dim1: attr.optional(attr.int(), 0), dim2: attr.optional(attr.int(), 1) },
    infer: ({ operands: { self }, attrs, env, fail }) => [tensorType(self.dtype, diagonalShape(self.shape, attrs, env, fail))],
    reference: ({ operands: { self }, attrs, results, fail }) => [readDiagonal(self, attrs, results[0]!.shape, fail)],
  });

/** `out[…, i] = self[…, i, …, i + offset, …]` along axes `dim1` and `dim2` (`i - offset` in `dim1` when it is negative). */
export const Diagonal = diagonals('aten.diagonal');

/** {@link Diagonal} into memory of its own. */
export const DiagonalCopy = diagonals('aten.diagonal_copy');

/** {@link Diagonal} of `A` with the last two axes as defaults. */
export const LinalgDiagonal = defineOp({
  name: 'aten.linalg_diagonal',
  summary: 'a diagonal of two axes as the last axis',
  operands: { A: tensor() },
  attrs: { offset: attr.optional(attr.int(), 0), dim1: attr.optional(attr.int(), -2), dim2: attr.optional(attr.int(), -1) },
  infer: ({ operands: { A }, attrs, env, fail }) => [tensorType(A.dtype, diagonalShape(A.shape, attrs, env, fail))],
  decompose: ({ operands: { A }, attrs, builder }) => builder.create(Diagonal, { self: A }, attrs).results,
});
