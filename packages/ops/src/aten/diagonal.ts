import { attr, type Dim, dimAdd, dimMax, dimMin, dimSub, hostTensor, type HostTensor, type ShapeEnv, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Fail, forEachOffset, shapeText, stridesOf, wrapAxis } from '../shapes.js';
import { pickStrided } from './support/pick.js';
import { renamed } from './support/renamed.js';
import { slicedAxis } from './support/slicing.js';

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

/** `out[…, i] = self[…, i, …, i + offset, …]` along axes `dim1` and `dim2` (`i - offset` in `dim1` when it is negative). */
export const Diagonal = defineOp({
  name: 'aten.diagonal',
  summary: 'a diagonal of two axes as the last axis',
  operands: { self: tensor() },
  attrs: { offset: attr.optional(attr.int(), 0), dim1: attr.optional(attr.int(), 0), dim2: attr.optional(attr.int(), 1) },
  infer: ({ operands: { self }, attrs, env, fail }) => [tensorType(self.dtype, diagonalShape(self.shape, attrs, env, fail))],
  reference: ({ operands: { self }, attrs, results, fail }) => [readDiagonal(self, attrs, results[0]!.shape, fail)],
});

/** {@link Diagonal} into memory of its own. */
export const DiagonalCopy = renamed('aten.diagonal_copy', Diagonal);

/** {@link Diagonal} of `A` with the last two axes as defaults. */
export const LinalgDiagonal = defineOp({
  name: 'aten.linalg_diagonal',
  summary: 'a diagonal of two axes as the last axis',
  operands: { A: tensor() },
  attrs: { offset: attr.optional(attr.int(), 0), dim1: attr.optional(attr.int(), -2), dim2: attr.optional(attr.int(), -1) },
  infer: ({ operands: { A }, attrs, env, fail }) => [tensorType(A.dtype, diagonalShape(A.shape, attrs, env, fail))],
  decompose: ({ operands: { A }, attrs, builder }) => builder.create(Diagonal, { self: A }, attrs).results,
});

/** The two axes that {@link DiagEmbed} adds to a tensor of rank `rank`, in the result. */
function embeddedAxes({ dim1, dim2 }: DiagonalPlace, rank: number, fail: Fail): readonly [number, number] {
  const [a, b] = [wrapAxis(dim1, rank + 1, fail), wrapAxis(dim2, rank + 1, fail)];
  return a === b ? fail(`dim1 and dim2 are the same axis ${a}`) : [a, b];
}

/** The inverse of {@link Diagonal}: the last axis on the diagonal `offset` of two new axes, 0 elsewhere. */
export const DiagEmbed = defineOp({
  name: 'aten.diag_embed',
  summary: 'the last axis as a diagonal of two axes',
  operands: { self: tensor() },
  attrs: { offset: attr.optional(attr.int(), 0), dim1: attr.optional(attr.int(), -2), dim2: attr.optional(attr.int(), -1) },
  infer: ({ operands: { self }, attrs, fail }) => {
    const rank = self.shape.length;
    if (rank === 0) return fail('self is a 0-d tensor, which has no axis to embed');
    const axes = embeddedAxes(attrs, rank, fail);
    const rest = self.shape.slice(0, -1);
    const size = dimAdd(self.shape.at(-1)!, Math.abs(attrs.offset));
    return [
      tensorType(
        self.dtype,
        Array.from({ length: rank + 1 }, (_, axis): Dim => (axes.includes(axis) ? size : rest.shift()!)),
      ),
    ];
  },
  reference: ({ operands: { self }, attrs, results, fail }) => {
    const out = hostTensor(self.dtype, results[0]!.shape);
    const [a, b] = embeddedAxes(attrs, self.shape.length, fail);
    const strides = stridesOf(out.shape);
    const first = attrs.offset >= 0 ? attrs.offset * strides[b]! : -attrs.offset * strides[a]!;
    forEachOffset(self.shape, [[...strides.filter((_, i) => i !== a && i !== b), strides[a]! + strides[b]!]], (position, [at]) => {
      out.data[first + at!] = self.data[position]!;
    });
    return [out];
  },
});

/** {@link DiagEmbed} of a vector, {@link Diagonal} of a matrix. */
export const Diag = defineOp({
  name: 'aten.diag',
  summary: 'a vector as a diagonal, or the diagonal of a matrix',
  operands: { self: tensor() },
  attrs: { diagonal: attr.optional(attr.int(), 0) },
  infer: ({ operands: { self }, attrs: { diagonal }, env, fail }) => {
    const { shape } = self;
    if (shape.length === 1)
      return [
        tensorType(
          self.dtype,
          Array.from({ length: 2 }, () => dimAdd(shape[0]!, Math.abs(diagonal))),
        ),
      ];
    return shape.length === 2
      ? [tensorType(self.dtype, diagonalShape(shape, { offset: diagonal, dim1: 0, dim2: 1 }, env, fail))]
      : fail(`self has shape ${shapeText(shape)}, expected a vector or a matrix`);
  },
  decompose: ({ operands: { self }, attrs: { diagonal }, builder }) =>
    builder.create(self.type.shape.length === 1 ? DiagEmbed : DiagonalCopy, { self }, { offset: diagonal }).results,
});
