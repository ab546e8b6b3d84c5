import { attr, type DType, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { floatResult, type Promotable, resultType } from '../promotion.js';
import { broadcastShapes, type Fail } from '../shapes.js';
import { type BinaryRule, noBools, scalarFirstForm, scalarForm, tensorForm } from './support/binary.js';
import { applyKernel, type Kernel, rounder, scalarTensor } from './support/elementwise.js';
import { floorDivide, remainder } from './support/special-functions.js';

type Integers = (a: bigint, b: bigint) => bigint;

/** Refuses a divisor of 0, as torch does for integers. */
const guarded =
  (f: Integers, fail: Fail) =>
  (a: bigint, b: bigint): bigint =>
    b === 0n ? fail('an integer is divided by 0') : f(a, b);

const floorQuotient: Integers = (a, b) => (a % b !== 0n && a < 0n !== b < 0n ? a / b - 1n : a / b);
const truncQuotient: Integers = (a, b) => a / b;
const floorRest: Integers = (a, b) => a - floorQuotient(a, b) * b;
const truncRest: Integers = (a, b) => a % b;

const floorRule: BinaryRule = {
  name: 'floor_divide',
  summary: 'quotient rounded towards minus infinity',
  compute: noBools,
  kernel: (_, fail) => ({ float: (a, b) => floorDivide(a!, b!), integer: guarded(floorQuotient, fail) as Kernel['integer'] }),
};

/** `⌊self / other⌋`, broadcast, in the promoted dtype; an integer divided by 0 is refused. */
export const FloorDivide = tensorForm(floorRule, 'default');
/** {@link FloorDivide} with a Python number. */
export const FloorDivideScalar = scalarForm(floorRule);

const remainderRule: BinaryRule = {
  name: 'remainder',
  summary: 'rest of floor division, with the sign of other',
  compute: noBools,
  kernel: (_, fail) => ({ float: (a, b) => remainder(a!, b!), integer: guarded(floorRest, fail) as Kernel['integer'] }),
};

/** `self - other · ⌊self / other⌋`, Python's `%`, broadcast; an integer divided by 0 is refused. */
export const RemainderTensor = tensorForm(remainderRule);
/** {@link RemainderTensor} by a Python number. */
export const RemainderScalar = scalarForm(remainderRule);
/** {@link RemainderTensor} of a Python number. */
export const RemainderScalarTensor = scalarFirstForm(remainderRule, 'Scalar_Tensor');

const fmodRule: BinaryRule = {
  name: 'fmod',
  summary: 'rest of truncating division, with the sign of self',
  compute: noBools,
  kernel: (_, fail) => ({ float: (a, b) => a! % b!, integer: guarded(truncRest, fail) as Kernel['integer'] }),
};

/** `self - other · trunc(self / other)`, C's `%`, broadcast; an integer divided by 0 is refused. */
export const FmodTensor = tensorForm(fmodRule);
/** {@link FmodTensor} by a Python number. */
export const FmodScalar = scalarForm(fmodRule);

const modeAttrs = { rounding_mode: attr.optional(attr.oneOf('trunc', 'floor')) };
type Mode = 'trunc' | 'floor' | undefined;

const modeDType = (operands: readonly Promotable[], mode: Mode, fail: Fail): DType =>
  mode === undefined ? floatResult(resultType(operands)) : noBools(resultType(operands), fail);

function modeKernel(mode: Mode, dtype: DType, fail: Fail): Kernel {
  if (mode === undefined) return { float: (a, b) => a! / b! };
  if (mode === 'floor') return floorRule.kernel(dtype, fail);
  // The quotient is rounded to the dtype before its fraction is cut off, as torch does.
  const round = rounder(dtype);
  return { float: (a, b) => Math.trunc(round(a! / b!)), integer: guarded(truncQuotient, fail) as Kernel['integer'] };
}

/** `self / other` rounded as `rounding_mode` says; without one as `aten.div.Tensor`. With one, integers stay integers. */
export const DivTensorMode = defineOp({
  name: 'aten.div.Tensor_mode',
  summary: 'self divided by other, rounded to an integer',
  operands: { self: tensor(), other: tensor() },
  attrs: modeAttrs,
  elementwise: true,
  infer: ({ operands: { self, other }, attrs: { rounding_mode: mode }, env, fail }) => [
    tensorType(modeDType([self, other], mode, fail), broadcastShapes(env, [self.shape, other.shape], fail)),
  ],
  reference: ({ operands: { self, other }, attrs: { rounding_mode: mode }, results: [result], fail }) => [
    applyKernel(modeKernel(mode, result!.dtype, fail), result!, result!.dtype, [self, other]),
  ],
});

/** {@link DivTensorMode} with a Python number. */
export const DivScalarMode = defineOp({
  name: 'aten.div.Scalar_mode',
  summary: 'self divided by a number, rounded to an integer',
  operands: { self: tensor() },
  attrs: { other: attr.scalar(), ...modeAttrs },
  elementwise: true,
  infer: ({ operands: { self }, attrs: { other, rounding_mode: mode }, fail }) => [
    tensorType(modeDType([self, { scalar: other }], mode, fail), self.shape),
  ],
  reference: ({ operands: { self }, attrs: { other, rounding_mode: mode }, results: [result], fail }) => [
    applyKernel(modeKernel(mode, result!.dtype, fail), result!, result!.dtype, [self, scalarTensor(other, result!.dtype)]),
  ],
});
