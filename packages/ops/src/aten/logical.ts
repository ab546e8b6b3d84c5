import { type DType, dtypeInfo, isFloat, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { broadcastShapes } from '../shapes.js';
import { type BinaryRule, noBools, onlyIntegers, scalarFirstForm, scalarForm, tensorForm } from './support/binary.js';
import { mapElements } from './support/elementwise.js';
import { unary } from './support/unary.js';

/** Whether an element counts as true: all but 0, also NaN. */
const truth = (x: number | bigint): boolean => x !== 0 && x !== 0n;

const logical = (name: string, summary: string, f: (a: boolean, b: boolean) => boolean) =>
  defineOp({
    name: `aten.${name}`,
    summary,
    operands: { self: tensor(), other: tensor() },
    commutative: ['self', 'other'],
    elementwise: true,
    infer: ({ operands: { self, other }, env, fail }) => [tensorType('bool', broadcastShapes(env, [self.shape, other.shape], fail))],
    reference: ({ operands: { self, other }, results }) => [mapElements(results[0]!, [self, other], (a, b) => f(truth(a!), truth(b!)))],
  });

/** `self ≠ 0 and other ≠ 0`, broadcast; bool. */
export const LogicalAnd = logical('logical_and', 'self and other', (a, b) => a && b);
/** `self ≠ 0 or other ≠ 0`, broadcast; bool. */
export const LogicalOr = logical('logical_or', 'self or other', (a, b) => a || b);
/** Whether just one of the two is not 0, broadcast; bool. */
export const LogicalXor = logical('logical_xor', 'either self or other', (a, b) => a !== b);

/** `self = 0`; bool. */
export const LogicalNot = unary({
  name: 'aten.logical_not',
  summary: 'not self',
  dtype: () => 'bool',
  compute: (self) => self,
  kernel: () => ({ float: (x) => x === 0, integer: (x) => x === 0n }),
});

/** All bits inverted; for bools "not". Floats are refused. */
export const BitwiseNot = unary({
  name: 'aten.bitwise_not',
  summary: 'inverts all bits',
  dtype: (self, _, fail) => (isFloat(self) ? fail(`self is ${self}, expected integers or bools`) : self),
  kernel: (_, dtype) => ({ integer: dtype === 'bool' ? (x) => x === 0n : (x) => ~x }),
});

const bitwise = (name: string, summary: string, f: (a: bigint, b: bigint) => bigint): BinaryRule => ({
  name,
  summary,
  commutative: true,
  compute: onlyIntegers,
  kernel: () => ({ integer: (a, b) => f(a!, b!) }),
});

const and = bitwise('bitwise_and', 'bits set in both', (a, b) => a & b);
const or = bitwise('bitwise_or', 'bits set in either', (a, b) => a | b);
const xor = bitwise('bitwise_xor', 'bits set in just one', (a, b) => a ^ b);

/** `self & other`, broadcast, in the promoted dtype; floats are refused, as in the ops that follow. */
export const BitwiseAndTensor = tensorForm(and);
/** {@link BitwiseAndTensor} with a Python number. */
export const BitwiseAndScalar = scalarForm(and);
/** {@link BitwiseAndTensor} with a Python number as self. */
export const BitwiseAndScalarTensor = scalarFirstForm(and, 'Scalar_Tensor');
/** `self | other` */
export const BitwiseOrTensor = tensorForm(or);
/** {@link BitwiseOrTensor} with a Python number. */
export const BitwiseOrScalar = scalarForm(or);
/** {@link BitwiseOrTensor} with a Python number as self. */
export const BitwiseOrScalarTensor = scalarFirstForm(or, 'Scalar_Tensor');
/** `self ^ other` */
export const BitwiseXorTensor = tensorForm(xor);
/** {@link BitwiseXorTensor} with a Python number. */
export const BitwiseXorScalar = scalarForm(xor);
/** {@link BitwiseXorTensor} with a Python number as self. */
export const BitwiseXorScalarTensor = scalarFirstForm(xor, 'Scalar_Tensor');

/** A shift; by a negative number or by the width of the dtype and more it shifts all bits out. */
const shift = (name: string, summary: string, f: (a: bigint, by: bigint, all: boolean) => bigint): BinaryRule => ({
  name,
  summary,
  compute: (promoted, fail) => noBools(onlyIntegers(promoted, fail), fail),
  kernel: (dtype: DType) => {
    const width = BigInt(dtypeInfo(dtype).bits);
    return { integer: (a, b) => f(a!, b!, b! < 0n || b! >= width) };
  },
});

const left = shift('bitwise_left_shift', 'bits moved up', (a, by, all) => (all ? 0n : a << by));
const right = shift('bitwise_right_shift', 'bits moved down, the sign kept', (a, by, all) => (all ? (a < 0n ? -1n : 0n) : a >> by));

/** `self · 2ᵒᵗʰᵉʳ`, wrapped to the dtype. */
export const BitwiseLeftShiftTensor = tensorForm(left);
/** {@link BitwiseLeftShiftTensor} by a Python number. */
export const BitwiseLeftShiftTensorScalar = scalarForm(left, 'Tensor_Scalar');
/** `⌊self / 2ᵒᵗʰᵉʳ⌋` */
export const BitwiseRightShiftTensor = tensorForm(right);
/** {@link BitwiseRightShiftTensor} by a Python number. */
export const BitwiseRightShiftTensorScalar = scalarForm(right, 'Tensor_Scalar');
