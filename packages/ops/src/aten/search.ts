import {
  attr,
  type Dim,
  hostTensor,
  type HostTensor,
  isFloat,
  optionalTensor,
  type Scalar,
  type ShapeEnv,
  storer,
  tensor,
  tensorOf,
  type TensorType,
  tensorType,
} from '@qfuse/ir';
import { defineOp } from '../define.js';
import { promoteTypes } from '../promotion.js';
import { type Fail, shapeText } from '../shapes.js';
import { castTensor } from './support/elementwise.js';

/** Elements of two tensors in the dtype in which they are compared. */
const comparable = (a: HostTensor, b: HostTensor): readonly ArrayLike<number | bigint>[] =>
  [a, b].map((t) => castTensor(t, promoteTypes(a.dtype, b.dtype)).data);

/** Where a value belongs in a sorted line: before the first element that is not below it, or with `right` above it. A NaN belongs at the end. */
function search(at: (i: number) => number | bigint, size: number, value: number | bigint, right: boolean): number {
  let [low, high] = [0, size];
  while (low < high) {
    const middle = low + ((high - low) >> 1);
    const element = at(middle);
    if (right ? element > value : element >= value) high = middle;
    else low = middle + 1;
  }
  return low;
}

interface Searching {
  readonly sequence: HostTensor;
  readonly values: HostTensor;
  readonly sorter?: HostTensor | undefined;
  readonly right: boolean;
  readonly result: { readonly dtype: 'i64' | 'i32'; readonly shape: readonly number[] };
  readonly fail: Fail;
}

function searchAll({ sequence, values, sorter, right, result, fail }: Searching): HostTensor {
  const out = hostTensor(result.dtype, result.shape);
  const store = storer(result.dtype);
  const [line, wanted] = comparable(sequence, values) as [ArrayLike<number | bigint>, ArrayLike<number | bigint>];
  const size = sequence.shape.at(-1)!;
  const each = sequence.shape.length === 1 ? wanted.length : (values.shape.at(-1) ?? 1);
  sorter?.data.forEach((i: number | bigint) => {
    if (Number(i) < 0 || Number(i) >= size) fail(`sorter has the index ${i}, which is out of range for size ${size}`);
  });
  for (let i = 0; i < wanted.length; i++) {
    const start = sequence.shape.length === 1 ? 0 : Math.floor(i / each) * size;
    const at = sorter === undefined ? (k: number) => line[start + k]! : (k: number) => line[start + Number(sorter.data[start + k])]!;
    store(out.data, i, search(at, size, wanted[i]!, right));
  }
  return out;
}

const options = { out_int32: attr.optional(attr.bool(), false), right: attr.optional(attr.bool(), false) };
const indexType = (int32: boolean): 'i64' | 'i32' => (int32 ? 'i32' : 'i64');
const notBool = (t: TensorType, name: string, fail: Fail): void => void (t.dtype === 'bool' && fail(`${name} is bool, expected numbers`));

/** The number of a scalar attribute as a 0-d tensor that compares as torch does: in the dtype of `like` unless that loses the kind. */
const scalarLike = (value: Scalar, like: HostTensor): HostTensor =>
  tensorOf(value.kind === 'float' && !isFloat(like.dtype) ? 'f32' : like.dtype, [], [value.value]);

function checkBoundaries(boundaries: TensorType, fail: Fail): void {
  notBool(boundaries, 'boundaries', fail);
  if (boundaries.shape.length !== 1) fail(`boundaries has shape ${shapeText(boundaries.shape)}, expected a vector`);
}

/** The bucket between the sorted `boundaries` that each element lies in: `b[i-1] < x <= b[i]`, with `right` `b[i-1] <= x < b[i]`. */
export const BucketizeTensor = defineOp({
  name: 'aten.bucketize.Tensor',
  summary: 'the bucket between boundaries that each element lies in',
  operands: { self: tensor(), boundaries: tensor() },
  attrs: options,
  infer: ({ operands: { self, boundaries }, attrs, fail }) => {
    checkBoundaries(boundaries, fail);
    notBool(self, 'self', fail);
    return [tensorType(indexType(attrs.out_int32), self.shape)];
  },
  reference: ({ operands: { self, boundaries }, attrs, results, fail }) => [
    searchAll({
      sequence: boundaries,
      values: self,
      right: attrs.right,
      result: { dtype: indexType(attrs.out_int32), shape: results[0]!.shape },
      fail,
    }),
  ],
});

/** {@link BucketizeTensor} of one number. */
export const BucketizeScalar = defineOp({
  name: 'aten.bucketize.Scalar',
  summary: 'the bucket between boundaries that a number lies in',
  operands: { boundaries: tensor() },
  attrs: { self: attr.scalar(), ...options },
  infer: ({ operands: { boundaries }, attrs, fail }) => {
    checkBoundaries(boundaries, fail);
    return [tensorType(indexType(attrs.out_int32), [])];
  },
  reference: ({ operands: { boundaries }, attrs, fail }) => [
    searchAll({
      sequence: boundaries,
      values: scalarLike(attrs.self, boundaries),
      right: attrs.right,
      result: { dtype: indexType(attrs.out_int32), shape: [] },
      fail,
    }),
  ],
});

const searchAttrs = { ...options, side: attr.optional(attr.oneOf('left', 'right')) };
const toRight = (attrs: { readonly right: boolean; readonly side?: string | undefined }): boolean => attrs.right || attrs.side === 'right';

/** Checks a sequence with its sorter against values of shape `shape`. */
function checkSequence(
  sequence: TensorType,
  sorter: TensorType | undefined,
  shape: readonly Dim[],
  attrs: { readonly right: boolean; readonly side?: string | undefined },
  env: ShapeEnv,
  fail: Fail,
): void {
  notBool(sequence, 'sorted_sequence', fail);
  const lines = sequence.shape;
  const fits =
    lines.length === 1 ||
    (lines.length > 1 && lines.length === shape.length && lines.slice(0, -1).every((d, i) => env.equal(d, shape[i]!) !== 'no'));
  if (!fits) fail(`sorted_sequence has shape ${shapeText(lines)}, expected a vector or the dims of ${shapeText(shape)} except the last`);
  if (attrs.right && attrs.side === 'left') fail('side is "left" while right is true');
  if (sorter !== undefined && (sorter.shape.length !== lines.length || sorter.shape.some((d, i) => env.equal(d, lines[i]!) === 'no')))
    fail(`sorter has shape ${shapeText(sorter.shape)}, expected ${shapeText(lines)}`);
}

/** Where each value belongs in the sorted line of the same place of `sorted_sequence`, or in the only line; see {@link BucketizeTensor}. */
export const SearchsortedTensor = defineOp({
  name: 'aten.searchsorted.Tensor',
  summary: 'where values belong in sorted lines',
  operands: { sorted_sequence: tensor(), self: tensor(), sorter: optionalTensor('i64') },
  attrs: searchAttrs,
  infer: ({ operands: { sorted_sequence, self, sorter }, attrs, env, fail }) => {
    notBool(self, 'self', fail);
    checkSequence(sorted_sequence, sorter, self.shape, attrs, env, fail);
    return [tensorType(indexType(attrs.out_int32), self.shape)];
  },
  reference: ({ operands: { sorted_sequence, self, sorter }, attrs, results, fail }) => [
    searchAll({
      sequence: sorted_sequence,
      values: self,
      sorter,
      right: toRight(attrs),
      result: { dtype: indexType(attrs.out_int32), shape: results[0]!.shape },
      fail,
    }),
  ],
});

/** {@link SearchsortedTensor} of one number in a vector. */
export const SearchsortedScalar = defineOp({
  name: 'aten.searchsorted.Scalar',
  summary: 'where a number belongs in a sorted vector',
  operands: { sorted_sequence: tensor(), sorter: optionalTensor('i64') },
  attrs: { self: attr.scalar(), ...searchAttrs },
  infer: ({ operands: { sorted_sequence, sorter }, attrs, env, fail }) => {
    checkSequence(sorted_sequence, sorter, [], attrs, env, fail);
    return [tensorType(indexType(attrs.out_int32), [])];
  },
  reference: ({ operands: { sorted_sequence, sorter }, attrs, fail }) => [
    searchAll({
      sequence: sorted_sequence,
      values: scalarLike(attrs.self, sorted_sequence),
      sorter,
      right: toRight(attrs),
      result: { dtype: indexType(attrs.out_int32), shape: [] },
      fail,
    }),
  ],
});
