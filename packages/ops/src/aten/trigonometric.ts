import { floatResult } from '../promotion.js';
import { rounder } from './support/elementwise.js';
import { realFunction, unary } from './support/unary.js';

/** `sin x`, x in radians. Like all ops of this file: elementwise, integers and bools give f32. */
export const Sin = realFunction('aten.sin', 'sine', Math.sin);
/** `cos x` */
export const Cos = realFunction('aten.cos', 'cosine', Math.cos);
/** `tan x` */
export const Tan = realFunction('aten.tan', 'tangent', Math.tan);
/** The angle in [-π/2, π/2] whose sine is x; NaN outside [-1, 1]. */
export const Asin = realFunction('aten.asin', 'inverse sine', Math.asin);
/** The angle in [0, π] whose cosine is x; NaN outside [-1, 1]. */
export const Acos = realFunction('aten.acos', 'inverse cosine', Math.acos);
/** The angle in (-π/2, π/2) whose tangent is x. */
export const Atan = realFunction('aten.atan', 'inverse tangent', Math.atan);
/** `(eˣ - e⁻ˣ) / 2` */
export const Sinh = realFunction('aten.sinh', 'hyperbolic sine', Math.sinh);
/** `(eˣ + e⁻ˣ) / 2` */
export const Cosh = realFunction('aten.cosh', 'hyperbolic cosine', Math.cosh);
/** `sinh x / cosh x` */
export const Tanh = realFunction('aten.tanh', 'hyperbolic tangent', Math.tanh);
/** `ln(x + √(x² + 1))` */
export const Asinh = realFunction('aten.asinh', 'inverse hyperbolic sine', Math.asinh);
/** `ln(x + √(x² - 1))`; NaN below 1. */
export const Acosh = realFunction('aten.acosh', 'inverse hyperbolic cosine', Math.acosh);
/** `½ ln((1 + x) / (1 - x))`; NaN outside [-1, 1]. */
export const Atanh = realFunction('aten.atanh', 'inverse hyperbolic tangent', Math.atanh);
/** `x · π / 180` */
export const Deg2rad = realFunction('aten.deg2rad', 'degrees as radians', (x) => x * (Math.PI / 180));
/** `x · 180 / π` */
export const Rad2deg = realFunction('aten.rad2deg', 'radians as degrees', (x) => x * (180 / Math.PI));
/** `sin(πx) / (πx)`, 1 at 0; integers and bools give f32. The product is rounded to the dtype (f32 for 16-bit floats), as in torch. */
export const Sinc = unary({
  name: 'aten.sinc',
  summary: 'sin(pi x) / (pi x)',
  dtype: floatResult,
  kernel: (_, dtype) => {
    const round = rounder(dtype === 'f64' ? 'f64' : 'f32');
    const pi = round(Math.PI);
    return { float: (x) => (x === 0 ? 1 : Math.sin(round(pi * x!)) / round(pi * x!)) };
  },
});
