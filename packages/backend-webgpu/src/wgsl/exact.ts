/**
 * Sums and quotients of magnitudes rounded to the nearest f32, ties to even, in integers: WGSL leaves division 2.5 ulp, lets
 * numbers below 2^-126 become 0, and does not promise that `fma` rounds once. Numbers are the bits of an f32 without its sign.
 */
export const exactArithmetic = `struct Magnitude { mantissa: u32, exponent: i32 }
// mantissa · 2^exponent, the mantissa in [2^23, 2^24), of a finite number above 0
fn magnitude(bits: u32) -> Magnitude {
  if (bits >= 0x800000u) { return Magnitude((bits & 0x7fffffu) | 0x800000u, i32(bits >> 23u) - 150); }
  let shift = countLeadingZeros(bits) - 8u;
  return Magnitude(bits << shift, -149 - i32(shift));
}
// mantissa · 2^exponent, the mantissa in [2^24, 2^25) and perhaps a rest below its last bit
fn nearest(mantissa: u32, rest: bool, exponent: i32) -> u32 {
  let e = exponent + 24;
  if (e > 127) { return 0x7f800000u; }
  let shift = u32(clamp(-125 - e, 1, 30));
  let kept = mantissa >> shift;
  let low = mantissa & ((1u << shift) - 1u);
  let half = 1u << (shift - 1u);
  let up = low > half || (low == half && (rest || (kept & 1u) == 1u));
  return kept + select(0u, 1u, up) + (u32(max(e + 126, 0)) << 23u);
}
// a + b
fn sum_of(a: u32, b: u32) -> u32 {
  let large = max(a, b);
  let small = min(a, b);
  if (small == 0u || large >= 0x7f800000u) { return large; }
  let x = magnitude(large);
  let y = magnitude(small);
  let d = u32(min(x.exponent - y.exponent, 31));
  let other = y.mantissa << 7u;
  let total = (x.mantissa << 7u) + (other >> d);
  let drop = 6u + (total >> 31u);
  let rest = (other & ((1u << d) - 1u)) != 0u || (total & ((1u << drop) - 1u)) != 0u;
  return nearest(total >> drop, rest, x.exponent - 7 + i32(drop));
}
// a / b for b above 0
fn quotient_of(a: u32, b: u32) -> u32 {
  if (b >= 0x7f800000u) { return select(0u, 0x7fc00000u, a >= 0x7f800000u); }
  if (a == 0u || a >= 0x7f800000u) { return a; }
  let x = magnitude(a);
  let y = magnitude(b);
  let less = select(0u, 1u, x.mantissa < y.mantissa);
  let m = x.mantissa << less;
  // A guess of floor(m · 2^24 / y), and what is left: that is small, so that wrapping around does not matter, and is divided once more.
  let inverse = 1.0 / f32(y.mantissa);
  var q = u32(f32(m) * inverse * 16777216.0);
  var left = bitcast<i32>((m << 24u) - q * y.mantissa);
  let step = i32(y.mantissa);
  let more = i32(floor(f32(left) * inverse));
  q += bitcast<u32>(more);
  left -= more * step;
  while (left < 0) { q -= 1u; left += step; }
  while (left >= step) { q += 1u; left -= step; }
  return nearest(q, left != 0, x.exponent - y.exponent - 24 - i32(less));
}
// 1 / b with its sign, of any b
fn reciprocal_of(b: u32) -> u32 {
  let size = b & 0x7fffffffu;
  if (size > 0x7f800000u) { return b; }
  if (size == 0u) { return b | 0x7f800000u; }
  return (b & 0x80000000u) | quotient_of(0x3f800000u, size);
}`;

/** The bits of an f32. */
export const f32Bits = (x: number): number => new Uint32Array(Float32Array.of(x).buffer)[0]!;

/** A literal of type u32. */
export const u32Literal = (x: number): string => `0x${x.toString(16)}u`;
