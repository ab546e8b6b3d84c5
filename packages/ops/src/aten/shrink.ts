import { attr, floatScalar, intScalar, isFloat, scalarNumber } from '@qfuse/ir';
import { SubTensor } from './arithmetic.js';
import { Clamp } from './clamp.js';
import { LeScalar, LeTensor } from './comparison.js';
import { Full } from './fills.js';
import { Abs } from './signs.js';
import { checkScalar, largestOf, scalarIn, scalarTensor } from './support/elementwise.js';
import { floatsOnly, numbersOnly, unary } from './support/unary.js';
import { MaskedFillScalar } from './where.js';

// Activations that cut off small values: elementwise, the result has the operand's dtype. Numbers in attributes are
// rounded to that dtype first.

/** 0 where `|x| ≤ lambd`, else x; floats only. */
export const Hardshrink = unary({
  name: 'aten.hardshrink',
  summary: 'x without the small values',
  attrs: { lambd: attr.optional(attr.scalar(), floatScalar(0.5)) },
  dtype: floatsOnly,
  kernel: (attrs, dtype) => {
    const lambda = scalarIn(attrs.lambd, dtype);
    return { float: (x) => (x! >= -lambda && x! <= lambda ? 0 : x!) };
  },
  decompose: ({ operands: { self }, attrs: { lambd }, builder: b }) => {
    const mask = b.create(LeScalar, { self: b.create(Abs, { self }).result }, { other: lambd }).result;
    return [b.create(MaskedFillScalar, { self, mask }, { value: intScalar(0) }).result];
  },
});

/** x moved towards 0 by `lambd`, 0 where `|x| ≤ lambd`; floats only. */
export const Softshrink = unary({
  name: 'aten.softshrink',
  summary: 'x moved towards 0',
  attrs: { lambd: attr.optional(attr.scalar(), floatScalar(0.5)) },
  dtype: (self, { lambd }, fail) =>
    scalarNumber(lambd) >= 0 && scalarNumber(lambd) <= (isFloat(self) ? largestOf(self) : Number.POSITIVE_INFINITY)
      ? floatsOnly(self, undefined, fail)
      : fail(`lambd is ${lambd.value}, expected 0 to ${largestOf(self)}`),
  kernel: (attrs, dtype) => {
    const lambda = scalarIn(attrs.lambd, dtype);
    return { float: (x) => (x! > lambda ? x! - lambda : x! < -lambda ? x! + lambda : x! * 0) };
  },
  decompose: ({ operands: { self }, attrs: { lambd }, builder: b }) => {
    const middle = b.create(Clamp, { self }, { min: floatScalar(-scalarNumber(lambd)), max: lambd }).result;
    return [b.create(SubTensor, { self, other: middle }).result];
  },
});

/** x where `x > threshold`, else `value`; all dtypes but bool. */
export const Threshold = unary({
  name: 'aten.threshold',
  summary: 'replaces what is not above a threshold',
  attrs: { threshold: attr.scalar(), value: attr.scalar() },
  dtype: (self, { threshold, value }, fail) => {
    if (!isFloat(self)) for (const [name, s] of Object.entries({ threshold, value })) checkScalar(name, s, self, fail);
    return numbersOnly(self, undefined, fail);
  },
  kernel: ({ threshold, value }, dtype) => {
    const [limit, other] = [threshold, value].map((s) => scalarTensor(s, dtype).data[0]!) as [number | bigint, number | bigint];
    return { float: (x) => (x! <= limit ? other : x!), integer: (x) => (x! <= limit ? other : x!) };
  },
  decompose: ({ operands: { self }, attrs: { threshold, value }, builder: b }) => {
    // The limit in the dtype of self: compared as a number it could promote integers.
    const limit = b.create(Full, {}, { size: [], fill_value: threshold, dtype: self.type.dtype }).result;
    return [b.create(MaskedFillScalar, { self, mask: b.create(LeTensor, { self, other: limit }).result }, { value }).result];
  },
});
