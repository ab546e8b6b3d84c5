import { attr, isFloat, intScalar, type Scalar, tensor, tensorType, type TensorType, type DType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { resultType } from '../promotion.js';
import { broadcastShapes, type Fail } from '../shapes.js';
import { applyKernel, checkScalar, type Kernel, scalarIn, scalarTensor } from './support/elementwise.js';

function oneDType(operands: Readonly<Record<string, TensorType>>, fail: Fail): DType {
  const all = Object.entries(operands);
  const { dtype } = all[0]![1];
  if (all.some(([, t]) => t.dtype !== dtype)) fail(`${all.map(([name, t]) => `${name} is ${t.dtype}`).join(', ')}; expected one dtype`);
  return isFloat(dtype) ? dtype : fail(`operands are ${dtype}, expected floats`);
}

/** `start + w · (end - start)`, from the nearer end, so that the ends are met exactly. */
const between = (start: number, end: number, w: number): number =>
  Math.abs(w) < 0.5 ? start + w * (end - start) : end - (end - start) * (1 - w);

/** `self + weight · (end - self)`, broadcast; floats of one dtype. */
export const LerpScalar = defineOp({
  name: 'aten.lerp.Scalar',
  summary: 'linear interpolation by a number',
  operands: { self: tensor(), end: tensor() },
  attrs: { weight: attr.scalar() },
  elementwise: true,
  infer: ({ operands: { self, end }, env, fail }) => [
    tensorType(oneDType({ self, end }, fail), broadcastShapes(env, [self.shape, end.shape], fail)),
  ],
  reference: ({ operands: { self, end }, attrs: { weight }, results: [result] }) => {
    // torch keeps the weight of 16-bit floats in f32
    const w = scalarIn(weight, self.dtype === 'f64' ? 'f64' : 'f32');
    return [applyKernel({ float: (a, b) => between(a!, b!, w) }, result!, self.dtype, [self, end])];
  },
});

/** {@link LerpScalar} with a tensor as weight. A 0-d weight may have another dtype. */
export const LerpTensor = defineOp({
  name: 'aten.lerp.Tensor',
  summary: 'linear interpolation by weights',
  operands: { self: tensor(), end: tensor(), weight: tensor() },
  elementwise: true,
  infer: ({ operands: { self, end, weight }, env, fail }) => [
    tensorType(
      oneDType(weight.shape.length === 0 ? { self, end } : { self, end, weight }, fail),
      broadcastShapes(env, [self.shape, end.shape, weight.shape], fail),
    ),
  ],
  reference: ({ operands: { self, end, weight }, results: [result] }) => [
    applyKernel({ float: (a, b, w) => between(a!, b!, w!) }, result!, self.dtype, [self, end, weight]),
  ],
});

/** An op `self + value · f(tensor1, tensor2)`. */
const fusedAdd = (
  name: string,
  summary: string,
  check: (dtype: DType, factors: readonly TensorType[], fail: Fail) => void,
  kernel: (value: Scalar, dtype: DType) => Kernel,
) =>
  defineOp({
    name,
    summary,
    operands: { self: tensor(), tensor1: tensor(), tensor2: tensor() },
    attrs: { value: attr.optional(attr.scalar(), intScalar(1)) },
    elementwise: true,
    infer: ({ operands: { self, tensor1, tensor2 }, attrs: { value }, env, fail }) => {
      const all = [self, tensor1, tensor2];
      const dtype = resultType(all);
      check(dtype, [tensor1, tensor2], fail);
      checkScalar('value', value, dtype, fail);
      return [
        tensorType(
          dtype,
          broadcastShapes(
            env,
            all.map((t) => t.shape),
            fail,
          ),
        ),
      ];
    },
    reference: ({ operands: { self, tensor1, tensor2 }, attrs: { value }, results: [result] }) => [
      applyKernel(kernel(value, result!.dtype), result!, result!.dtype, [self, tensor1, tensor2]),
    ],
  });

/** `self + value · tensor1 · tensor2`, broadcast; dtypes are promoted, bools are refused. */
export const Addcmul = fusedAdd(
  'aten.addcmul',
  'self plus value times tensor1 times tensor2',
  (dtype, _, fail) => void (dtype === 'bool' && fail('operands are bool, expected numbers')),
  (value, dtype) => {
    if (isFloat(dtype)) {
      const v = scalarIn(value, dtype);
      return { float: (a, b, c) => a! + v * b! * c! };
    }
    const v = BigInt(scalarTensor(value, dtype).data[0]!);
    return { integer: (a, b, c) => a! + v * b! * c! };
  },
);

/** `self + value · tensor1 / tensor2`, broadcast; dtypes are promoted, integers and bools are refused. */
export const Addcdiv = fusedAdd(
  'aten.addcdiv',
  'self plus value times tensor1 by tensor2',
  (_, factors, fail) =>
    void (
      factors.some((t) => isFloat(t.dtype)) ||
      fail(`tensor1 and tensor2 are ${factors.map((t) => t.dtype).join(' and ')}, expected a float`)
    ),
  (value, dtype) => {
    const v = scalarIn(value, dtype);
    return { float: (a, b, c) => a! + (v * b!) / c! };
  },
);
