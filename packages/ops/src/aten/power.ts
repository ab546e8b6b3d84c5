import { attr, type DType, isFloat, type Scalar, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { resultType } from '../promotion.js';
import type { Fail } from '../shapes.js';
import { type BinaryRule, noBools, scalarFirstForm, tensorForm } from './support/binary.js';
import { applyKernel, type Kernel, scalarIn } from './support/elementwise.js';
import { power } from './support/special-functions.js';

/** `a ** b` modulo 2^64; for `b < 0` the integer part of the quotient, 0 where a is 0. */
function integerPower(a: bigint, b: bigint): bigint {
  if (b < 0n) return a === 1n ? 1n : a === -1n ? (b % 2n === 0n ? 1n : -1n) : 0n;
  let result = 1n;
  let square = a;
  for (let rest = b; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = BigInt.asIntN(64, result * square);
    square = BigInt.asIntN(64, square * square);
  }
  return result;
}

const kernel: Kernel = { float: (a, b) => power(a!, b!), integer: (a, b) => integerPower(a!, b!) };

const pow: BinaryRule = { name: 'pow', summary: 'self to the power of exponent', compute: noBools, kernel: () => kernel };

/** `selfᵉˣᵖᵒⁿᵉⁿᵗ` in the promoted dtype; negative integer powers of integers are cut to integers. */
export const PowTensorTensor = tensorForm(pow, 'Tensor_Tensor', 'exponent');
/** {@link PowTensorTensor} of a Python number. */
export const PowScalar = scalarFirstForm(pow, 'Scalar', 'exponent');

const floatPow: BinaryRule = {
  name: 'float_power',
  summary: 'self to the power of exponent, in f64',
  compute: () => 'f64',
  kernel: () => kernel,
};

/** `selfᵉˣᵖᵒⁿᵉⁿᵗ` computed in f64; the result is f64. */
export const FloatPowerTensorTensor = tensorForm(floatPow, 'Tensor_Tensor', 'exponent');
/** {@link FloatPowerTensorTensor} of a Python number. */
export const FloatPowerScalar = scalarFirstForm(floatPow, 'Scalar', 'exponent');

/** The kernel for one exponent: torch computes ±0.5 as (the inverse of) a square root, which differs at -∞. */
function kernelFor(exponent: Scalar, dtype: DType): Kernel {
  if (!isFloat(dtype)) {
    const e = BigInt(exponent.value as number | bigint | boolean);
    return { integer: (x) => integerPower(x!, e) };
  }
  const e = scalarIn(exponent, dtype);
  if (e === 0.5) return { float: Math.sqrt };
  return { float: e === -0.5 ? (x) => 1 / Math.sqrt(x!) : (x) => power(x!, e) };
}

function powDType(self: DType, rank: number, exponent: Scalar, fail: Fail): DType {
  const dtype = resultType([{ dtype: self, shape: new Array<number>(rank).fill(1) }, { scalar: exponent }]);
  if (!isFloat(dtype) && exponent.kind === 'int' && exponent.value < 0)
    fail(`integers (${self}) to the negative power ${exponent.value} are no integers; make self a float`);
  return dtype;
}

/** `selfᵉˣᵖᵒⁿᵉⁿᵗ` with a Python number as exponent; dtypes are promoted. Negative powers of integers are refused. */
export const PowTensorScalar = defineOp({
  name: 'aten.pow.Tensor_Scalar',
  summary: 'self to the power of a number',
  operands: { self: tensor() },
  attrs: { exponent: attr.scalar() },
  elementwise: true,
  infer: ({ operands: { self }, attrs: { exponent }, fail }) => [
    tensorType(powDType(self.dtype, self.shape.length, exponent, fail), self.shape),
  ],
  reference: ({ operands: { self }, attrs: { exponent }, results: [result] }) => [
    applyKernel(kernelFor(exponent, result!.dtype), result!, result!.dtype, [self]),
  ],
});

/** {@link PowTensorScalar} computed in f64; the result is f64. */
export const FloatPowerTensorScalar = defineOp({
  name: 'aten.float_power.Tensor_Scalar',
  summary: 'self to the power of a number, in f64',
  operands: { self: tensor() },
  attrs: { exponent: attr.scalar() },
  elementwise: true,
  infer: ({ operands: { self } }) => [tensorType('f64', self.shape)],
  reference: ({ operands: { self }, attrs: { exponent }, results: [result] }) => [
    applyKernel(kernelFor(exponent, 'f64'), result!, 'f64', [self]),
  ],
});
