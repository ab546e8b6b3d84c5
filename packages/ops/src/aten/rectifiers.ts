import { attr, type DType, dtypeInfo, floatScalar, intScalar, type Scalar, scalarNumber } from '@qfuse/ir';
import type { Fail } from '../shapes.js';
import { checkScalar, type Kernel, scalarIn, scalarTensor } from './support/elementwise.js';
import { maximum, minimum } from './support/special-functions.js';
import { floatsOnly, numbersOnly, unary } from './support/unary.js';

// Activations made of straight pieces: elementwise, the result has the operand's dtype. Numbers in attributes are
// rounded to that dtype first.

/** `max(x, 0)`; all dtypes but bool. NaN stays NaN. */
export const Relu = unary({
  name: 'aten.relu',
  summary: 'max(x, 0)',
  dtype: numbersOnly,
  kernel: () => ({ float: (x) => maximum(x!, 0), integer: (x) => (x! > 0n ? x! : 0n) }),
});

/** `min(max(x, low), high)` in a dtype; NaN stays NaN. */
function range(low: Scalar, high: Scalar, dtype: DType): Kernel {
  if (dtypeInfo(dtype).kind === 'float') {
    const [a, b] = [scalarIn(low, dtype), scalarIn(high, dtype)];
    return { float: (x) => minimum(maximum(x!, a), b) };
  }
  const [a, b] = [low, high].map((s) => BigInt(scalarTensor(s, dtype).data[0]!)) as [bigint, bigint];
  const raised = (x: bigint): bigint => (x < a ? a : x);
  return { integer: (x) => (raised(x!) > b ? b : raised(x!)) };
}

function rangeDType(self: DType, low: Scalar, high: Scalar, fail: Fail): DType {
  if (dtypeInfo(self).kind === 'uint' && (scalarNumber(low) < 0 || scalarNumber(high) < 0))
    fail(`self is ${self} and a bound is negative, expected a signed dtype`);
  for (const s of [low, high]) checkScalar('a bound', s, self, fail);
  return numbersOnly(self, undefined, fail);
}

/** `min(max(x, min_val), max_val)`; all dtypes but bool. */
export const Hardtanh = unary({
  name: 'aten.hardtanh',
  summary: 'limits x to a range',
  attrs: { min_val: attr.optional(attr.scalar(), intScalar(-1)), max_val: attr.optional(attr.scalar(), intScalar(1)) },
  dtype: (self, { min_val: low, max_val: high }, fail) => rangeDType(self, low, high, fail),
  kernel: ({ min_val: low, max_val: high }, dtype) => range(low, high, dtype),
});

/** `min(max(x, 0), 6)`; all dtypes but bool. */
export const Relu6 = unary({
  name: 'aten.relu6',
  summary: 'limits x to [0, 6]',
  dtype: numbersOnly,
  kernel: (_, dtype) => range(intScalar(0), intScalar(6), dtype),
  decompose: ({ operands: { self }, builder }) => [
    builder.create(Hardtanh, { self }, { min_val: intScalar(0), max_val: intScalar(6) }).result,
  ],
});

const ramp = (x: number): number => minimum(maximum(x + 3, 0), 6) / 6;

/** `min(max(x + 3, 0), 6) / 6`; floats only. */
export const Hardsigmoid = unary({
  name: 'aten.hardsigmoid',
  summary: 'sigmoid of straight pieces',
  dtype: floatsOnly,
  kernel: () => ({ float: ramp }),
});
/** `x · min(max(x + 3, 0), 6) / 6`; floats only. */
export const Hardswish = unary({
  name: 'aten.hardswish',
  summary: 'x times hardsigmoid(x)',
  dtype: floatsOnly,
  kernel: () => ({ float: (x) => x! * ramp(x!) }),
});

const leak = (slope: number): Kernel => ({ float: (x) => (x! > 0 ? x! : x! * slope) });

/** x above 0, else `negative_slope · x`; floats only. */
export const LeakyRelu = unary({
  name: 'aten.leaky_relu',
  summary: 'x, with a smaller slope below 0',
  attrs: { negative_slope: attr.optional(attr.scalar(), floatScalar(0.01)) },
  dtype: floatsOnly,
  kernel: ({ negative_slope: slope }, dtype) => leak(scalarIn(slope, dtype)),
});

/** {@link LeakyRelu} with the mean slope `(lower + upper) / 2`; the random slopes of training are refused. */
export const Rrelu = unary({
  name: 'aten.rrelu',
  summary: 'x, with a smaller slope below 0',
  attrs: {
    lower: attr.optional(attr.scalar(), floatScalar(0.125)),
    upper: attr.optional(attr.scalar(), floatScalar(1 / 3)),
    training: attr.optional(attr.bool(), false),
  },
  dtype: (self, { training }, fail) =>
    training ? fail('training is true: the slopes are random; export the model in evaluation mode') : floatsOnly(self, undefined, fail),
  kernel: ({ lower, upper }) => leak((scalarNumber(lower) + scalarNumber(upper)) / 2),
  decompose: ({ operands: { self }, attrs: { lower, upper }, builder }) => [
    builder.create(LeakyRelu, { self }, { negative_slope: floatScalar((scalarNumber(lower) + scalarNumber(upper)) / 2) }).result,
  ],
});
