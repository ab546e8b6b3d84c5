import {
  type Builder,
  type Dim,
  dimProduct,
  hostTensor,
  type HostTensor,
  type ShapeEnv,
  storer,
  tensor,
  type TensorType,
  tensorType,
  type Value,
} from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Fail, shapeText } from '../shapes.js';
import { Expand } from './expand.js';
import { batchSize, checkFactors, forEachProduct, productShape } from './support/matmul.js';
import { reshapeTo } from './support/reshaping.js';

type Result = { readonly dtype: HostTensor['dtype']; readonly shape: readonly number[] };

/** The matrix product rounded once. */
function product(left: HostTensor, right: HostTensor, result: Result): readonly HostTensor[] {
  const out = hostTensor(result.dtype, result.shape);
  const store = storer(result.dtype);
  forEachProduct(left, right, false, (position, sum) => store(out.data, position, sum));
  return [out];
}

/** The type of the product of `left` and `right`, which must have these ranks. */
function productType(
  left: TensorType,
  right: TensorType,
  ranks: readonly [number, number],
  env: ShapeEnv,
  fail: Fail,
): readonly TensorType[] {
  checkFactors([left, right], fail);
  if (left.shape.length !== ranks[0] || right.shape.length !== ranks[1])
    fail(`operands have shapes ${shapeText(left.shape)} and ${shapeText(right.shape)}, expected ranks ${ranks[0]} and ${ranks[1]}`);
  return [tensorType(left.dtype, productShape(left.shape, right.shape, env, fail))];
}

/** `[n, k]` times `[k, m]`: `out[i, j] = Σ_k self[i, k] · mat2[k, j]`. */
export const Mm = defineOp({
  name: 'aten.mm',
  summary: 'the product of two matrices',
  operands: { self: tensor(), mat2: tensor() },
  infer: ({ operands: { self, mat2 }, env, fail }) => productType(self, mat2, [2, 2], env, fail),
  reference: ({ operands: { self, mat2 }, results }) => product(self, mat2, results[0]!),
});

/** `[b, n, k]` times `[b, k, m]`: a product of matrices for each index of axis 0. */
export const Bmm = defineOp({
  name: 'aten.bmm',
  summary: 'the products of two batches of matrices',
  operands: { self: tensor(), mat2: tensor() },
  infer: ({ operands: { self, mat2 }, env, fail }) => {
    const [type] = productType(self, mat2, [3, 3], env, fail);
    if (env.equal(self.shape[0]!, mat2.shape[0]!) === 'no')
      fail(`operands have shapes ${shapeText(self.shape)} and ${shapeText(mat2.shape)}, expected one batch size`);
    return [type!];
  },
  reference: ({ operands: { self, mat2 }, results }) => product(self, mat2, results[0]!),
});

/** `[n, k]` times `[k]`. */
export const Mv = defineOp({
  name: 'aten.mv',
  summary: 'the product of a matrix and a vector',
  operands: { self: tensor(), vec: tensor() },
  infer: ({ operands: { self, vec }, env, fail }) => productType(self, vec, [2, 1], env, fail),
  reference: ({ operands: { self, vec }, results }) => product(self, vec, results[0]!),
  decompose: ({ operands: { self, vec }, results, builder }) => {
    const column = reshapeTo(builder, vec, [vec.type.shape[0]!, 1]);
    return [reshapeTo(builder, builder.create(Mm, { self, mat2: column }).result, results[0]!.shape)];
  },
});

const dotProduct = <N extends 'tensor' | 'other'>(name: string, second: N) =>
  defineOp({
    name,
    summary: 'the inner product of two vectors',
    operands: { self: tensor(), [second]: tensor() },
    commutative: ['self', second],
    infer: ({ operands, env, fail }) => productType(operands['self']!, operands[second]!, [1, 1], env, fail),
    reference: ({ operands, results }) => product(operands['self']!, operands[second]!, results[0]!),
    decompose: ({ operands, builder }) => {
      const [row, column] = [operands['self']!, operands[second]!];
      const k = row.type.shape[0]!;
      return [
        reshapeTo(
          builder,
          builder.create(Mm, { self: reshapeTo(builder, row, [1, k]), mat2: reshapeTo(builder, column, [k, 1]) }).result,
          [],
        ),
      ];
    },
  });

/** `Σ_k self[k] · tensor[k]` of two vectors of one length. */
export const Dot = dotProduct('aten.dot', 'tensor');

/** {@link Dot} of the conjugate of `self`, which for real numbers is the same. */
export const Vdot = dotProduct('aten.vdot', 'other');

/** Factors as batches of the result's batch dims joined into one axis: `[b, n, k]` and `[b, k, m]`. */
function asBatch(builder: Builder, factor: Value, batch: readonly Dim[], matrix: readonly Dim[]): Value {
  const expanded = builder.create(Expand, { self: factor }, { size: [...batch, ...matrix] }).result;
  return reshapeTo(builder, expanded, [dimProduct(batch), ...matrix]);
}

/**
 * The matrix product of `[…, n, k]` and `[…, k, m]`, whose batch dims broadcast. A vector is a row on the left and
 * a column on the right, and that axis is missing from the result.
 */
export const Matmul = defineOp({
  name: 'aten.matmul',
  summary: 'the product of matrices, vectors and batches of them',
  operands: { self: tensor(), other: tensor() },
  infer: ({ operands: { self, other }, env, fail }) => {
    checkFactors([self, other], fail);
    return [tensorType(self.dtype, productShape(self.shape, other.shape, env, fail))];
  },
  reference: ({ operands: { self, other }, results }) => product(self, other, results[0]!),
  decompose: ({ operands: { self, other }, results, builder }) => {
    const left = self.type.shape.length === 1 ? reshapeTo(builder, self, [1, ...self.type.shape]) : self;
    const right = other.type.shape.length === 1 ? reshapeTo(builder, other, [...other.type.shape, 1]) : other;
    const [n, k] = left.type.shape.slice(-2) as [Dim, Dim];
    const m = right.type.shape.at(-1)!;
    const { shape } = results[0]!;
    if (right.type.shape.length === 2) {
      const rows = reshapeTo(builder, left, [dimProduct([batchSize(left.type.shape), n]), k]);
      return [reshapeTo(builder, builder.create(Mm, { self: rows, mat2: right }).result, shape)];
    }
    const batch = shape.slice(0, shape.length - (self.type.shape.length === 1 ? 0 : 1) - (other.type.shape.length === 1 ? 0 : 1));
    const out = builder.create(Bmm, { self: asBatch(builder, left, batch, [n, k]), mat2: asBatch(builder, right, batch, [k, m]) }).result;
    return [reshapeTo(builder, out, shape)];
  },
});
