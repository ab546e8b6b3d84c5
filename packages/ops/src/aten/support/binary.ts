import { attr, type DType, dtypeInfo, type HostTensor, isFloat, type OperandSpec, tensor, type TensorType, tensorType } from '@qfuse/ir';
import { defineOp } from '../../define.js';
import { type Promotable, resultType } from '../../promotion.js';
import { broadcastShapes, type Fail } from '../../shapes.js';
import { applyKernel, castTensor, type Kernel, scalarTensor } from './elementwise.js';

/** An elementwise op of two numbers, from which its forms for tensors and Python scalars are made. */
export interface BinaryRule {
  /** Without dialect and overload, e.g. `add`. */
  readonly name: string;
  readonly summary: string;
  readonly commutative?: boolean;
  /** Dtype to compute in, from the promoted one; refuses those that the op does not take. Default: the promoted one. */
  readonly compute?: (promoted: DType, fail: Fail) => DType;
  /** Dtype of the result, from the promoted one. Default: that of `compute`. */
  readonly result?: (promoted: DType) => DType;
  /** The function of two elements in a dtype; `fail` refuses elements. */
  readonly kernel: (dtype: DType, fail: Fail) => Kernel;
}

const computeDType = ({ compute }: BinaryRule, promoted: DType, fail: Fail): DType => compute?.(promoted, fail) ?? promoted;

function resultDType(rule: BinaryRule, operands: readonly Promotable[], fail: Fail): DType {
  const promoted = resultType(operands);
  const computed = computeDType(rule, promoted, fail);
  return rule.result?.(promoted) ?? computed;
}

const opName = (name: string, overload: string): string => (overload === 'default' ? `aten.${name}` : `aten.${name}.${overload}`);

/** An operand whose name is a parameter, which the types of a definition cannot follow. */
const operandOf = <T>(operands: object, name: string): T => (operands as Readonly<Record<string, T>>)[name]!;

type Pair<N extends string> = { readonly [K in 'self' | N]: OperandSpec<'required'> };

/** `f(self, other)` of two tensors that broadcast; `second` is the name of the other operand. */
export const tensorForm = <N extends string = 'other'>(rule: BinaryRule, overload = 'Tensor', second: N = 'other' as N) =>
  defineOp<Pair<N>, {}>({
    name: opName(rule.name, overload),
    summary: rule.summary,
    operands: { self: tensor(), [second]: tensor() } as Pair<N>,
    elementwise: true,
    ...(rule.commutative === true ? { commutative: ['self', second] as const } : {}),
    infer: ({ operands, env, fail }) => {
      const [self, other] = ['self', second].map((name) => operandOf<TensorType>(operands, name)) as [TensorType, TensorType];
      return [tensorType(resultDType(rule, [self, other], fail), broadcastShapes(env, [self.shape, other.shape], fail))];
    },
    reference: ({ operands, results, fail }) => {
      const [self, other] = ['self', second].map((name) => operandOf<HostTensor>(operands, name)) as [HostTensor, HostTensor];
      const promoted = resultType([self, other]);
      const dtype = computeDType(rule, promoted, fail);
      return [applyKernel(rule.kernel(dtype, fail), results[0]!, dtype, widenedOperands(promoted, dtype, [self, other]))];
    },
  });

/** `f(self, other)` with a Python scalar as `other`. */
export const scalarForm = (rule: BinaryRule, overload = 'Scalar') =>
  defineOp({
    name: opName(rule.name, overload),
    summary: `${rule.summary}; other is a number`,
    operands: { self: tensor() },
    attrs: { other: attr.scalar() },
    elementwise: true,
    infer: ({ operands: { self }, attrs: { other }, fail }) => [tensorType(resultDType(rule, [self, { scalar: other }], fail), self.shape)],
    reference: ({ operands: { self }, attrs: { other }, results, fail }) => {
      const dtype = computeDType(rule, resultType([self, { scalar: other }]), fail);
      return [applyKernel(rule.kernel(dtype, fail), results[0]!, dtype, [self, scalarTensor(other, dtype)])];
    },
  });

/** `f(self, other)` with a Python scalar as `self`; `second` is the name of the operand. */
export const scalarFirstForm = <N extends string = 'other'>(rule: BinaryRule, overload: string, second: N = 'other' as N) =>
  defineOp({
    name: opName(rule.name, overload),
    summary: `${rule.summary}; self is a number`,
    operands: { [second]: tensor() } as { readonly [K in N]: OperandSpec<'required'> },
    attrs: { self: attr.scalar() },
    elementwise: true,
    infer: ({ operands, attrs: { self }, fail }) => {
      const other = operandOf<TensorType>(operands, second);
      return [tensorType(resultDType(rule, [{ scalar: self }, other], fail), other.shape)];
    },
    reference: ({ operands, attrs: { self }, results, fail }) => {
      const other = operandOf<HostTensor>(operands, second);
      const dtype = computeDType(rule, resultType([{ scalar: self }, other]), fail);
      return [applyKernel(rule.kernel(dtype, fail), results[0]!, dtype, [scalarTensor(self, dtype), other])];
    },
  });

/** For `compute`: refuses operands that are all bool. */
export const noBools = (promoted: DType, fail: Fail): DType =>
  promoted === 'bool' ? fail('operands are bool, expected numbers') : promoted;

/** For `compute`: refuses all but floats. */
export const onlyFloats = (promoted: DType, fail: Fail): DType =>
  isFloat(promoted) ? promoted : fail(`operands are ${promoted}, expected floats`);

/** For `compute`: refuses floats. */
export const onlyIntegers = (promoted: DType, fail: Fail): DType =>
  isFloat(promoted) ? fail(`operands are ${promoted}, expected integers or bools`) : promoted;

/**
 * For `compute`: f16 and bf16 are computed in f32. It matters for scalars and 0-d tensors of wider dtypes, which the
 * basic arithmetic of torch does not round to 16 bits first.
 */
export const widened = (promoted: DType): DType => (isFloat(promoted) && dtypeInfo(promoted).bits === 16 ? 'f32' : promoted);

/** What an op that computes in `dtype` reads: when that is {@link widened}, tensors with axes are rounded to the promoted dtype first. */
export const widenedOperands = (promoted: DType, dtype: DType, operands: readonly HostTensor[]): readonly HostTensor[] =>
  promoted === dtype || widened(promoted) !== dtype ? operands : operands.map((o) => (o.shape.length === 0 ? o : castTensor(o, promoted)));
