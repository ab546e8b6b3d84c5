import type { ErrorBound, WebGPUKernel } from '../kernel.js';
import { call, close, expression, type Form, type Forms, pairSamples, scalarSamples } from './binary.js';
import { type Elementwise, elementwise } from './elementwise.js';

/** Functions of two operands (or an operand and a scalar), element by element, that are not operators of WGSL. */
const copysign: Forms = { f32: call('with_sign') };
const xlogy: Forms = { f32: call('x_log_y') };
const smooth: ErrorBound = { absolute: 2 ** -20, relative: 2 ** -19 };
const integers = (f: Form): Forms => ({ i32: f, u32: (a, b) => `u32(${f(`i32(${a})`, `i32(${b})`)})` });

/** Of tensors `self` and `other`. */
const pair = (forms: Forms, error: ErrorBound = close): Elementwise => ({
  operands: ['self', 'other'],
  expression: expression(forms),
  error,
  samples: pairSamples(forms, 'other'),
});
/** Of a tensor `self` and a number `other`. */
const withScalar = (forms: Forms, error: ErrorBound = close): Elementwise => ({
  operands: ['self'],
  scalars: ['other'],
  expression: expression(forms),
  error,
  samples: scalarSamples(forms, 'self', 'other'),
});
/** Of a number `self` and a tensor `other`. */
const scalarFirst = (forms: Forms, error: ErrorBound = close): Elementwise => ({
  operands: ['other'],
  scalars: ['self'],
  expression: ([b, a], type, node) => expression(forms)([a, b], type, node),
  error,
  samples: scalarSamples(forms, 'other', 'self'),
});

const left = integers(call('shift_left'));
const right: Forms = {
  i32: call('shift_right'),
  u32: (a, b) => `select(${a} >> (${b} & 31u), 0u, ${b} > 31u)`,
};

const named: Readonly<Record<string, Elementwise>> = {
  atan2: pair({ f32: call('arc_tangent_2') }),
  hypot: pair({ f32: call('hypotenuse') }),
  logaddexp: pair({ f32: (a, b) => `log_add_exp(${a}, ${b}, 1.0)` }, smooth),
  logaddexp2: pair({ f32: (a, b) => `log_add_exp(${a}, ${b}, 0.6931471805599453)` }, smooth),
  'copysign.Tensor': pair(copysign),
  'copysign.Scalar': withScalar(copysign),
  'xlogy.Tensor': pair(xlogy, smooth),
  'xlogy.Scalar_Other': withScalar(xlogy, smooth),
  'xlogy.Scalar_Self': scalarFirst(xlogy, smooth),
  gcd: pair(integers(call('greatest_divisor'))),
  'bitwise_left_shift.Tensor': pair(left),
  'bitwise_left_shift.Tensor_Scalar': withScalar(left),
  'bitwise_right_shift.Tensor': pair(right),
  'bitwise_right_shift.Tensor_Scalar': withScalar(right),
};

/** The kernels of this family. */
export const binaryFunctionKernels: readonly WebGPUKernel[] = Object.entries(named).map(([name, init]) =>
  elementwise(`aten.${name}`, init),
);
