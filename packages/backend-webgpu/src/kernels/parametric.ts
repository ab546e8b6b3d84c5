import { type Node, type Scalar, scalarNumber } from '@qfuse/plugin';
import type { ErrorBound, KernelSample, WebGPUKernel } from '../kernel.js';
import { f32Literal } from '../wgsl/shader.js';
import { type Elementwise, elementwise } from './elementwise.js';
import { attrOf } from './ops.js';
import { extremes, f32, sample } from './samples.js';

/** Ops of one operand with attributes, element by element. Attributes are literals of the shader. */
const smooth: ErrorBound = { absolute: 2 ** -20, relative: 2 ** -19 };

const numberOf = (node: Node, name: string): number | undefined => {
  const value = attrOf<number | Scalar | undefined>(node, name);
  return value === undefined || typeof value === 'number' ? value : scalarNumber(value);
};
const number = (node: Node, name: string): string => f32Literal(numberOf(node, name)!);

const x = sample('f32', [extremes.length], extremes);
const floatSamples: readonly KernelSample[] = [x, f32(3, 7), f32(0, 2), f32()].map((self) => ({ operands: { self } }));
const probabilities = sample('f32', [9], [0, 1e-7, 0.1, 0.4999, 0.5, 0.75, 0.999, 1, NaN]);
/** Halves and quarters, whose products with powers of ten are exact: ties. */
const ties = sample('f32', [12], [2.5, -2.5, 0.125, 0.375, -0.625, 25, 35, 125, -0.005, 1234.5678, NaN, -Infinity]);

/** `x` rounded to `decimals` digits; a negative number rounds before the point. */
function rounded(x: string, decimals: number): string {
  if (decimals === 0) return `round(${x})`;
  const ten = f32Literal(10 ** Math.abs(decimals));
  return decimals > 0 ? `(round(${x} * ${ten}) / ${ten})` : `(round(correct_quotient(${x}, ${ten})) * ${ten})`;
}

const functions: Readonly<Record<string, Elementwise>> = {
  gelu: {
    operands: ['self'],
    samples: [...floatSamples, { operands: { self: x }, attrs: { approximate: 'tanh' } }],
    error: smooth,
    expression: ([v], type, node) => {
      if (type !== 'f32') return undefined;
      if (attrOf<string>(node, 'approximate') === 'tanh')
        return `0.5 * ${v} * (1.0 + hyperbolic_tangent(0.7978845608028654 * (${v} + 0.044715 * ${v} * ${v} * ${v})))`;
      return `0.5 * ${v} * (1.0 + error_function(${v} * 0.7071067811865476))`;
    },
  },
  leaky_relu: {
    operands: ['self'],
    samples: floatSamples,
    expression: ([v], type, node) => (type === 'f32' ? `select(${v}, ${v} * ${number(node, 'negative_slope')}, ${v} < 0.0)` : undefined),
  },
  elu: {
    operands: ['self'],
    samples: floatSamples,
    error: smooth,
    expression: ([v], type, node) =>
      type === 'f32'
        ? `select(${v} * ${number(node, 'scale')}, exponential_minus_1(${v} * ${number(node, 'input_scale')}) * ${number(node, 'alpha')} * ${number(node, 'scale')}, ${v} <= 0.0)`
        : undefined,
  },
  softplus: {
    operands: ['self'],
    samples: floatSamples,
    error: smooth,
    expression: ([v], type, node) =>
      type === 'f32'
        ? `select(logarithm_1_plus(exponential(${v} * ${number(node, 'beta')})) / ${number(node, 'beta')}, ${v}, ${v} * ${number(node, 'beta')} > ${number(node, 'threshold')})`
        : undefined,
  },
  logit: {
    operands: ['self'],
    samples: [{ operands: { self: probabilities } }, { operands: { self: probabilities }, attrs: { eps: 1e-3 } }, ...floatSamples],
    error: smooth,
    expression: ([v], type, node) => {
      if (type !== 'f32') return undefined;
      const eps = numberOf(node, 'eps');
      const z = eps === undefined ? v! : `clamp_to(${v}, ${f32Literal(eps)}, ${f32Literal(1 - eps)})`;
      return `logarithm(${z} / (1.0 - ${z}))`;
    },
  },
  nan_to_num: {
    operands: ['self'],
    samples: [
      ...floatSamples,
      { operands: { self: x }, attrs: { nan: 1.5, posinf: 7, neginf: -8 } },
      { operands: { self: sample('i64', [5]) } },
    ],
    expression: ([v], type, node) => {
      if (type !== 'f32') return v;
      const [nan, high, low] = ['nan', 'posinf', 'neginf'].map((name) => numberOf(node, name));
      const largest = (2 - 2 ** -23) * 2 ** 127;
      const finite = `select(${v}, select(${f32Literal(low ?? -largest)}, ${f32Literal(high ?? largest)}, ${v} > 0.0), is_inf(${v}))`;
      return `select(${finite}, ${f32Literal(nan ?? 0)}, is_nan(${v}))`;
    },
  },
  'round.decimals': {
    operands: ['self'],
    samples: [0, 1, 2, 3, -1, -2].flatMap((decimals) => [ties, f32(3, 7)].map((self) => ({ operands: { self }, attrs: { decimals } }))),
    expression: ([v], type, node) => (type === 'f32' ? rounded(v!, attrOf<number>(node, 'decimals')) : undefined),
  },
};

/** The kernels of this family. */
export const parametricKernels: readonly WebGPUKernel[] = Object.entries(functions).map(([name, init]) =>
  elementwise(`aten.${name}`, init),
);
