import { attr } from '@qfuse/ir';
import { floatResult } from '../promotion.js';
import { largestOf } from './support/elementwise.js';
import { unary } from './support/unary.js';

/** A test of floats; `integers` is the answer for integers and bools. */
const test = (name: string, summary: string, f: (x: number) => boolean, integers: boolean) =>
  unary({ name, summary, dtype: () => 'bool', compute: (self) => self, kernel: () => ({ float: f, integer: () => integers }) });

/** Whether x is NaN. */
export const Isnan = test('aten.isnan', 'whether x is NaN', Number.isNaN, false);
/** Whether x is infinite. */
export const Isinf = test('aten.isinf', 'whether x is infinite', (x) => Math.abs(x) === Number.POSITIVE_INFINITY, false);
/** Whether x is neither infinite nor NaN. */
export const Isfinite = test('aten.isfinite', 'whether x is a finite number', Number.isFinite, true);
/** Whether x is +∞. */
export const Isposinf = test('aten.isposinf', 'whether x is plus infinity', (x) => x === Number.POSITIVE_INFINITY, false);
/** Whether x is -∞. */
export const Isneginf = test('aten.isneginf', 'whether x is minus infinity', (x) => x === Number.NEGATIVE_INFINITY, false);

/** x with NaN, +∞ and -∞ replaced, by default by 0 and the largest and lowest finite value; other dtypes stay as they are. */
export const NanToNum = unary({
  name: 'aten.nan_to_num',
  summary: 'replaces NaN and infinities by numbers',
  attrs: { nan: attr.optional(attr.float()), posinf: attr.optional(attr.float()), neginf: attr.optional(attr.float()) },
  dtype: (self) => self,
  kernel: ({ nan = 0, posinf, neginf }, dtype) => {
    const high = posinf ?? largestOf(dtype);
    const low = neginf ?? -largestOf(dtype);
    return {
      float: (x) => (Number.isNaN(x) ? nan : x === Number.POSITIVE_INFINITY ? high : x === Number.NEGATIVE_INFINITY ? low : x),
      integer: (x) => x,
    };
  },
});

/** `ln(z / (1 - z))`, with `z` clamped to `[eps, 1 - eps]` when eps is given; NaN outside [0, 1]. */
export const Logit = unary({
  name: 'aten.logit',
  summary: 'inverse of the logistic function',
  attrs: { eps: attr.optional(attr.float()) },
  dtype: floatResult,
  kernel: ({ eps }) => ({
    float: (x) => {
      const z = eps === undefined ? x : x < eps ? eps : x > 1 - eps ? 1 - eps : x;
      return Math.log(z / (1 - z));
    },
  }),
});
