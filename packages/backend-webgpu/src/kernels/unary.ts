import { type Scalar, scalarNumber } from '@qfuse/plugin';
import type { ErrorBound, KernelSample, WebGPUKernel } from '../kernel.js';
import type { ScalarType } from '../storage.js';
import { f32Literal } from '../wgsl/shader.js';
import { elementwise } from './elementwise.js';
import { attrOf } from './ops.js';
import { extremes, f32, sample } from './samples.js';

/**
 * Ops of one operand, element by element. An expression is WGSL over `x`; one that differs between floats and
 * integers is given for each. The bounds of approximated functions are those of the polynomials in `wgsl/math.ts`.
 */
type Expressions = Partial<Record<ScalarType, string>>;

const close: ErrorBound = { absolute: 2 ** -24, relative: 2 ** -20 };
/** For functions that subtract nearly equal numbers near a zero. */
const smooth: ErrorBound = { absolute: 2 ** -20, relative: 2 ** -19 };

const floats: Readonly<Record<string, readonly [expression: string, error?: ErrorBound]>> = {
  exp: ['exponential(x)', close],
  exp2: ['exponential(x * 0.6931471805599453)', smooth],
  expm1: ['exponential_minus_1(x)', close],
  log: ['logarithm(x)', smooth],
  log1p: ['logarithm_1_plus(x)', close],
  log2: ['logarithm(x) * 1.4426950408889634', smooth],
  log10: ['logarithm(x) * 0.4342944819032518', smooth],
  sqrt: ['sqrt(x)'],
  rsqrt: ['1.0 / sqrt(x)', close],
  reciprocal: ['1.0 / x', close],
  sin: ['sine(x)', smooth],
  cos: ['cosine(x)', smooth],
  tan: ['sine(x) / cosine(x)', smooth],
  tanh: ['hyperbolic_tangent(x)', close],
  sigmoid: ['logistic(x)', close],
  erf: ['error_function(x)', close],
  silu: ['x * logistic(x)', close],
  mish: ['x * hyperbolic_tangent(logarithm_1_plus(exponential(min(x, 30.0))))', smooth],
  log_sigmoid: ['select(-logarithm_1_plus(exponential(-x)), x - logarithm_1_plus(exponential(x)), x < 0.0)', smooth],
  hardsigmoid: ['clamp_to(x / 6.0 + 0.5, 0.0, 1.0)', close],
  hardswish: ['x * clamp_to(x / 6.0 + 0.5, 0.0, 1.0)', close],
  relu6: ['clamp_to(x, 0.0, 6.0)'],
  frac: ['x - trunc(x)'],
};

const anyType: Readonly<Record<string, Expressions>> = {
  neg: { f32: '-x', i32: '-x', u32: '0u - x' },
  abs: { f32: 'abs(x)', i32: 'abs(x)', u32: 'x' },
  square: { f32: 'x * x', i32: 'x * x', u32: 'x * x' },
  // Not max(x, 0): a NaN stays one.
  relu: { f32: 'select(x, 0.0, x < 0.0)', i32: 'max(x, 0i)', u32: 'x' },
  sign: { f32: 'select(sign(x), 0.0, is_nan(x))', i32: 'sign(x)', u32: 'min(x, 1u)', bool: 'x' },
  sgn: { f32: 'select(sign(x), 0.0, is_nan(x))', i32: 'sign(x)', u32: 'min(x, 1u)', bool: 'x' },
  floor: { f32: 'floor(x)', i32: 'x', u32: 'x' },
  ceil: { f32: 'ceil(x)', i32: 'x', u32: 'x' },
  round: { f32: 'round(x)', i32: 'x', u32: 'x' },
  trunc: { f32: 'trunc(x)', i32: 'x', u32: 'x' },
  bitwise_not: { i32: '~x', u32: '~x', bool: '!x' },
};

/** Results are bool, whatever the operand is. */
const tests: Readonly<Record<string, Expressions>> = {
  logical_not: { f32: 'x == 0.0', i32: 'x == 0i', u32: 'x == 0u' },
  isnan: { f32: 'is_nan(x)', i32: 'false', u32: 'false' },
  isinf: { f32: 'is_inf(x)', i32: 'false', u32: 'false' },
  isfinite: { f32: '!(is_nan(x) || is_inf(x))', i32: 'true', u32: 'true' },
};

const substitute = (expression: string, x: string): string => expression.replace(/\bx\b/g, x);

const number = (node: Parameters<typeof attrOf>[0], name: string): string => {
  const value = attrOf<number | Scalar>(node, name);
  return f32Literal(typeof value === 'number' ? value : scalarNumber(value));
};

const on = (...operands: readonly ReturnType<typeof f32>[]): readonly KernelSample[] => operands.map((self) => ({ operands: { self } }));
const floatSamples = on(sample('f32', [extremes.length], extremes), f32(3, 7), f32(0, 2), f32());
/** Beyond some 1e5 the rest of an angle by π/2 has no digits left in f32 arithmetic. */
const angles = on(
  sample('f32', [13], [0, -0, 1, -1, Math.PI, Math.PI / 2, 100, -1234.5, 65536, 99999, NaN, Infinity, 1e-5]),
  f32(3, 7),
  f32(),
);
const integerSamples = on(sample('i64', [5, 3]), sample('i8', [7]), sample('u8', [6]));
const boolSample = on(sample('bool', [9]));

/** Samples for the types that an op has expressions for. */
const samplesFor = (forms: Expressions): readonly KernelSample[] => [
  ...(forms.f32 === undefined ? [] : floatSamples),
  ...(forms.i32 === undefined ? [] : integerSamples),
  ...(forms.bool === undefined ? [] : boolSample),
];

/** Activations with attributes. */
const withAttributes: Readonly<Record<string, Parameters<typeof elementwise>[1]>> = {
  gelu: {
    operands: ['self'],
    samples: [...floatSamples, { operands: { self: sample('f32', [extremes.length], extremes) }, attrs: { approximate: 'tanh' } }],
    error: smooth,
    expression: ([x], type, node) => {
      if (type !== 'f32') return undefined;
      if (attrOf<string>(node, 'approximate') === 'tanh')
        return `0.5 * ${x} * (1.0 + hyperbolic_tangent(0.7978845608028654 * (${x} + 0.044715 * ${x} * ${x} * ${x})))`;
      return `0.5 * ${x} * (1.0 + error_function(${x} * 0.7071067811865476))`;
    },
  },
  leaky_relu: {
    operands: ['self'],
    samples: floatSamples,
    expression: ([x], type, node) => (type === 'f32' ? `select(${x}, ${x} * ${number(node, 'negative_slope')}, ${x} < 0.0)` : undefined),
  },
  elu: {
    operands: ['self'],
    samples: floatSamples,
    error: smooth,
    expression: ([x], type, node) =>
      type === 'f32'
        ? `select(${x} * ${number(node, 'scale')}, exponential_minus_1(${x} * ${number(node, 'input_scale')}) * ${number(node, 'alpha')} * ${number(node, 'scale')}, ${x} <= 0.0)`
        : undefined,
  },
  softplus: {
    operands: ['self'],
    samples: floatSamples,
    error: smooth,
    expression: ([x], type, node) =>
      type === 'f32'
        ? `select(logarithm_1_plus(exponential(${x} * ${number(node, 'beta')})) / ${number(node, 'beta')}, ${x}, ${x} * ${number(node, 'beta')} > ${number(node, 'threshold')})`
        : undefined,
  },
};

/** The kernels of this family. */
export const unaryKernels: readonly WebGPUKernel[] = [
  ...Object.entries(floats).map(
    ([name, [expression, error]]) =>
      [
        name,
        {
          operands: ['self'],
          samples: ['sin', 'cos', 'tan'].includes(name) ? angles : floatSamples,
          ...(error && { error }),
          expression: ([x]: readonly (string | undefined)[], type: ScalarType) => (type === 'f32' ? substitute(expression, x!) : undefined),
        },
      ] as const,
  ),
  ...Object.entries(anyType).map(
    ([name, forms]) =>
      [
        name,
        {
          operands: ['self'],
          samples: samplesFor(forms),
          expression: ([x]: readonly (string | undefined)[], type: ScalarType) => forms[type] && substitute(forms[type], x!),
        },
      ] as const,
  ),
  ...Object.entries(tests).map(
    ([name, forms]) =>
      [
        name,
        {
          operands: ['self'],
          samples: [...samplesFor(forms), ...boolSample],
          compute: 'promoted' as const,
          expression: ([x]: readonly (string | undefined)[], type: ScalarType) => forms[type] && substitute(forms[type], x!),
        },
      ] as const,
  ),
  ...Object.entries(withAttributes),
].map(([name, init]) => elementwise(`aten.${name}`, init));
