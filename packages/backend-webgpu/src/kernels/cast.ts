import { exact, type WebGPUKernel } from '../kernel.js';
import { elementwise } from './elementwise.js';

/** Casts between dtypes that lie differently in memory: floats are cut towards 0, integers wrap, bools are "not zero". */
export const castKernels: readonly WebGPUKernel[] = [elementwise('aten._to_copy', { operands: ['self'], error: exact, expression: ([x]) => x })];
