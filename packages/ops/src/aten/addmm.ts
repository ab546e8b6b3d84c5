import {
  attr,
  type Builder,
  type Dim,
  hostTensor,
  type HostTensor,
  intScalar,
  isInteger,
  type Scalar,
  type ShapeEnv,
  storer,
  tensor,
  type TensorType,
  tensorType,
  type Value,
} from '@qfuse/ir';
import { defineOp } from '../define.js';
import { broadcastStrides, type Fail, forEachOffset, shapeText } from '../shapes.js';
import { AddTensor, MulScalar } from './arithmetic.js';
import { Bmm, Mm, Mv } from './matmul.js';
import { checkFactors, forEachProduct, productShape } from './support/matmul.js';

interface Factors {
  readonly beta: Scalar;
  readonly alpha: Scalar;
}

/** Refuses a `self` that does not expand to the product's shape, and gives the result's type. */
function sumType(
  self: TensorType,
  left: TensorType,
  right: TensorType,
  ranks: readonly [number, number],
  env: ShapeEnv,
  fail: Fail,
): readonly TensorType[] {
  checkFactors([self, left, right], fail);
  if (left.shape.length !== ranks[0] || right.shape.length !== ranks[1])
    fail(`factors have shapes ${shapeText(left.shape)} and ${shapeText(right.shape)}, expected ranks ${ranks[0]} and ${ranks[1]}`);
  if (ranks[0] === 3 && env.equal(left.shape[0]!, right.shape[0]!) === 'no')
    fail(`factors have shapes ${shapeText(left.shape)} and ${shapeText(right.shape)}, expected one batch size`);
  const shape = productShape(left.shape, right.shape, env, fail);
  const lead = shape.length - self.shape.length;
  const expands = lead >= 0 && self.shape.every((d: Dim, i) => env.equal(d, 1) !== 'no' || env.equal(d, shape[i + lead]!) !== 'no');
  if (!expands) fail(`self has shape ${shapeText(self.shape)}, which does not expand to the product's shape ${shapeText(shape)}`);
  return [tensorType(self.dtype, shape)];
}

/** `beta · self + alpha · left · right`, rounded once. With `beta` 0 the elements of `self` are not read, NaN or not. */
function sum(
  self: HostTensor,
  left: HostTensor,
  right: HostTensor,
  { beta, alpha }: Factors,
  result: { readonly shape: readonly number[] },
): readonly HostTensor[] {
  const out = hostTensor(self.dtype, result.shape);
  const store = storer(self.dtype);
  const at: number[] = [];
  forEachOffset(out.shape, [broadcastStrides(self.shape, out.shape)], (_, [offset]) => at.push(offset!));
  const exact = isInteger(self.dtype);
  const whole = (s: Scalar): bigint => BigInt(s.kind === 'float' ? Math.trunc(s.value) : s.value);
  const [ofSelf, ofProduct] = [Number(beta.value), Number(alpha.value)];
  const [wholeOfSelf, wholeOfProduct] = exact ? [whole(beta), whole(alpha)] : [0n, 0n];
  forEachProduct(left, right, false, (position, product) => {
    const own = self.data[at[position]!]!;
    if (exact) store(out.data, position, wholeOfSelf * BigInt(own) + wholeOfProduct * BigInt(product));
    else store(out.data, position, (ofSelf === 0 ? 0 : ofSelf * Number(own)) + ofProduct * Number(product));
  });
  return [out];
}

/** The same in steps; each is rounded. */
function steps(builder: Builder, self: Value, product: Value, { beta, alpha }: Factors): Value {
  const integers = isInteger(self.type.dtype);
  const times = (x: Value, factor: Scalar): Value => {
    const other = integers && factor.kind === 'float' ? intScalar(Math.trunc(factor.value)) : factor;
    return Number(other.value) === 1 ? x : builder.create(MulScalar, { self: x }, { other }).result;
  };
  if (Number(beta.value) === 0) return times(product, alpha);
  return builder.create(AddTensor, { self: times(product, alpha), other: times(self, beta) }).result;
}

/** An op `beta · self + alpha · left · right` with factors of given ranks under given names. */
const adding = <const L extends string, const R extends string>(
  name: string,
  summary: string,
  left: L,
  right: R,
  ranks: readonly [number, number],
  multiply: (builder: Builder, left: Value, right: Value) => Value,
) =>
  defineOp({
    name,
    summary,
    operands: { self: tensor(), [left]: tensor(), [right]: tensor() } as { readonly self: ReturnType<typeof tensor> } & {
      readonly [K in L | R]: ReturnType<typeof tensor>;
    },
    attrs: { beta: attr.optional<Scalar>(attr.scalar(), intScalar(1)), alpha: attr.optional<Scalar>(attr.scalar(), intScalar(1)) },
    infer: ({ operands, env, fail }) => {
      const types = operands as unknown as Readonly<Record<string, TensorType>>;
      return sumType(types['self']!, types[left]!, types[right]!, ranks, env, fail);
    },
    reference: ({ operands, attrs, results }) => {
      const tensors = operands as unknown as Readonly<Record<string, HostTensor>>;
      return sum(tensors['self']!, tensors[left]!, tensors[right]!, attrs, results[0]!);
    },
    decompose: ({ operands, attrs, builder }) => {
      const values = operands as unknown as Readonly<Record<string, Value>>;
      return [steps(builder, values['self']!, multiply(builder, values[left]!, values[right]!), attrs)];
    },
  });

/** `beta · self + alpha · mat1 · mat2` of matrices; `self` broadcasts. */
export const Addmm = adding(
  'aten.addmm',
  'a matrix plus the product of two',
  'mat1',
  'mat2',
  [2, 2],
  (builder, self, mat2) => builder.create(Mm, { self, mat2 }).result,
);

/** `beta · self + alpha · batch1 · batch2` of batches of matrices; `self` broadcasts. */
export const Baddbmm = adding(
  'aten.baddbmm',
  'a batch of matrices plus the products of two',
  'batch1',
  'batch2',
  [3, 3],
  (builder, self, mat2) => builder.create(Bmm, { self, mat2 }).result,
);

/** `beta · self + alpha · mat · vec` of a matrix and a vector; `self` broadcasts. */
export const Addmv = adding(
  'aten.addmv',
  'a vector plus the product of a matrix and a vector',
  'mat',
  'vec',
  [2, 1],
  (builder, self, vec) => builder.create(Mv, { self, vec }).result,
);
