import { attr, type DType, intScalar, isFloat, type Scalar, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { floatResult, type Promotable, resultType } from '../promotion.js';
import { broadcastShapes, type Fail } from '../shapes.js';
import { type BinaryRule, scalarForm, tensorForm, widened, widenedOperands } from './support/binary.js';
import { applyKernel, type Kernel, scalarIn, scalarTensor } from './support/elementwise.js';

const mul: BinaryRule = {
  name: 'mul',
  summary: 'self times other',
  commutative: true,
  compute: widened,
  result: (promoted) => promoted,
  kernel: () => ({ float: (a, b) => a! * b!, integer: (a, b) => a! * b! }),
};

/** `self · other`, broadcast; dtypes are promoted, integers wrap, bools are "and". */
export const MulTensor = tensorForm(mul);
/** {@link MulTensor} with a Python number. */
export const MulScalar = scalarForm(mul);

const div: BinaryRule = {
  name: 'div',
  summary: 'self divided by other',
  compute: (promoted) => widened(floatResult(promoted)),
  result: floatResult,
  kernel: () => ({ float: (a, b) => a! / b! }),
};

/** `self / other`, broadcast; integers and bools give f32. */
export const DivTensor = tensorForm(div);
/** {@link DivTensor} with a Python number. */
export const DivScalar = scalarForm(div);

/** An op `self ± alpha · other` or `other - alpha · self`. */
interface Additive {
  readonly name: string;
  readonly summary: string;
  readonly float: (a: number, b: number, alpha: number) => number;
  readonly integer: (a: bigint, b: bigint, alpha: bigint) => bigint;
  /** Refuses bool operands, as torch does for differences. */
  readonly subtracts: boolean;
}

const alphaAttr = attr.optional(attr.scalar(), intScalar(1));

function additiveDType({ subtracts }: Additive, operands: readonly Promotable[], alpha: Scalar, fail: Fail): DType {
  const dtype = resultType(operands);
  if (subtracts && operands.some((o) => ('scalar' in o ? o.scalar.kind === 'bool' : o.dtype === 'bool')))
    fail('an operand is bool: a difference needs numbers (for bools use logical_xor)');
  if (!isFloat(dtype) && alpha.kind === 'float') fail('alpha is a float, but the operands are integers');
  if (dtype !== 'bool' && alpha.kind === 'bool') fail('alpha is a bool, but the operands are numbers');
  return dtype;
}

function additiveKernel({ float, integer }: Additive, alpha: Scalar, dtype: DType): Kernel {
  if (isFloat(dtype)) {
    const factor = scalarIn(alpha, dtype);
    return { float: (a, b) => float(a!, b!, factor) };
  }
  const factor = BigInt(alpha.value as number | bigint | boolean);
  return { integer: (a, b) => integer(a!, b!, factor) };
}

const additiveTensor = (rule: Additive) =>
  defineOp({
    name: `aten.${rule.name}.Tensor`,
    summary: rule.summary,
    operands: { self: tensor(), other: tensor() },
    attrs: { alpha: alphaAttr },
    elementwise: true,
    infer: ({ operands: { self, other }, attrs: { alpha }, env, fail }) => [
      tensorType(additiveDType(rule, [self, other], alpha, fail), broadcastShapes(env, [self.shape, other.shape], fail)),
    ],
    reference: ({ operands: { self, other }, attrs: { alpha }, results }) => {
      const dtype = widened(results[0]!.dtype);
      return [
        applyKernel(additiveKernel(rule, alpha, dtype), results[0]!, dtype, widenedOperands(results[0]!.dtype, dtype, [self, other])),
      ];
    },
  });

const additiveScalar = (rule: Additive) =>
  defineOp({
    name: `aten.${rule.name}.Scalar`,
    summary: `${rule.summary}; other is a number`,
    operands: { self: tensor() },
    attrs: { other: attr.scalar(), alpha: alphaAttr },
    elementwise: true,
    infer: ({ operands: { self }, attrs: { other, alpha }, fail }) => [
      tensorType(additiveDType(rule, [self, { scalar: other }], alpha, fail), self.shape),
    ],
    reference: ({ operands: { self }, attrs: { other, alpha }, results }) => {
      const dtype = widened(results[0]!.dtype);
      return [applyKernel(additiveKernel(rule, alpha, dtype), results[0]!, dtype, [self, scalarTensor(other, dtype)])];
    },
  });

const add: Additive = {
  name: 'add',
  summary: 'self plus alpha times other',
  subtracts: false,
  float: (a, b, alpha) => a + alpha * b,
  integer: (a, b, alpha) => a + alpha * b,
};
const sub: Additive = {
  name: 'sub',
  summary: 'self minus alpha times other',
  subtracts: true,
  float: (a, b, alpha) => a - alpha * b,
  integer: (a, b, alpha) => a - alpha * b,
};
const rsub: Additive = {
  name: 'rsub',
  summary: 'other minus alpha times self',
  subtracts: true,
  float: (a, b, alpha) => b - alpha * a,
  integer: (a, b, alpha) => b - alpha * a,
};

/** `self + alpha · other`, broadcast; dtypes are promoted, integers wrap, bools are "or". Commutes only when alpha is 1. */
export const AddTensor = additiveTensor(add);
/** {@link AddTensor} with a Python number. */
export const AddScalar = additiveScalar(add);
/** `self - alpha · other`, broadcast; dtypes are promoted, integers wrap, bools are refused. */
export const SubTensor = additiveTensor(sub);
/** {@link SubTensor} with a Python number. */
export const SubScalar = additiveScalar(sub);
/** `other - alpha · self`: {@link SubTensor} with its operands exchanged. */
export const RsubTensor = additiveTensor(rsub);
/** {@link RsubTensor} with a Python number as `other`: `number - alpha · self`. */
export const RsubScalar = additiveScalar(rsub);
