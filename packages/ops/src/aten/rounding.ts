import { attr, roundTiesToEven } from '@qfuse/ir';
import { rounder } from './support/elementwise.js';
import { floatsOnly, numbersOnly, unary } from './support/unary.js';
import { roundDecimals } from './support/special-functions.js';

/** Rounds a float to an integer; integers stay as they are, bools are refused. */
const rounding = (name: string, summary: string, f: (x: number) => number) =>
  unary({ name, summary, dtype: numbersOnly, kernel: () => ({ float: f, integer: (x) => x }) });

/** The largest integer that is at most x. */
export const Floor = rounding('aten.floor', 'rounds towards minus infinity', Math.floor);
/** The smallest integer that is at least x. */
export const Ceil = rounding('aten.ceil', 'rounds towards infinity', Math.ceil);
/** The nearest integer, ties to the even one. */
export const Round = rounding('aten.round', 'rounds to the nearest integer, ties to even', roundTiesToEven);
/** x without its fraction. */
export const Trunc = rounding('aten.trunc', 'rounds towards 0', Math.trunc);

/** `x - trunc(x)`; floats only. */
export const Frac = unary({
  name: 'aten.frac',
  summary: 'fraction of x, with its sign',
  dtype: floatsOnly,
  kernel: () => ({ float: (x) => x - Math.trunc(x) }),
});

/**
 * `round(x · 10ᵈ) / 10ᵈ` for `d = decimals`, ties to even; floats only. Product and quotient are rounded
 * to the dtype (f32 for 16-bit floats), as torch does: which way a tie goes depends on it.
 */
export const RoundDecimals = unary({
  name: 'aten.round.decimals',
  summary: 'rounds to a number of decimal digits, ties to even',
  attrs: { decimals: attr.int() },
  dtype: floatsOnly,
  kernel: ({ decimals }, dtype) => {
    const round = rounder(dtype === 'f64' ? 'f64' : 'f32');
    return { float: (x) => roundDecimals(x, decimals, round) };
  },
});
