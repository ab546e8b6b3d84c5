import { roundTiesToEven } from '@qfuse/ir';

const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

/** `erf(x) = 2/√π · e^(-x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!`: all terms have one sign, so nothing cancels. For `|x| < 3`. */
function erfSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 2 ** -54; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return TWO_OVER_SQRT_PI * Math.exp(-x * x) * sum;
}

/** `erfc(x) = e^(-x²)/√π / (x + (1/2)/(x + 1/(x + (3/2)/(x + …))))` for `x >= 2`, evaluated from a depth that suffices there. */
function erfcFraction(x: number): number {
  let rest = x;
  for (let n = 120; n >= 1; n--) rest = x + n / 2 / rest;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * rest);
}

/** The error function `2/√π ∫₀ˣ e^(-t²) dt`. */
export function erf(x: number): number {
  if (Number.isNaN(x) || x === 0) return x;
  const size = Math.abs(x);
  return size < 2.5 ? erfSeries(x) : Math.sign(x) * (size > 6 ? 1 : 1 - erfcFraction(size));
}

/** `1 - erf(x)` without cancellation. */
export function erfc(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > 2) return x > 28 ? 0 : erfcFraction(x);
  return 1 - erf(x);
}

/** The inverse of {@link erf}: Winitzki's estimate, then Newton steps. */
export function erfinv(y: number): number {
  if (Number.isNaN(y) || Math.abs(y) > 1) return Number.NaN;
  if (Math.abs(y) === 1) return y * Number.POSITIVE_INFINITY;
  if (y === 0) return y;
  const w = Math.log1p(-y * y);
  const a = 2 / (Math.PI * 0.147) + w / 2;
  let x = Math.sqrt(Math.sqrt(a * a - w / 0.147) - a);
  const size = Math.abs(y);
  // In the tail 1 - y is exact where erf(x) - y is not: the error is taken from erfc there.
  for (let i = 0; i < 4; i++) {
    const error = size > 0.5 ? 1 - size - erfc(x) : erf(x) - size;
    x -= error / (TWO_OVER_SQRT_PI * Math.exp(-x * x));
  }
  return Math.sign(y) * x;
}

/** The logistic function `1 / (1 + e^(-x))`. */
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** `log(1 / (1 + e^(-x)))` without overflow. */
export const logSigmoid = (x: number): number => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));

/** `x · log(y)`, 0 where x is 0 unless y is NaN. */
export const xlogy = (x: number, y: number): number => (Number.isNaN(y) ? y : x === 0 ? 0 : x * Math.log(y));

/** The larger number, NaN when one is NaN (`Math.max` has that too, but orders zeros as torch does not). */
export const maximum = (a: number, b: number): number => (Number.isNaN(a) || a >= b ? a : b);

/** The smaller number, NaN when one is NaN. */
export const minimum = (a: number, b: number): number => (Number.isNaN(a) || a <= b ? a : b);

/** Python's `%`: the sign of `b`. */
export function remainder(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

/** `floor(a / b)` as Python has it: from the remainder, so that rounding of the quotient cannot pass an integer. */
export function floorDivide(a: number, b: number): number {
  if (b === 0) return a / b;
  const rest = a % b;
  let quotient = (a - rest) / b;
  if (rest !== 0 && b < 0 !== rest < 0) quotient -= 1;
  if (quotient === 0) return Object.is(a / b, -0) || a / b < 0 ? -0 : 0;
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

/** C's `pow`, which differs from JavaScript's at `1 ** NaN` and `±1 ** ±∞`. */
export const power = (a: number, b: number): number => (a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY) ? 1 : a ** b);

/** `x` rounded to `decimals` digits after the point, ties to even, by scaling as torch does. */
export function roundDecimals(x: number, decimals: number, round: (x: number) => number): number {
  if (decimals === 0) return roundTiesToEven(x);
  const ten = 10 ** Math.abs(decimals);
  return decimals < 0 ? round(roundTiesToEven(round(x / ten)) * ten) : round(roundTiesToEven(round(x * ten)) / ten);
}
