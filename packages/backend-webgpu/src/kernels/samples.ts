import type { DType } from '@qfuse/plugin';
import type { KernelSample, SampleTensor } from '../kernel.js';

/** A sample operand with random values, or with `values` repeated. */
export const sample = (dtype: DType, shape: readonly number[], values?: readonly number[]): SampleTensor => ({ dtype, shape, values });

/** An f32 sample operand. */
export const f32 = (...shape: number[]): SampleTensor => ({ dtype: 'f32', shape });

/** Indices into `size` places, negative ones among them where the op counts from the end. */
export const indices = (shape: readonly number[], size: number, negative = false): SampleTensor => ({
  dtype: 'i64',
  shape,
  values: Array.from({ length: 7 }, (_, i) => ((i * 5) % size) - (negative && i % 3 === 0 ? size : 0)),
});

/** A graph constant. */
export const fixed = (tensor: SampleTensor): SampleTensor => ({ ...tensor, constant: true });

/** Numbers at which kernels go wrong: both zeros, infinities, NaN, overflow of exp, the last integers of f32, ties. */
export const extremes: readonly number[] = [
  0,
  -0,
  1,
  -1,
  Infinity,
  -Infinity,
  NaN,
  0.5,
  -0.5,
  1.5,
  2.5,
  -2.5,
  88.5,
  89,
  -88,
  -104,
  1e30,
  -1e30,
  16777217,
  -16777217,
  1e-5,
  -1e-5,
  3.0517578125e-5,
];

/** Every pair of {@link extremes}, as two operands. */
export const extremePairs: readonly [SampleTensor, SampleTensor] = [
  sample(
    'f32',
    [extremes.length, extremes.length],
    extremes.flatMap((x) => extremes.map(() => x)),
  ),
  sample('f32', [extremes.length], extremes),
];

/** One sample for each list of operands. */
export const samplesOf = (...operands: readonly KernelSample['operands'][]): readonly KernelSample[] =>
  operands.map((o) => ({ operands: o }));
