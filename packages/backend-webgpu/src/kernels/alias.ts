import { dtypeInfo, type Node, no, type Verdict, yes } from '@qfuse/plugin';
import { defineKernel, exact, type WebGPUKernel } from '../kernel.js';
import { op } from './ops.js';
import { sample } from './samples.js';

/**
 * Casts that change nothing in device memory: to the same dtype, and between i32 and i64, which are one there. (Views
 * are no kernels: an op says of itself that it is one.)
 */
function supports(node: Node): Verdict {
  const from = node.operands[0]!.type.dtype;
  const to = node.results[0]!.type.dtype;
  const wide = (d: typeof from): boolean => dtypeInfo(d).kind === 'int' && dtypeInfo(d).bits >= 32;
  return from === to || (wide(from) && wide(to)) ? yes : no(`${from} and ${to} lie differently in memory`);
}

export const aliasKernels: readonly WebGPUKernel[] = ['aten._to_copy'].map((name) =>
  defineKernel({
    name: `alias/${name}`,
    op: op(name),
    alias: 'self',
    error: exact,
    supports,
    samples: [{ operands: { self: sample('i32', [3, 2]) }, attrs: { dtype: 'i64' } }],
  }),
);
