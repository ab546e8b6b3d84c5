import { exactArithmetic } from './exact.js';

/**
 * More WGSL functions for the library of `math.ts`: inverse trigonometric, hyperbolic and probability functions. The
 * polynomials of inverse and hyperbolic functions are those of Cephes for single precision, the inverse of erf is M.
 * Giles' "Approximating the erfinv function"; all are within a few ulp.
 */
export const specialFunctions: Readonly<Record<string, string>> = {
  has_sign: 'fn has_sign(x: f32) -> bool { return (bitcast<u32>(x) >> 31u) == 1u; }',
  with_sign:
    'fn with_sign(size: f32, sign: f32) -> f32 { return bitcast<f32>((bitcast<u32>(size) & 0x7fffffffu) | (bitcast<u32>(sign) & 0x80000000u)); }',
  arc_tangent: `fn arc_tangent(x: f32) -> f32 {
  if (is_nan(x)) { return x; }
  let a = abs(x);
  var t = a;
  var turned = 0.0;
  if (is_inf(x)) { return with_sign(1.5707963267948966, x); }
  if (a > 2.414213562373095) { turned = 1.5707963267948966; t = -1.0 / a; }
  else if (a > 0.4142135623730950) { turned = 0.7853981633974483; t = (a - 1.0) / (a + 1.0); }
  let z = t * t;
  let p = fma(fma(fma(8.05374449538e-2, z, -1.38776856032e-1), z, 1.99777106478e-1), z, -3.33329491539e-1);
  return with_sign(turned + fma(p * z, t, t), x);
}`,
  arc_sine: `fn arc_sine(x: f32) -> f32 {
  let a = abs(x);
  if (!(a <= 1.0)) { return nan(); }
  let far = a > 0.5;
  let z = select(a * a, 0.5 * (1.0 - a), far);
  let t = select(a, sqrt(z), far);
  let p = fma(fma(fma(fma(4.2163199048e-2, z, 2.4181311049e-2), z, 4.5470025998e-2), z, 7.4953002686e-2), z, 1.6666752422e-1);
  let r = fma(p * z, t, t);
  return with_sign(select(r, 1.5707963267948966 - 2.0 * r, far), x);
}`,
  // Near ±1 through the sine of half the angle: π/2 - asin(x) would cancel.
  arc_cosine: `fn arc_cosine(x: f32) -> f32 {
  if (!(abs(x) <= 1.0)) { return nan(); }
  if (x > 0.5) { return 2.0 * arc_sine(sqrt(0.5 * (1.0 - x))); }
  if (x < -0.5) { return 3.141592653589793 - 2.0 * arc_sine(sqrt(0.5 * (1.0 + x))); }
  return 1.5707963267948966 - arc_sine(x);
}`,
  // The angle of the point (x, y), with the signs of zeros.
  arc_tangent_2: `fn arc_tangent_2(y: f32, x: f32) -> f32 {
  if (is_nan(x) || is_nan(y)) { return nan(); }
  let a = abs(x);
  let b = abs(y);
  var r = 0.0;
  if (is_inf(a) && is_inf(b)) { r = 0.7853981633974483; }
  else if (b == 0.0 || is_inf(a)) { r = 0.0; }
  else if (a == 0.0 || is_inf(b)) { r = 1.5707963267948966; }
  else if (b > a) { r = 1.5707963267948966 - arc_tangent(a / b); }
  else { r = arc_tangent(b / a); }
  return with_sign(select(r, 3.141592653589793 - r, has_sign(x)), y);
}`,
  // e^a / 2, which does not overflow where e^a does
  half_exponential: `fn half_exponential(a: f32) -> f32 {
  if (a > 89.5) { return infinity(); }
  let n = round(a * 1.4426950408889634);
  return scaled_exponential(fma(n, -1.428606765330187e-6, fma(n, -0.693145751953125, a)), i32(n) - 1);
}`,
  hyperbolic_sine: `fn hyperbolic_sine(x: f32) -> f32 {
  let a = abs(x);
  if (is_nan(x) || is_inf(x)) { return x; }
  if (a > 1.0) {
    let h = half_exponential(a);
    return with_sign(h - 0.25 / h, x);
  }
  let z = x * x;
  return fma(fma(fma(2.03721912945e-4, z, 8.33028376239e-3), z, 1.66667160211e-1) * z, x, x);
}`,
  hyperbolic_cosine: `fn hyperbolic_cosine(x: f32) -> f32 {
  if (is_nan(x)) { return x; }
  let h = half_exponential(abs(x));
  return h + 0.25 / h;
}`,
  arc_hyperbolic_sine: `fn arc_hyperbolic_sine(x: f32) -> f32 {
  let a = abs(x);
  if (is_nan(x) || is_inf(x)) { return x; }
  if (a > 1500.0) { return with_sign(logarithm(a) + 0.6931471805599453, x); }
  let z = a * a;
  if (a < 0.5) {
    let p = fma(fma(fma(2.0122003309e-2, z, -4.2699340972e-2), z, 7.4847586088e-2), z, -1.6666288134e-1);
    return fma(p * z, x, x);
  }
  return with_sign(logarithm(a + sqrt(z + 1.0)), x);
}`,
  arc_hyperbolic_cosine: `fn arc_hyperbolic_cosine(x: f32) -> f32 {
  if (!(x >= 1.0)) { return nan(); }
  if (is_inf(x)) { return x; }
  if (x > 1500.0) { return logarithm(x) + 0.6931471805599453; }
  let z = x - 1.0;
  if (z < 0.5) {
    let p = fma(fma(fma(fma(1.7596881071e-3, z, -7.5272886713e-3), z, 2.6454905019e-2), z, -1.1784741703e-1), z, 1.4142135263);
    return p * sqrt(z);
  }
  return logarithm(x + sqrt(z * (x + 1.0)));
}`,
  arc_hyperbolic_tangent: `fn arc_hyperbolic_tangent(x: f32) -> f32 {
  let a = abs(x);
  if (!(a <= 1.0)) { return nan(); }
  if (a == 1.0) { return with_sign(infinity(), x); }
  if (a < 0.5) {
    let z = x * x;
    let p = fma(fma(fma(fma(1.81740078349e-1, z, 8.24370301058e-2), z, 1.46691431730e-1), z, 1.99782164500e-1), z, 3.33337300303e-1);
    return fma(p * z, x, x);
  }
  return with_sign(0.5 * logarithm((1.0 + a) / (1.0 - a)), x);
}`,
  inverse_error_function: `fn inverse_error_function(x: f32) -> f32 {
  let a = abs(x);
  if (!(a <= 1.0)) { return nan(); }
  if (a == 1.0) { return with_sign(infinity(), x); }
  var w = -logarithm_1_plus(-x * x);
  if (a > 0.5) { w = -logarithm((1.0 - a) * (1.0 + a)); }
  var p = 0.0;
  if (w < 5.0) {
    w -= 2.5;
    p = fma(fma(fma(fma(2.81022636e-8, w, 3.43273939e-7), w, -3.5233877e-6), w, -4.39150654e-6), w, 2.1858087e-4);
    p = fma(fma(fma(fma(p, w, -1.25372503e-3), w, -4.17768164e-3), w, 2.46640727e-1), w, 1.50140941);
  } else {
    w = sqrt(w) - 3.0;
    p = fma(fma(fma(fma(-2.00214257e-4, w, 1.00950558e-4), w, 1.34934322e-3), w, -3.67342844e-3), w, 5.73950773e-3);
    p = fma(fma(fma(fma(p, w, -7.6224613e-3), w, 9.43887047e-3), w, 1.00167406), w, 2.83297682);
  }
  return p * x;
}`,
  // sqrt(a² + b²) without overflow
  hypotenuse: `fn hypotenuse(a: f32, b: f32) -> f32 {
  let large = max(abs(a), abs(b));
  let small = min(abs(a), abs(b));
  if (is_inf(a) || is_inf(b)) { return infinity(); }
  if (is_nan(a) || is_nan(b)) { return nan(); }
  if (large == 0.0) { return 0.0; }
  let r = small / large;
  return large * sqrt(fma(r, r, 1.0));
}`,
  // a · ln b, 0 where a is 0
  x_log_y: `fn x_log_y(a: f32, b: f32) -> f32 {
  if (is_nan(b)) { return b; }
  if (a == 0.0) { return 0.0; }
  return a * logarithm(b);
}`,
  log_add_exp: `fn log_add_exp(a: f32, b: f32, base: f32) -> f32 {
  if (is_nan(a) || is_nan(b)) { return nan(); }
  if (a == b && is_inf(a)) { return a; }
  return max(a, b) + logarithm_1_plus(exponential(-abs(a - b) * base)) / base;
}`,
  // a / b rounded to nearest: WGSL leaves division 2.5 ulp, which decides what is cut or rounded to an integer.
  correct_quotient: `${exactArithmetic}
fn correct_quotient(a: f32, b: f32) -> f32 {
  let x = bitcast<u32>(a) & 0x7fffffffu;
  let y = bitcast<u32>(b) & 0x7fffffffu;
  if (x > 0x7f800000u || y > 0x7f800000u || (x == 0u && y == 0u)) { return nan(); }
  let size = select(quotient_of(x, max(y, 1u)), 0x7f800000u, y == 0u);
  return bitcast<f32>(size | ((bitcast<u32>(a) ^ bitcast<u32>(b)) & 0x80000000u));
}`,
  // The exact rest of a / b with the sign of a, by long division, eight bits at a time: WGSL's a % b is a - b · trunc(a / b).
  float_modulo: `fn float_modulo(x: f32, y: f32) -> f32 {
  let a = bitcast<u32>(x) & 0x7fffffffu;
  let b = bitcast<u32>(y) & 0x7fffffffu;
  if (a >= 0x7f800000u || b > 0x7f800000u || b == 0u) { return nan(); }
  if (a < b) { return x; }
  let e = max(b >> 23u, 1u);
  let n = (b & 0x7fffffu) | select(0u, 0x800000u, b >= 0x800000u);
  var m = ((a & 0x7fffffu) | select(0u, 0x800000u, a >= 0x800000u)) % n;
  var left = max(a >> 23u, 1u) - e;
  while (left > 0u && m > 0u) {
    let bits = min(left, 8u);
    m = (m << bits) % n;
    left -= bits;
  }
  if (m == 0u) { return bitcast<f32>(bitcast<u32>(x) & 0x80000000u); }
  let lift = countLeadingZeros(m) - 8u;
  let size = select(((e - lift) << 23u) | ((m << lift) & 0x7fffffu), m << (e - 1u), lift >= e);
  return bitcast<f32>(size | (bitcast<u32>(x) & 0x80000000u));
}`,
  greatest_divisor: `fn greatest_divisor(x: i32, y: i32) -> i32 {
  var a = x;
  var b = y;
  while (b != 0) { let r = a % b; a = b; b = r; }
  return abs(a);
}`,
  // By the width and more, or by a negative number, all bits are shifted out.
  shift_left: 'fn shift_left(a: i32, by: i32) -> i32 { return select(a << (u32(by) & 31u), 0, by < 0 || by > 31); }',
  shift_right: 'fn shift_right(a: i32, by: i32) -> i32 { return a >> u32(select(by, 31, by < 0 || by > 31)); }',
};
