import { tensorType, tensor } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { resultType } from '../promotion.js';
import { applyKernel } from './support/elementwise.js';
import { numbersOnly, unary } from './support/unary.js';

/** `|x|` in the operand's dtype; the smallest integer stays itself, as in two's complement. Bools are refused. */
export const Abs = unary({
  name: 'aten.abs',
  summary: 'absolute value',
  dtype: numbersOnly,
  kernel: () => ({ float: Math.abs, integer: (x) => (x < 0n ? -x : x) }),
});

/** `-x` in the operand's dtype; unsigned integers wrap. Bools are refused. */
export const Neg = unary({
  name: 'aten.neg',
  summary: 'negation',
  dtype: numbersOnly,
  kernel: () => ({ float: (x) => -x, integer: (x) => -x }),
});

const sign = (name: string) =>
  unary({
    name,
    summary: '-1, 0 or 1 by the sign of x',
    dtype: (self) => self,
    kernel: () => ({ float: (x) => (x > 0 ? 1 : x < 0 ? -1 : 0), integer: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n) }),
  });

/** -1, 0 or 1 by the sign of x; 0 for NaN. Bools stay as they are. */
export const Sign = sign('aten.sign');
/** {@link Sign}; they differ for complex numbers only. */
export const Sgn = sign('aten.sgn');

/** Whether x has a minus sign, also -0.0 and integers below 0. */
export const Signbit = unary({
  name: 'aten.signbit',
  summary: 'whether x has a minus sign',
  dtype: () => 'bool',
  compute: (self) => self,
  kernel: () => ({ float: (x) => x < 0 || Object.is(x, -0), integer: (x) => x < 0n }),
});

/** `x²`; bools give i64, as `x ** 2` does. */
export const Square = defineOp({
  name: 'aten.square',
  summary: 'x times x',
  operands: { self: tensor() },
  elementwise: true,
  infer: ({ operands: { self } }) => [tensorType(resultType([self, { scalar: { kind: 'int', value: 2 } }]), self.shape)],
  reference: ({ operands: { self }, results }) => [
    applyKernel({ float: (x) => x * x, integer: (x) => x * x }, results[0]!, results[0]!.dtype, [self]),
  ],
});
