import { attr, floatScalar, intScalar } from '@qfuse/ir';
import { scalarIn } from './support/elementwise.js';
import { erf, logSigmoid, sigmoid } from './support/special-functions.js';
import { floatsOnly, unary } from './support/unary.js';

// Smooth activations: elementwise, floats only, the result has the operand's dtype. Numbers in attributes are rounded
// to that dtype first.

const activation = (name: string, summary: string, f: (x: number) => number) =>
  unary({ name, summary, dtype: floatsOnly, kernel: () => ({ float: f }) });

/** `x · sigmoid(x)` */
export const Silu = activation('aten.silu', 'x times sigmoid(x)', (x) => x * sigmoid(x));
/** `x · tanh(ln(1 + eˣ))` */
export const Mish = activation(
  'aten.mish',
  'x times tanh(softplus(x))',
  (x) => x * Math.tanh(Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
);
/** `ln(sigmoid(x))` without overflow. */
export const LogSigmoid = activation('aten.log_sigmoid', 'logarithm of sigmoid(x)', logSigmoid);

const geluTanh = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
const geluErf = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));

/** `x · Φ(x)`, Φ the normal distribution; `tanh` takes `½x(1 + tanh(√(2/π)(x + 0.044715x³)))` instead. */
export const Gelu = unary({
  name: 'aten.gelu',
  summary: 'x times the normal distribution function of x',
  attrs: { approximate: attr.optional(attr.oneOf('none', 'tanh'), 'none') },
  dtype: floatsOnly,
  kernel: ({ approximate }) => ({ float: approximate === 'tanh' ? geluTanh : geluErf }),
});

const one = intScalar(1);

/** `scale · x` from 0 up, else `scale · alpha · (e^(input_scale · x) - 1)`. */
export const Elu = unary({
  name: 'aten.elu',
  summary: 'exponential linear unit',
  attrs: {
    alpha: attr.optional(attr.scalar(), one),
    scale: attr.optional(attr.scalar(), one),
    input_scale: attr.optional(attr.scalar(), one),
  },
  dtype: floatsOnly,
  kernel: (attrs, dtype) => {
    const [alpha, scale, input] = [attrs.alpha, attrs.scale, attrs.input_scale].map((s) => scalarIn(s, dtype)) as [number, number, number];
    return { float: (x) => (x! < 0 ? Math.expm1(x! * input) * alpha * scale : x! * scale) };
  },
});

const SELU_ALPHA = 1.6732632423543772848170429916717;
const SELU_SCALE = 1.0507009873554804934193349852946;

/** {@link Elu} with the constants that keep mean 0 and variance 1. */
export const Selu = unary({
  name: 'aten.selu',
  summary: 'scaled exponential linear unit',
  dtype: floatsOnly,
  kernel: () => ({ float: (x) => SELU_SCALE * (x! > 0 ? x! : SELU_ALPHA * Math.expm1(x!)) }),
  decompose: ({ operands: { self }, builder }) => [
    builder.create(Elu, { self }, { alpha: floatScalar(SELU_ALPHA), scale: floatScalar(SELU_SCALE) }).result,
  ],
});

/** `max(0, x) + min(0, alpha · (e^(x / alpha) - 1))` */
export const Celu = unary({
  name: 'aten.celu',
  summary: 'continuously differentiable exponential linear unit',
  attrs: { alpha: attr.optional(attr.scalar(), floatScalar(1)) },
  dtype: (self, { alpha }, fail) =>
    Number(alpha.value) === 0 ? fail('alpha is 0, expected another number') : floatsOnly(self, undefined, fail),
  kernel: ({ alpha }, dtype) => {
    const a = scalarIn(alpha, dtype);
    return { float: (x) => (x! > 0 ? x! : a * Math.expm1(x! / a)) };
  },
  decompose: ({ operands: { self }, attrs: { alpha }, builder }) => [
    builder.create(Elu, { self }, { alpha, input_scale: floatScalar(1 / Number(alpha.value)) }).result,
  ],
});

/** `ln(1 + e^(beta · x)) / beta`, and x itself where `beta · x > threshold`. */
export const Softplus = unary({
  name: 'aten.softplus',
  summary: 'smooth rectifier',
  attrs: { beta: attr.optional(attr.scalar(), one), threshold: attr.optional(attr.scalar(), intScalar(20)) },
  dtype: floatsOnly,
  kernel: (attrs, dtype) => {
    const [beta, threshold] = [scalarIn(attrs.beta, dtype), scalarIn(attrs.threshold, dtype)];
    return { float: (x) => (x! * beta > threshold ? x! : Math.log1p(Math.exp(x! * beta)) / beta) };
  },
});
