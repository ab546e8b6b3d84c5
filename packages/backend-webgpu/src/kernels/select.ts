import { floatScalar, intScalar } from '@qfuse/plugin';
import type { KernelSample, WebGPUKernel } from '../kernel.js';
import type { ScalarType } from '../storage.js';
import { type Elementwise, elementwise } from './elementwise.js';
import { extremes, f32, sample } from './samples.js';

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
const number =
  (of: (x: readonly string[]) => string): Elementwise['expression'] =>
  (x, type) =>
    type === 'bool' ? undefined : of(x as readonly string[]);

const whole = (operands: KernelSample['operands'], attrs?: KernelSample['attrs']): KernelSample => ({ operands, attrs });
const condition = sample('bool', [3, 5]);
const x = sample('f32', [extremes.length], extremes);
const three = { self: f32(3, 5), tensor1: f32(5), tensor2: sample('f32', [3, 1], [0.5, -1.5, 2]) };

/** The shape lists, by op. */
const samples: Readonly<Record<string, readonly KernelSample[]>> = {
  'where.self': [
    whole({ condition, self: f32(5), other: f32(3, 1) }),
    whole({ condition, self: sample('i64', [5]), other: f32() }),
    whole({ condition, self: sample('bool', [5]), other: sample('bool', [3, 1]) }),
  ],
  'where.ScalarOther': [whole({ condition, self: f32(5) }, { other: floatScalar(-Infinity) })],
  'where.ScalarSelf': [whole({ condition, other: f32(5) }, { self: floatScalar(NaN) })],
  'where.Scalar': [whole({ condition }, { self: intScalar(3), other: intScalar(-4) })],
  'masked_fill.Scalar': [
    whole({ self: f32(3, 5), mask: sample('bool', [5]) }, { value: floatScalar(-Infinity) }),
    whole({ self: sample('i64', [3, 5]), mask: condition }, { value: intScalar(9) }),
  ],
  'masked_fill.Tensor': [whole({ self: f32(3, 5), mask: sample('bool', [5]), value: f32() })],
  clamp: [
    whole({ self: x }, { min: floatScalar(-1), max: floatScalar(1) }),
    whole({ self: x }, { min: floatScalar(2), max: floatScalar(1) }),
    whole({ self: sample('i64', [7]) }, { max: intScalar(2) }),
  ],
  'clamp.Tensor': [whole({ self: x, min: f32(), max: sample('f32', [], [1.5]) }), whole({ self: f32(3, 5), max: f32(5) })],
  clamp_min: [whole({ self: x }, { min: floatScalar(0.25) })],
  'clamp_min.Tensor': [whole({ self: f32(3, 5), min: f32(5) })],
  clamp_max: [whole({ self: x }, { max: floatScalar(0.25) })],
  'clamp_max.Tensor': [whole({ self: f32(3, 5), max: f32(5) })],
  hardtanh: [whole({ self: x })],
  'lerp.Scalar': [whole({ self: f32(3, 5), end: f32(5) }, { weight: floatScalar(0.25) })],
  'lerp.Tensor': [whole({ self: f32(3, 5), end: f32(5), weight: sample('f32', [3, 1], [0.25, 0.75, 1]) })],
  addcmul: [whole(three, { value: floatScalar(0.5) })],
  addcdiv: [whole(three, { value: floatScalar(0.5) })],
};

const named: Readonly<Record<string, Omit<Elementwise, 'samples'>>> = {
  'where.self': { operands: ['condition', 'self', 'other'], keep: ['condition'], expression: chosen },
  'where.ScalarOther': { operands: ['condition', 'self'], scalars: ['other'], keep: ['condition'], expression: chosen },
  'where.ScalarSelf': {
    operands: ['condition', 'other'],
    scalars: ['self'],
    keep: ['condition'],
    expression: ([c, b, a]) => chosen([c, a, b]),
  },
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
  'lerp.Scalar': {
    operands: ['self', 'end'],
    scalars: ['weight'],
    expression: number(([a, b, w]) => `select(${a} + ${w} * (${b} - ${a}), ${b} - (${b} - ${a}) * (1.0 - ${w}), abs(${w}) >= 0.5)`),
  },
  'lerp.Tensor': {
    operands: ['self', 'end', 'weight'],
    expression: number(([a, b, w]) => `select(${a} + ${w} * (${b} - ${a}), ${b} - (${b} - ${a}) * (1.0 - ${w}), abs(${w}) >= 0.5)`),
  },
  addcmul: {
    operands: ['self', 'tensor1', 'tensor2'],
    scalars: ['value'],
    expression: number(([x, a, b, v]) => `(${x} + ${v} * ${a} * ${b})`),
  },
  addcdiv: {
    operands: ['self', 'tensor1', 'tensor2'],
    scalars: ['value'],
    expression: number(([x, a, b, v]) => `(${x} + ${v} * ${a} / ${b})`),
  },
};

/** The kernels of this family. */
export const selectKernels: readonly WebGPUKernel[] = Object.entries(named).map(([name, init]) =>
  elementwise(`aten.${name}`, { ...init, error: { absolute: 2 ** -22, relative: 2 ** -20 }, samples: samples[name] ?? [] }),
);
