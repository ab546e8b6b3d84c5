import { specialFunctions } from './special-functions.js';

/**
 * WGSL functions that hold torch's meaning where WGSL leaves it open: WGSL may assume that there are no NaNs and
 * infinities, and allows large errors in `sin`, `tanh`, `pow`. A name here is pulled in when its call appears.
 */
const library: Readonly<Record<string, string>> = {
  // Through a variable: a constant expression that gives no finite number does not compile.
  infinity: 'fn infinity() -> f32 { var bits = 0x7f800000u; return bitcast<f32>(bits); }',
  nan: 'fn nan() -> f32 { var bits = 0x7fc00000u; return bitcast<f32>(bits); }',
  is_nan: 'fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }',
  is_inf: 'fn is_inf(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u; }',
  maximum: 'fn maximum(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, is_nan(b)), a, is_nan(a)); }',
  minimum: 'fn minimum(a: f32, b: f32) -> f32 { return select(select(min(a, b), b, is_nan(b)), a, is_nan(a)); }',
  // As min(max(x, low), high), but a NaN stays one.
  clamp_to: 'fn clamp_to(x: f32, low: f32, high: f32) -> f32 { return select(clamp(x, low, high), x, is_nan(x)); }',
  // exp of large numbers is infinite, not the largest number.
  exponential: `fn exponential(x: f32) -> f32 {
  if (is_nan(x)) { return x; }
  if (x > 88.8) { return infinity(); }
  if (x < -104.0) { return 0.0; }
  let n = round(x * 1.4426950408889634);
  return scaled_exponential(fma(n, -1.428606765330187e-6, fma(n, -0.693145751953125, x)), i32(n));
}`,
  // 2^x: the whole part is exact, so the error does not grow with x.
  exponential_2: `fn exponential_2(x: f32) -> f32 {
  if (is_nan(x)) { return x; }
  if (x >= 128.0) { return infinity(); }
  if (x < -150.0) { return 0.0; }
  let n = round(x);
  return scaled_exponential((x - n) * 0.6931471805599453, i32(n));
}`,
  // e^r 2^n for |r| < 0.35
  scaled_exponential: `fn scaled_exponential(r: f32, n: i32) -> f32 {
  let p = fma(fma(fma(fma(fma(fma(1.9875691500e-4, r, 1.3981999507e-3), r, 8.3334519073e-3), r, 4.1665795894e-2), r, 1.6666665459e-1), r, 5.0000001201e-1), r * r, r) + 1.0;
  let h = n / 2;
  return p * power_of_two(h) * power_of_two(n - h);
}`,
  power_of_two: 'fn power_of_two(n: i32) -> f32 { return bitcast<f32>((n + 127) << 23u); }',
  // exp(x) - 1 without cancellation
  exponential_minus_1: `fn exponential_minus_1(x: f32) -> f32 {
  if (abs(x) > 0.5) { return exponential(x) - 1.0; }
  return x * fma(fma(fma(fma(fma(fma(fma(2.4801587e-5, x, 1.9841270e-4), x, 1.3888889e-3), x, 8.3333333e-3), x, 4.1666667e-2), x, 1.6666667e-1), x, 0.5), x, 1.0);
}`,
  logarithm: `fn logarithm(x: f32) -> f32 {
  if (is_nan(x) || x < 0.0) { return nan(); }
  if (x == 0.0) { return -infinity(); }
  if (is_inf(x)) { return x; }
  var bits = bitcast<i32>(x);
  var e = 0;
  if (bits < 0x00800000) { bits = bitcast<i32>(x * 8388608.0); e = -23; }
  e += ((bits - 0x3f3504f3) >> 23u);
  let m = bitcast<f32>(bits - (((bits - 0x3f3504f3) >> 23u) << 23u)) - 1.0;
  let z = m * m;
  var p = fma(fma(fma(fma(fma(fma(fma(fma(7.0376836292e-2, m, -1.1514610310e-1), m, 1.1676998740e-1), m, -1.2420140846e-1), m, 1.4249322787e-1), m, -1.6668057665e-1), m, 2.0000714765e-1), m, -2.4999993993e-1), m, 3.3333331174e-1) * m * z;
  let f = f32(e);
  p = fma(f, -2.12194440e-4, p);
  p = fma(z, -0.5, p);
  return fma(f, 0.693359375, m + p);
}`,
  logarithm_1_plus: `fn logarithm_1_plus(x: f32) -> f32 {
  let u = 1.0 + x;
  if (u == 1.0) { return x; }
  if (is_inf(u) || !(u > 0.0)) { return logarithm(u); }
  return logarithm(u) * (x / (u - 1.0));
}`,
  hyperbolic_tangent: `fn hyperbolic_tangent(x: f32) -> f32 {
  let a = abs(x);
  if (a < 0.000244140625 || is_nan(x)) { return x; }
  if (a > 9.5) { return sign(x); }
  if (a < 0.625) {
    let z = x * x;
    return fma(fma(fma(fma(fma(-5.70498872745e-3, z, 2.06390887954e-2), z, -5.37397155531e-2), z, 1.33314422036e-1), z, -3.33332819422e-1), z * x, x);
  }
  return sign(x) * (1.0 - 2.0 / (exponential(2.0 * a) + 1.0));
}`,
  logistic: 'fn logistic(x: f32) -> f32 { return 1.0 / (1.0 + exponential(-x)); }',
  // A polynomial near zero, 1 - exp(polynomial) beyond; both within 2 ulp.
  error_function: `fn error_function(x: f32) -> f32 {
  if (is_nan(x)) { return x; }
  let a = abs(x);
  if (a < 0.921875) {
    let z = x * x;
    let p = fma(fma(fma(fma(fma(-5.96761703e-4, z, 4.99119423e-3), z, -2.67681349e-2), z, 1.12819925e-1), z, -3.76125336e-1), z, 1.28379166e-1);
    return fma(p, x, x);
  }
  let t = min(a, 4.0);
  var r = fma(fma(-1.72853470e-5, t, 3.83197126e-4), t * t, fma(-3.88396438e-3, t, 2.42546219e-2));
  r = fma(r, t, -1.06777877e-1);
  r = fma(r, t, -6.34846687e-1);
  r = fma(r, t, -1.28717512e-1);
  r = fma(r, t, -t);
  return sign(x) * (1.0 - exponential(r));
}`,
  // Quadrant and the rest of x / (pi/2); the constants split pi/2 so that products with small quadrants are exact.
  quadrant: `struct Quadrant { index: i32, rest: f32 }
fn quadrant(x: f32) -> Quadrant {
  let n = round(x * 0.6366197723675814);
  var r = fma(n, -1.5703125, x);
  r = fma(n, -4.837512969970703e-4, r);
  r = fma(n, -7.549789948768648e-8, r);
  return Quadrant(i32(n), r);
}`,
  sine_core: `fn sine_core(r: f32) -> f32 { let z = r * r; return fma(fma(fma(-1.9515295891e-4, z, 8.3321608736e-3), z, -1.6666654611e-1), z * r, r); }
fn cosine_core(r: f32) -> f32 { let z = r * r; return fma(fma(fma(2.443315711809948e-5, z, -1.388731625493765e-3), z, 4.166664568298827e-2), z * z, fma(z, -0.5, 1.0)); }`,
  sine: `fn sine(x: f32) -> f32 {
  if (is_nan(x) || is_inf(x)) { return nan(); }
  let q = quadrant(x);
  let v = select(sine_core(q.rest), cosine_core(q.rest), (q.index & 1) == 1);
  return select(v, -v, (q.index & 2) == 2);
}`,
  cosine: `fn cosine(x: f32) -> f32 {
  if (is_nan(x) || is_inf(x)) { return nan(); }
  let q = quadrant(x);
  let v = select(cosine_core(q.rest), sine_core(q.rest), (q.index & 1) == 1);
  return select(v, -v, ((q.index + 1) & 2) == 2);
}`,
  // x^y with torch's special values; whole powers up to 64 by squaring
  power: `fn power(x: f32, y: f32) -> f32 {
  if (y == 0.0 || x == 1.0) { return 1.0; }
  if (is_nan(x) || is_nan(y)) { return nan(); }
  let whole = floor(y) == y;
  if (whole && abs(y) <= 64.0) {
    var n = u32(abs(y));
    var base = x;
    var product = 1.0;
    while (n > 0u) { if ((n & 1u) == 1u) { product *= base; } base *= base; n >>= 1u; }
    if (y > 0.0) { return product; }
    if (product == 0.0) { return select(infinity(), -infinity(), (bitcast<u32>(x) >> 31u) == 1u && (u32(abs(y)) & 1u) == 1u); }
    return 1.0 / product;
  }
  let odd = whole && abs(y) < 16777216.0 && (i32(y) & 1) == 1;
  let flip = odd && (bitcast<u32>(x) >> 31u) == 1u;
  let a = abs(x);
  var r = 0.0;
  if (is_inf(y)) {
    if (a == 1.0) { return 1.0; }
    return select(0.0, infinity(), (a > 1.0) == (y > 0.0));
  }
  if (a == 0.0 || is_inf(a)) { r = select(0.0, infinity(), (a == 0.0) == (y < 0.0)); }
  else if (x < 0.0 && !whole) { return nan(); }
  else {
    // y · ln a in two parts: the error of one f32 would grow with the result's exponent
    let l = logarithm(a);
    let p = y * l;
    let rest = fma(y, l, -p);
    r = exponential(p) * (1.0 + rest);
  }
  return select(r, -r, flip);
}`,
  integer_power: `fn integer_power(x: i32, y: i32) -> i32 {
  if (y < 0) { if (x == 1) { return 1; } if (x == -1) { return select(1, -1, (y & 1) == 1); } return 0; }
  var n = u32(y);
  var base = x;
  var product = 1;
  while (n > 0u) { if ((n & 1u) == 1u) { product *= base; } base *= base; n >>= 1u; }
  return product;
}`,
  // Floored division: the remainder has the sign of the divisor.
  floor_divide: `fn floor_divide(a: i32, b: i32) -> i32 {
  if (b == 0) { return 0; }
  let q = a / b;
  return select(q, q - 1, a % b != 0 && (a < 0) != (b < 0));
}`,
  floor_modulo: 'fn floor_modulo(a: i32, b: i32) -> i32 { return a - floor_divide(a, b) * b; }',
  float_remainder: `fn float_remainder(a: f32, b: f32) -> f32 {
  if (b == 0.0 || is_nan(a) || is_nan(b) || is_inf(a)) { return nan(); }
  if (is_inf(b)) { return select(a, b, a != 0.0 && (a < 0.0) != (b < 0.0)); }
  let m = float_modulo(a, b);
  return select(m, m + b, m != 0.0 && (m < 0.0) != (b < 0.0));
}`,
  float_floor_divide: `fn float_floor_divide(a: f32, b: f32) -> f32 {
  if (b == 0.0) { return a / b; }
  let m = float_modulo(a, b);
  var q = (a - m) / b;
  if (m != 0.0 && (m < 0.0) != (b < 0.0)) { q -= 1.0; }
  let f = floor(q);
  return select(f, f + 1.0, q - f > 0.5);
}`,
};

const all: Readonly<Record<string, string>> = { ...library, ...specialFunctions };
const names = Object.keys(all);

/** The library functions that `code` calls, directly or not, each once, those that others need first. */
export function mathFor(code: string): string {
  const used = new Set<string>();
  const visit = (text: string): void => {
    for (const name of names) {
      if (used.has(name) || !text.includes(`${name}(`) || !new RegExp(`\\b${name}\\(`).test(text)) continue;
      used.add(name);
      visit(all[name]!);
    }
  };
  visit(code);
  return names
    .filter((name) => used.has(name))
    .map((name) => all[name]!)
    .join('\n');
}
