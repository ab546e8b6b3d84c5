import { type Constant, no, tensorType, type Verdict, yes } from '@qfuse/plugin';

/**
 * `q = clamp(round(D · m + b) + zero, qmin, qmax)`, ties to even: an exact integer D of a column becomes a code, where
 * `m = input_scale · scale / output_scale` and `b = bias / output_scale`.
 *
 * The result is that of float64: f32 decides unless D · m + b comes nearer to a tie than its error. There m and b, which have 53 bits
 * each, are multiplied and added in integers of 96 bits; only a tie that float64 itself misses by its own rounding could differ.
 */
export interface Requantize {
  readonly qmin: number;
  readonly qmax: number;
  readonly zero: number;
  /** See {@link packMultipliers}. */
  readonly multipliers: Constant;
}

/** Zero points of results up to this are added to integers in f32 exactly. */
const LARGEST_ZERO = 2 ** 20;
/** Products and sums up to this are told from ties by {@link exactRounding}. */
const LARGEST_TERM = 2 ** 50;

/** What the multipliers of a layer are made from; all of it is known at compile time. */
export interface MultiplierSource {
  /** `input_scale · scale` of each column. */
  readonly scales: Float64Array;
  readonly bias: Float64Array | undefined;
  /** The f32 reciprocal of the scale of the result. */
  readonly inverse: number;
  readonly zero: number;
  /** Largest magnitude of D. */
  readonly largest: number;
}

/** Whether every column can be requantized. */
export function canRequantize({ scales, bias, inverse, zero, largest }: MultiplierSource): Verdict {
  if (!Number.isInteger(zero) || Math.abs(zero) > LARGEST_ZERO)
    return no(`the zero point of the result is ${zero}, expected an integer within ±2^20`);
  const column = scales.findIndex((s, n) => !(Math.abs(s * inverse) * largest + Math.abs((bias?.[n] ?? 0) * inverse) < LARGEST_TERM));
  return column < 0 ? yes : no(`column ${column} may be ${LARGEST_TERM} steps of the result from its zero point or more`);
}

const exponentOf = (x: number): number => Math.floor(Math.log2(Math.abs(x)));

/** `x · 2^power` to the nearest integer, of a finite number. */
function scaled(x: number, power: number): bigint {
  const exponent = x === 0 ? 0 : exponentOf(x);
  // 53 bits and one for a logarithm that was rounded up.
  const mantissa = BigInt(Math.round(x * 2 ** (53 - exponent)));
  const shift = power + exponent - 53;
  if (shift >= 0) return mantissa << BigInt(shift);
  const half = 1n << BigInt(-shift - 1);
  return (mantissa + half) >> BigInt(-shift);
}

/**
 * For each column, padded to a multiple of 4, two vectors of words: |m| · 2^t in 64 bits, t with the sign of m on top, m as f32; and b · 2^t in
 * 96 bits, b as f32. No bit of m is lost, nor of b above 2^-t. Made once for a constant of scales and a name of all else.
 */
export function packMultipliers(scales: Constant, name: string, source: () => MultiplierSource): Constant {
  const count = Math.ceil((scales.type.shape[0] as number) / 4) * 4;
  return scales.derive(`multipliers ${name}`, tensorType('u32', [count, 8]), () => {
    const { scales: products, bias, inverse } = source();
    const words = new Uint32Array(count * 8);
    const floats = new Float32Array(words.buffer);
    const put = (at: number, value: bigint, length: number): void => {
      for (let i = 0; i < length; i++) words[at + i] = Number(BigInt.asUintN(32, value >> BigInt(32 * i)));
    };
    products.forEach((s, n) => {
      const [m, b] = [s * inverse, (bias?.[n] ?? 0) * inverse];
      const t = Math.max(0, Math.min(90, m === 0 ? 90 : 52 - exponentOf(m), b === 0 ? 90 : 92 - exponentOf(b)));
      put(8 * n, scaled(Math.abs(m), t), 2);
      words[8 * n + 2] = t | (m < 0 ? 0x80000000 : 0);
      floats[8 * n + 3] = m;
      put(8 * n + 4, scaled(b, t), 3);
      floats[8 * n + 7] = b;
    });
    return new Uint8Array(words.buffer);
  });
}

/** `exact_whole(d, p, r)`: d · m + b to the nearest integer, ties to even, where p and r are the words of {@link multipliers}. */
const exactRounding = `fn wide_product(a: u32, b: u32) -> vec2<u32> {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return vec2<u32>((other << 16u) | (low & 0xffffu), (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u));
}
fn exact_whole(d: i32, p: vec4<u32>, r: vec4<u32>) -> i32 {
  let size = bitcast<u32>(abs(d));
  let a = wide_product(size, p.x);
  let b = wide_product(size, p.y);
  // Two's complement: a negative product is the complement of one less.
  let flip = select(0u, 0xffffffffu, (d < 0) != (p.z > 0x7fffffffu));
  let second = a.y + b.x;
  let product = vec3<u32>(a.x, second, b.y + select(0u, 1u, second < b.x)) ^ vec3<u32>(flip);
  var v: array<u32, 4>;
  var carry = flip & 1u;
  for (var i = 0u; i < 3u; i++) {
    let once = product[i] + carry;
    v[i] = once + r[i];
    carry = select(0u, 1u, once < carry) + select(0u, 1u, v[i] < once);
  }
  v[3] = select(0u, 0xffffffffu, v[2] > 0x7fffffffu);
  let t = p.z & 127u;
  let i = t / 32u;
  let s = t % 32u;
  let whole = (v[i] >> s) | ((v[i + 1u] << 1u) << (31u - s));
  if (t == 0u) { return bitcast<i32>(whole); }
  let h = t - 1u;
  let half = (v[h / 32u] >> (h % 32u)) & 1u;
  var rest = (v[h / 32u] << 1u) << (31u - h % 32u);
  for (var k = 0u; k < h / 32u; k++) { rest |= v[k]; }
  return bitcast<i32>(whole) + select(0, 1, half == 1u && (rest != 0u || (whole & 1u) == 1u));
}`;

/** `code(d, column) -> i32`, the column counted in the whole result. */
export const requantizeFunctions = ({ qmin, qmax }: Requantize): string => `${exactRounding}
fn code(d: i32, column: u32) -> i32 {
  let p = multipliers[2u * column];
  let r = multipliers[2u * column + 1u];
  let product = f32(d) * bitcast<f32>(p.w);
  let v = product + bitcast<f32>(r.w);
  var whole = round(v);
  let margin = (abs(product) + abs(bitcast<f32>(r.w))) * ${2 ** -20};
  if (0.5 - abs(v - whole) <= margin && abs(v) - margin < ${LARGEST_ZERO}.0) { whole = f32(exact_whole(d, p, r)); }
  return i32(clamp(whole + P.output_zero, ${qmin}.0, ${qmax}.0));
}`;
