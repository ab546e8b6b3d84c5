import type { ErrorBound, KernelSample, WebGPUKernel } from '../kernel.js';
import type { ScalarType } from '../storage.js';
import { elementwise } from './elementwise.js';
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
  exp2: ['exponential_2(x)', close],
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
  asin: ['arc_sine(x)', close],
  acos: ['arc_cosine(x)', smooth],
  atan: ['arc_tangent(x)', close],
  sinh: ['hyperbolic_sine(x)', close],
  cosh: ['hyperbolic_cosine(x)', close],
  tanh: ['hyperbolic_tangent(x)', close],
  asinh: ['arc_hyperbolic_sine(x)', close],
  acosh: ['arc_hyperbolic_cosine(x)', close],
  atanh: ['arc_hyperbolic_tangent(x)', close],
  deg2rad: ['x * 0.017453292519943295'],
  rad2deg: ['x * 57.29577951308232'],
  sinc: ['select(sine(x * 3.1415927) / (x * 3.1415927), 1.0, x == 0.0)', smooth],
  sigmoid: ['logistic(x)', close],
  erf: ['error_function(x)', close],
  erfc: ['1.0 - error_function(x)', smooth],
  erfinv: ['inverse_error_function(x)', smooth],
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
  // By its bits: a comparison does not keep a NaN from drivers that make it a maximum.
  relu: { f32: 'select(max(x, 0.0), x, is_nan(x))', i32: 'max(x, 0i)', u32: 'x' },
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
  isposinf: { f32: '(is_inf(x) && x > 0.0)', i32: 'false', u32: 'false' },
  isneginf: { f32: '(is_inf(x) && x < 0.0)', i32: 'false', u32: 'false' },
  signbit: { f32: 'has_sign(x)', i32: 'x < 0i', u32: 'false' },
  isfinite: { f32: '!(is_nan(x) || is_inf(x))', i32: 'true', u32: 'true' },
};

const substitute = (expression: string, x: string): string => expression.replace(/\bx\b/g, x);

const on = (...operands: readonly ReturnType<typeof f32>[]): readonly KernelSample[] => operands.map((self) => ({ operands: { self } }));
const floatSamples = on(sample('f32', [extremes.length], extremes), f32(3, 7), f32(0, 2), f32());
/** Numbers at equal distances, so that every piece of a function is met. */
const dense = (low: number, high: number): readonly KernelSample[] =>
  on(
    sample(
      'f32',
      [257],
      Array.from({ length: 257 }, (_, i) => low + ((high - low) * i) / 256),
    ),
  );
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

/** The kernels of this family. */
export const unaryKernels: readonly WebGPUKernel[] = [
  ...Object.entries(floats).map(
    ([name, [expression, error]]) =>
      [
        name,
        {
          operands: ['self'],
          samples: [...(['sin', 'cos', 'tan', 'sinc'].includes(name) ? angles : floatSamples), ...dense(-1, 1), ...dense(-30, 30)],
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
].map(([name, init]) => elementwise(`aten.${name}`, init));
