const { fround } = Math;
const word = new DataView(new ArrayBuffer(8));

/**
 * `a · b + c` of f32 numbers with one rounding, as a fused multiply-add gives it; `a · b` must fit 53 bits.
 * The sum is rounded to odd in f64 where it is not exact, so that the second rounding sees on which side it lies.
 */
export function fma32(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const back = sum - product;
  const rest = product - (sum - back) + (c - back);
  if (rest === 0 || sum === 0 || !Number.isFinite(sum)) return fround(sum);
  word.setFloat64(0, sum);
  const bits = word.getBigUint64(0);
  if (bits % 2n === 0n) word.setBigUint64(0, rest > 0 === sum > 0 ? bits + 1n : bits - 1n);
  return fround(word.getFloat64(0));
}

/** The number next to `x` in f32 or f64, on its upper or lower side; `x` itself beyond the largest. `x` is not 0. */
export function neighbour(x: number, side: 'above' | 'below', precision: 'f32' | 'f64'): number {
  const away = (side === 'above') === x > 0;
  let next: number;
  if (precision === 'f32') {
    word.setFloat32(0, x);
    word.setInt32(0, word.getInt32(0) + (away ? 1 : -1));
    next = word.getFloat32(0);
  } else {
    word.setFloat64(0, x);
    word.setBigInt64(0, word.getBigInt64(0) + (away ? 1n : -1n));
    next = word.getFloat64(0);
  }
  return Number.isFinite(next) ? next : x;
}

/**
 * `steps` equally spaced f32 numbers from `start` to `end`, both of them f32, bit for bit those of `torch.linspace` on the CPU: the first half
 * `start + i · step`, the second `end - (steps - 1 - i) · step`, each with one rounding.
 */
export function linspace(start: number, end: number, steps: number): Float32Array {
  const out = new Float32Array(steps);
  const step = fround(fround(end - start) / fround(steps - 1));
  const half = Math.floor(steps / 2);
  for (let i = 0; i < steps; i++) out[i] = i < half ? fma32(step, i, start) : fma32(-step, steps - 1 - i, end);
  return out;
}

/**
 * `floor(a / b)` of f32 numbers as `torch.div(a, b, rounding_mode='floor')` computes it: from the exact remainder, each step rounded
 * to f32.
 */
export function floorDivide(a: number, b: number): number {
  if (b === 0) return fround(a / b);
  const rest = a % b;
  let quotient = fround(fround(a - rest) / b);
  if (rest !== 0 && b < 0 !== rest < 0) quotient = fround(quotient - 1);
  if (quotient === 0) return a / b < 0 ? -0 : 0;
  const floor = Math.floor(quotient);
  return fround(quotient - floor) > 0.5 ? fround(floor + 1) : floor;
}
