import {
  attr,
  type Builder,
  type Dim,
  dimProduct,
  hostTensor,
  isInteger,
  optionalTensor,
  type ShapeEnv,
  storer,
  tensor,
  type TensorType,
  tensorType,
  type Value,
} from '@qfuse/ir';
import { defineOp } from '../define.js';
import { resultType } from '../promotion.js';
import { type Fail, shapeText, wrapAxis } from '../shapes.js';
import { AddTensor, MulTensor } from './arithmetic.js';
import { Bmm, Mm } from './matmul.js';
import { checked } from './support/checked.js';
import { checkFactors } from './support/matmul.js';
import { Permute } from './support/reordering.js';
import { reshapeTo } from './support/reshaping.js';

const outerProduct = (name: string) =>
  defineOp({
    name,
    summary: 'all products of elements of two vectors',
    operands: { self: tensor(), vec2: tensor() },
    infer: ({ operands: { self, vec2 }, fail }) => {
      const [n, m] = [self.shape[0], vec2.shape[0]];
      if (n === undefined || m === undefined || self.shape.length > 1 || vec2.shape.length > 1)
        return fail(`operands have shapes ${shapeText(self.shape)} and ${shapeText(vec2.shape)}, expected vectors`);
      return [tensorType(resultType([self, vec2]), [n, m])];
    },
    decompose: ({ operands: { self, vec2 }, builder }) =>
      builder.create(MulTensor, { self: reshapeTo(builder, self, [self.type.shape[0]!, 1]), other: vec2 }).results,
  });

/** `out[i, j] = self[i] · vec2[j]`; dtypes are promoted. */
export const Outer = outerProduct('aten.outer');

/** {@link Outer} under BLAS's name. */
export const Ger = outerProduct('aten.ger');

/** Axes of a shape that are contracted, in the order of the other operand's, and those that are not. */
function axesOf(
  shape: readonly Dim[],
  dims: readonly number[],
  fail: Fail,
): { readonly free: readonly number[]; readonly summed: readonly number[] } {
  const summed = dims.map((d) => wrapAxis(d, shape.length, fail));
  if (new Set(summed).size < summed.length) fail(`dims [${dims.join(', ')}] repeat one`);
  return { free: [...shape.keys()].filter((i) => !summed.includes(i)), summed };
}

/** Shape of a contraction. */
function contractedShape(
  a: TensorType,
  b: TensorType,
  ofA: readonly number[],
  ofB: readonly number[],
  env: ShapeEnv,
  fail: Fail,
): readonly Dim[] {
  checkFactors([a, b], fail);
  if (ofA.length !== ofB.length) fail(`dims_self has ${ofA.length} axes, dims_other has ${ofB.length}`);
  const [left, right] = [axesOf(a.shape, ofA, fail), axesOf(b.shape, ofB, fail)];
  left.summed.forEach((axis, i) => {
    if (env.equal(a.shape[axis]!, b.shape[right.summed[i]!]!) === 'no')
      fail(`contracted axes of shapes ${shapeText(a.shape)} and ${shapeText(b.shape)} have different sizes`);
  });
  return [...left.free.map((i) => a.shape[i]!), ...right.free.map((i) => b.shape[i]!)];
}

function contract(builder: Builder, a: Value, b: Value, ofA: readonly number[], ofB: readonly number[], size: readonly Dim[]): Value {
  const [left, right] = [axesOf(a.type.shape, ofA, checked), axesOf(b.type.shape, ofB, checked)];
  const matrix = (x: Value, rows: readonly number[], columns: readonly number[]): Value => {
    const sizeOf = (axes: readonly number[]): Dim => dimProduct(axes.map((i) => x.type.shape[i]!));
    return reshapeTo(builder, builder.create(Permute, { self: x }, { dims: [...rows, ...columns] }).result, [
      sizeOf(rows),
      sizeOf(columns),
    ]);
  };
  const product = builder.create(Mm, { self: matrix(a, left.free, left.summed), mat2: matrix(b, right.summed, right.free) }).result;
  return reshapeTo(builder, product, size);
}

/** Products summed over the axes `dims_self` of `self` and `dims_other` of `other`; the other axes of both follow each other. */
export const Tensordot = defineOp({
  name: 'aten.tensordot',
  summary: 'products summed over several axes of both operands',
  operands: { self: tensor(), other: tensor() },
  attrs: { dims_self: attr.ints(), dims_other: attr.ints() },
  infer: ({ operands: { self, other }, attrs, env, fail }) => [
    tensorType(self.dtype, contractedShape(self, other, attrs.dims_self, attrs.dims_other, env, fail)),
  ],
  decompose: ({ operands: { self, other }, attrs, results, builder }) => [
    contract(builder, self, other, attrs.dims_self, attrs.dims_other, results[0]!.shape),
  ],
});

/** `out[…i, …j] = Σ_k self[…i, k] · other[…j, k]`; with a 0-d operand the product of each element. */
export const Inner = defineOp({
  name: 'aten.inner',
  summary: 'products summed over the last axes of both operands',
  operands: { self: tensor(), other: tensor() },
  infer: ({ operands: { self, other }, env, fail }) => {
    if (self.shape.length === 0 || other.shape.length === 0)
      return [tensorType(resultType([self, other]), [...self.shape, ...other.shape])];
    return [tensorType(self.dtype, contractedShape(self, other, [-1], [-1], env, fail))];
  },
  decompose: ({ operands: { self, other }, results, builder }) =>
    self.type.shape.length === 0 || other.type.shape.length === 0
      ? builder.create(MulTensor, { self, other }).results
      : [contract(builder, self, other, [-1], [-1], results[0]!.shape)],
});

/** `y[…, o] = Σ_i Σ_j input1[…, i] · weight[o, i, j] · input2[…, j] + bias[o]`: inputs `[…, I]` and `[…, J]`, weight `[O, I, J]`, bias `[O]`. */
export const Bilinear = defineOp({
  name: 'aten.bilinear',
  summary: 'input1 · weight · input2 + bias',
  operands: { input1: tensor(), input2: tensor(), weight: tensor(), bias: optionalTensor() },
  infer: ({ operands: { input1, input2, weight, bias }, env, fail }) => {
    checkFactors([input1, input2, weight, bias], fail);
    const [o, i, j] = weight.shape;
    if (o === undefined || i === undefined || j === undefined || weight.shape.length > 3)
      return fail(`weight has shape ${shapeText(weight.shape)}, expected [O, I, J]`);
    const batch = input1.shape.slice(0, -1);
    const other = input2.shape.slice(0, -1);
    const fits = (shape: readonly Dim[], last: Dim): boolean => shape.length > 0 && env.equal(shape.at(-1)!, last) !== 'no';
    const beside =
      batch.length === other.length &&
      input1.shape.length === input2.shape.length &&
      batch.every((d, k) => env.equal(d, other[k]!) !== 'no');
    if (!fits(input1.shape, i) || !fits(input2.shape, j) || !beside)
      return fail(
        `inputs have shapes ${shapeText(input1.shape)} and ${shapeText(input2.shape)}, expected equal batch dims before ${shapeText([i])} and ${shapeText([j])}`,
      );
    if (bias !== undefined && (bias.shape.length !== 1 || env.equal(bias.shape[0]!, o) === 'no'))
      fail(`bias has shape ${shapeText(bias.shape)}, expected ${shapeText([o])}`);
    return [tensorType(input1.dtype, [...batch, o])];
  },
  reference: ({ operands: { input1, input2, weight, bias }, results }) => {
    const out = hostTensor(input1.dtype, results[0]!.shape);
    const store = storer(out.dtype);
    const exact = isInteger(out.dtype);
    // Numbers and bigints never meet: with `exact` all are bigints.
    const [x, y, w, b] = [input1, input2, weight, bias].map(
      (t) => (exact && t !== undefined ? BigInt64Array.from(t.data as Int32Array, BigInt) : t?.data) as Float64Array | undefined,
    );
    const [o, i, j] = weight.shape as [number, number, number];
    for (let at = 0; at < out.data.length; at++) {
      const [row, k] = [Math.floor(at / o), at % o];
      let sum = b === undefined ? ((exact ? 0n : 0) as number) : b[k]!;
      for (let p = 0; p < i; p++) for (let q = 0; q < j; q++) sum += x![row * i + p]! * w![(k * i + p) * j + q]! * y![row * j + q]!;
      store(out.data, at, sum);
    }
    return [out];
  },
  decompose: ({ operands: { input1, input2, weight, bias }, results, builder }) => {
    const [o, i, j] = weight.type.shape as [Dim, Dim, Dim];
    const rows = dimProduct(input1.type.shape.slice(0, -1));
    const columns = reshapeTo(builder, builder.create(Permute, { self: weight }, { dims: [1, 0, 2] }).result, [i, dimProduct([o, j])]);
    const half = builder.create(Mm, { self: reshapeTo(builder, input1, [rows, i]), mat2: columns }).result;
    const whole = builder.create(Bmm, {
      self: reshapeTo(builder, half, [rows, o, j]),
      mat2: reshapeTo(builder, input2, [rows, j, 1]),
    }).result;
    const shaped = reshapeTo(builder, whole, results[0]!.shape);
    return bias === undefined ? [shaped] : builder.create(AddTensor, { self: shaped, other: bias }).results;
  },
});
