import { realFunction } from './support/unary.js';
import { erf, erfc, erfinv, sigmoid } from './support/special-functions.js';

/** `eˣ`. Like all ops of this file: elementwise, integers and bools give f32. */
export const Exp = realFunction('aten.exp', 'e to the power of x', Math.exp);
/** `2ˣ` */
export const Exp2 = realFunction('aten.exp2', '2 to the power of x', (x) => 2 ** x);
/** `eˣ - 1` without cancellation near 0. */
export const Expm1 = realFunction('aten.expm1', 'exp(x) - 1', Math.expm1);
/** `ln x`; NaN below 0. */
export const Log = realFunction('aten.log', 'natural logarithm', Math.log);
/** `ln(1 + x)` without cancellation near 0. */
export const Log1p = realFunction('aten.log1p', 'log(1 + x)', Math.log1p);
/** `log₂ x` */
export const Log2 = realFunction('aten.log2', 'logarithm to base 2', Math.log2);
/** `log₁₀ x` */
export const Log10 = realFunction('aten.log10', 'logarithm to base 10', Math.log10);
/** `√x`; NaN below 0. */
export const Sqrt = realFunction('aten.sqrt', 'square root', Math.sqrt);
/** `1 / √x` */
export const Rsqrt = realFunction('aten.rsqrt', '1 / sqrt(x)', (x) => 1 / Math.sqrt(x));
/** `1 / x` */
export const Reciprocal = realFunction('aten.reciprocal', '1 / x', (x) => 1 / x);
/** `1 / (1 + e⁻ˣ)` */
export const Sigmoid = realFunction('aten.sigmoid', 'logistic function', sigmoid);
/** `2/√π ∫₀ˣ e^(-t²) dt` */
export const Erf = realFunction('aten.erf', 'error function', erf);
/** `1 - erf(x)` without cancellation. */
export const Erfc = realFunction('aten.erfc', '1 - erf(x)', erfc);
/** The inverse of {@link Erf}; NaN outside [-1, 1]. */
export const Erfinv = realFunction('aten.erfinv', 'inverse of the error function', erfinv);
