import type { WebGPUKernel } from '../kernel.js';
import type { ScalarType } from '../storage.js';
import { type Elementwise, elementwise } from './elementwise.js';
import { hasOp } from './ops.js';

/** Choices and bounds, element by element: where, masked_fill, clamp, and combinations of three tensors. */

const bounded = ([x, low, high]: readonly (string | undefined)[], type: ScalarType): string | undefined => {
  if (type === 'bool') return undefined;
  // As torch: min(max(x, low), high), so the upper bound wins when they cross, and a NaN anywhere gives NaN.
  const [larger, smaller] = type === 'f32' ? ['maximum', 'minimum'] : ['max', 'min'];
  const above = low === undefined ? x! : `${larger}(${x}, ${low})`;
  return high === undefined ? above : `${smaller}(${above}, ${high})`;
};

const chosen = ([condition, a, b]: readonly (string | undefined)[]): string => `select(${b}, ${a}, ${condition})`;
const filled = ([x, mask, value]: readonly (string | undefined)[]): string => `select(${x}, ${value}, ${mask})`;
const number = (of: (x: readonly string[]) => string): Elementwise['expression'] => (x, type) => (type === 'bool' ? undefined : of(x as readonly string[]));

const named: Readonly<Record<string, Elementwise>> = {
  'where.self': { operands: ['condition', 'self', 'other'], keep: ['condition'], expression: chosen },
  'where.ScalarOther': { operands: ['condition', 'self'], scalars: ['other'], keep: ['condition'], expression: chosen },
  'where.ScalarSelf': { operands: ['condition', 'other'], scalars: ['self'], keep: ['condition'], expression: ([c, b, a]) => chosen([c, a, b]) },
  'where.Scalar': { operands: ['condition'], scalars: ['self', 'other'], keep: ['condition'], expression: chosen },
  'masked_fill.Scalar': { operands: ['self', 'mask'], scalars: ['value'], keep: ['mask'], expression: filled },
  'masked_fill.Tensor': { operands: ['self', 'mask', 'value'], keep: ['mask'], expression: filled },
  clamp: { operands: ['self'], scalars: ['min', 'max'], expression: bounded },
  'clamp.Tensor': { operands: ['self', 'min', 'max'], expression: bounded },
  clamp_min: { operands: ['self'], scalars: ['min'], expression: bounded },
  'clamp_min.Tensor': { operands: ['self', 'min'], expression: bounded },
  clamp_max: { operands: ['self'], scalars: ['max'], expression: ([x, high], type) => bounded([x, undefined, high], type) },
  'clamp_max.Tensor': { operands: ['self', 'max'], expression: ([x, high], type) => bounded([x, undefined, high], type) },
  hardtanh: { operands: ['self'], scalars: ['min_val', 'max_val'], expression: bounded },
  'lerp.Scalar': { operands: ['self', 'end'], scalars: ['weight'], expression: number(([a, b, w]) => `select(${a} + ${w} * (${b} - ${a}), ${b} - (${b} - ${a}) * (1.0 - ${w}), abs(${w}) >= 0.5)`) },
  'lerp.Tensor': { operands: ['self', 'end', 'weight'], expression: number(([a, b, w]) => `select(${a} + ${w} * (${b} - ${a}), ${b} - (${b} - ${a}) * (1.0 - ${w}), abs(${w}) >= 0.5)`) },
  addcmul: { operands: ['self', 'tensor1', 'tensor2'], scalars: ['value'], expression: number(([x, a, b, v]) => `(${x} + ${v} * ${a} * ${b})`) },
  addcdiv: { operands: ['self', 'tensor1', 'tensor2'], scalars: ['value'], expression: number(([x, a, b, v]) => `(${x} + ${v} * ${a} / ${b})`) },
};

/** Kernels of this family for the ops that exist. */
export const selectKernels: readonly WebGPUKernel[] = Object.entries(named)
  .filter(([name]) => hasOp(`aten.${name}`))
  .map(([name, init]) => elementwise(`aten.${name}`, init));
