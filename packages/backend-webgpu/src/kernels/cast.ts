import type { WebGPUKernel } from '../kernel.js';
import { elementwise } from './elementwise.js';
import { hasOp, op } from './ops.js';

/** Casts between dtypes that lie differently in memory: floats are truncated, integers wrap around, bool is "not zero". */
const casts: readonly string[] = ['to.dtype', 'to.dtype_layout', 'to.device', '_to_copy', 'type_as', 'to.other', 'clone'];

/** Kernels of this family for the ops that exist. */
export const castKernels: readonly WebGPUKernel[] = casts
  .map((name) => `aten.${name}`)
  .filter(hasOp)
  .map((name) => elementwise(name, { operands: [op(name).operandNames[0]!], expression: ([x]) => x }));
