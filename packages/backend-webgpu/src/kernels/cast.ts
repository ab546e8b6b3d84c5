import { exact, type KernelSample, type WebGPUKernel } from '../kernel.js';
import { elementwise } from './elementwise.js';
import { sample } from './samples.js';

const samples: readonly KernelSample[] = [
  { operands: { self: sample('f32', [11], [0, -0, 1.9, -1.9, NaN, 2147483520, -300, 7]) }, attrs: { dtype: 'bool' } },
  { operands: { self: sample('f32', [5, 3], [1.9, -1.9, 0.5, 100000.7, -7]) }, attrs: { dtype: 'i64' } },
  { operands: { self: sample('f32', [7], [1.9, 127, -128, 3]) }, attrs: { dtype: 'i8' } },
  { operands: { self: sample('i32', [9], [300, -300, 127, 128, -129]) }, attrs: { dtype: 'i8' } },
  { operands: { self: sample('i32', [9], [300, -1, 255, 256]) }, attrs: { dtype: 'u8' } },
  { operands: { self: sample('i8', [13]) }, attrs: { dtype: 'f32' } },
  { operands: { self: sample('bool', [2, 3]) }, attrs: { dtype: 'f32' } },
  { operands: { self: sample('i64', [0]) }, attrs: { dtype: 'f32' } },
];

/** Casts between dtypes that lie differently in memory: floats are cut towards 0, integers wrap, bools are "not zero". */
export const castKernels: readonly WebGPUKernel[] = [
  elementwise('aten._to_copy', { operands: ['self'], error: exact, expression: ([x]) => x, samples }),
];
