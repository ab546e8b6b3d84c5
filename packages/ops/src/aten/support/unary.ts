import { type AttrSpecs, type AttrsOf, type DType, isFloat, type OperandSpec, tensor, tensorType } from '@qfuse/ir';
import { type ConcreteAttrs, defineOp, type OpDefinition } from '../../define.js';
import { floatResult } from '../../promotion.js';
import type { Fail } from '../../shapes.js';
import { applyKernel, type Kernel } from './elementwise.js';

/** Operands of an op of one tensor. */
export type Self = { readonly self: OperandSpec<'required'> };

/** What {@link unary} takes. */
export interface UnaryInit<A extends AttrSpecs> {
  readonly name: string;
  readonly summary: string;
  readonly attrs?: A;
  /** Dtype of the result; refuses operands that the op does not take. */
  readonly dtype: (self: DType, attrs: AttrsOf<A>, fail: Fail) => DType;
  /** Dtype to compute in; the result's when it is left out. */
  readonly compute?: (self: DType) => DType;
  /** The function of an element, given the dtype it is computed in. */
  readonly kernel: (attrs: ConcreteAttrs<A>, compute: DType) => Kernel;
  readonly decompose?: OpDefinition<Self, A>['decompose'];
}

/** An elementwise op of one operand `self`; the result has its shape. */
export const unary = <const A extends AttrSpecs = {}>({
  name,
  summary,
  attrs,
  dtype,
  compute,
  kernel,
  decompose,
}: UnaryInit<A>): OpDefinition<Self, A> =>
  defineOp<Self, A>({
    name,
    summary,
    operands: { self: tensor() },
    attrs: (attrs ?? {}) as A,
    elementwise: true,
    infer: ({ operands: { self }, attrs: given, fail }) => [tensorType(dtype(self.dtype, given, fail), self.shape)],
    reference: ({ operands: { self }, attrs: given, results }) => {
      const type = compute?.(self.dtype) ?? results[0]!.dtype;
      return [applyKernel(kernel(given, type), results[0]!, type, [self])];
    },
    decompose,
  });

/** The result has the operand's dtype, which must be a float. */
export const floatsOnly = (self: DType, _: unknown, fail: Fail): DType =>
  isFloat(self) ? self : fail(`self is ${self}, expected a float dtype`);

/** The result has the operand's dtype, which must not be bool. */
export const numbersOnly = (self: DType, _: unknown, fail: Fail): DType =>
  self === 'bool' ? fail('self is bool, expected numbers') : self;

/** A function of real numbers; integers and bools give the default float dtype. */
export const realFunction = (name: string, summary: string, f: (x: number) => number): OpDefinition<Self, {}> =>
  unary({ name, summary, dtype: floatResult, kernel: () => ({ float: f }) });
