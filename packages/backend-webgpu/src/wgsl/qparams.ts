import { no, type Verdict, yes } from '@qfuse/plugin';
import { f32Bits, u32Literal } from './exact.js';

/**
 * WGSL of `quant.choose_qparams` in f32 and of `quant.quantize` with what was chosen, bit for bit as their references: quotients and
 * the width of the range are computed in integers, and so are minimum and maximum, for which the bits of floats are ordered.
 */
export interface ChooseInit {
  readonly mapping: 'asymmetric' | 'symmetric' | 'symmetric_no_clipping_err';
  readonly qmin: number;
  readonly qmax: number;
  readonly eps: number | undefined;
  readonly zero_point: number | undefined;
  readonly zero_point_rule: 'minimum' | 'smaller_error';
}

/** Smallest positive normal number, the default of `eps`. */
const SMALLEST_NORMAL = 2 ** -126;
/** Bounds of integers up to this are exact in f32, and so are sums of two of them. */
const LARGEST_BOUND = 2 ** 22;

/** Whether the attributes are within what {@link chooseFunctions} computes. */
export function canChoose({ mapping, qmin, qmax, eps = SMALLEST_NORMAL }: ChooseInit): Verdict {
  if (Math.max(-qmin, qmax) > LARGEST_BOUND) return no(`the integers [${qmin}, ${qmax}] are beyond ±2^22`);
  if (Math.fround(eps) < SMALLEST_NORMAL || !Number.isFinite(Math.fround(eps)))
    return no(`eps is ${eps}, expected a normal f32: a smaller scale has no finite reciprocal`);
  return mapping === 'symmetric_no_clipping_err' && qmax === 0 ? no('qmax is 0, by which its mapping divides') : yes;
}

/**
 * `join_range(x)`: the extremes of all lanes that share a row, which all of them must ask for. Extremes are bits of floats: x is the least
 * element's (with its sign), y the greatest's; NaNs are beyond both. Two steps of many rather than many of two: barriers take longest.
 */
export function rangeJoin(lanes: number): string {
  if (lanes === 1) return 'fn join_range(x: vec2<u32>) -> vec2<u32> { return x; }';
  const few = 2 ** Math.floor(Math.log2(lanes) / 2);
  return `var<workgroup> lane_ranges: array<vec2<u32>, ${lanes}>;
var<workgroup> few_ranges: array<vec2<u32>, ${few}>;
fn join_range(x: vec2<u32>) -> vec2<u32> {
  lane_ranges[first] = x;
  workgroupBarrier();
  if (first < ${few}u) {
    var r = x;
    for (var i = 1u; i < ${lanes / few}u; i++) { r = max(r, lane_ranges[first + i * ${few}u]); }
    few_ranges[first] = r;
  }
  workgroupBarrier();
  var r = few_ranges[0];
  for (var i = 1u; i < ${few}u; i++) { r = max(r, few_ranges[i]); }
  return r;
}`;
}

/** The extremes of 0. */
export const RANGE_START = 'vec2<u32>(0x80000000u, 0u)';

/** Statements that take the bits `value` into the range `range`. */
export const widen = (range: string, value: string): string =>
  `${range} = max(${range}, vec2<u32>(${value}, bitcast<u32>(max(bitcast<i32>(${value}), 0))));`;

/**
 * The function `choose(range) -> Chosen`: `scale` is the bits of the scale, `zero` the zero point in f32, and `missing` says that
 * it is a NaN. Needs {@link exactArithmetic}.
 */
export function chooseFunctions(init: ChooseInit): string {
  const { mapping, qmin, qmax, eps = SMALLEST_NORMAL } = init;
  const middle = `${init.zero_point ?? Math.trunc((qmax + qmin + 1) / 2)}.0`;
  const by = (x: number): string => u32Literal(f32Bits(x));
  const raw = {
    asymmetric: `quotient_of(sum_of(low, high), ${by(qmax - qmin)})`,
    symmetric: `quotient_of(max(low, high), ${by((qmax - qmin) / 2)})`,
    symmetric_no_clipping_err: `max(${qmin < 0 ? `quotient_of(low, ${by(-qmin)})` : '0u'}, ${qmax > 0 ? `quotient_of(high, ${by(qmax)})` : '0u'})`,
  }[mapping];
  const zero = {
    fixed: `zero = ${middle};`,
    minimum: `let first = quotient_of(low, scale);
  missing = first > 0x7f800000u;
  zero = clamp(${qmin}.0 + round(bitcast<f32>(first)), ${qmin}.0, ${qmax}.0);`,
    smaller_error: `let first = quotient_of(low, scale);
  let last = quotient_of(high, scale);
  let above = max(first, last) <= 0x7f800000u && (${qmin}.0 - bitcast<f32>(first)) + (${qmax}.0 + bitcast<f32>(last)) > 0.0;
  missing = !above && last > 0x7f800000u;
  zero = round(clamp(select(${qmax}.0 - bitcast<f32>(last), ${qmin}.0 + bitcast<f32>(first), above), ${qmin}.0, ${qmax}.0));`,
  }[mapping === 'asymmetric' ? init.zero_point_rule : 'fixed'];
  return `struct Chosen { scale: u32, zero: f32, missing: bool }
fn choose(range: vec2<u32>) -> Chosen {
  let low = range.x & 0x7fffffffu;
  let high = range.y;
  if (max(low, high) > 0x7f800000u) { return Chosen(0x7fc00000u, ${mapping === 'asymmetric' ? '0.0, true' : `${middle}, false`}); }
  let scale = max(${raw}, ${by(eps)});
  var zero = 0.0;
  var missing = false;
  ${zero}
  return Chosen(scale, zero, missing);
}`;
}

/** How floats become integers. */
export interface CodeInit {
  readonly qmin: number;
  readonly qmax: number;
  /** Round after the zero point was added, not before. */
  readonly roundLast: boolean;
}

/** `code_at(x, reciprocal, zero)`: the integer of a float, or those of four, 0 for a NaN. */
export function codeFunction({ qmin, qmax, roundLast }: CodeInit, vectors = false): string {
  const [f, i, u] = vectors ? ['vec4<f32>', 'vec4<i32>', 'vec4<u32>'] : ['f32', 'i32', 'u32'];
  return `fn code_at(x: ${f}, reciprocal: f32, zero: f32) -> ${i} {
  let product = x * reciprocal;
  let missing = (bitcast<${u}>(product + zero) & ${u}(0x7fffffffu)) > ${u}(0x7f800000u);
  // Bounds far from all integers; nothing contracts a product and a sum with a clamp between them.
  let t = clamp(product, ${f}(-1e9), ${f}(1e9));
  return select(${i}(clamp(${roundLast ? 'round(t + zero)' : 'round(t) + zero'}, ${f}(${qmin}.0), ${f}(${qmax}.0))), ${i}(0), missing);
}`;
}

/** Reciprocals within these are used as they are; others as {@link gridFunctions} says. */
export const plainReciprocals = Object.freeze([2 ** -110, 2 ** 60] as const);

/**
 * `struct Grid`, `grid_of(reciprocal, zero)` and `code_of(bits, grid)`: as {@link codeFunction}, which must be there, where x or its
 * product may be below 2^-126 but for a power of two that goes from one to the other: arithmetic may drop such numbers.
 */
export const gridFunctions = (vectors = false): string => `struct Grid { reciprocal: f32, zero: f32, power: i32 }
fn grid_of(reciprocal: u32, zero: f32) -> Grid {
  let size = reciprocal & 0x7fffffffu;
  let power = select(select(0, 74, size > ${u32Literal(f32Bits(plainReciprocals[1]))}), -40, size < ${u32Literal(f32Bits(plainReciprocals[0]))});
  return Grid(bitcast<f32>(times_power(reciprocal, -power)), zero, power);
}
fn times_power(bits: u32, power: i32) -> u32 {
  let sign = bits & 0x80000000u;
  var m = bits & 0x7fffffffu;
  if (m == 0u || m >= 0x7f800000u) { return bits; }
  var e = power;
  if (m < 0x800000u) { m = bitcast<u32>(f32(m)); e -= 149; }
  let field = i32(m >> 23u) + e;
  if (field <= 0) { return 0u; }
  return sign | select(0x7f000000u, (m & 0x7fffffu) | (u32(field) << 23u), field < 255);
}
${
  vectors
    ? `fn code_of(bits: vec4<u32>, g: Grid) -> vec4<i32> {
  var x = bits;
  if (g.power != 0) { for (var c = 0u; c < 4u; c++) { x[c] = times_power(x[c], g.power); } }
  return code_at(bitcast<vec4<f32>>(x), g.reciprocal, g.zero);
}`
    : `fn code_of(bits: u32, g: Grid) -> i32 {
  var x = bits;
  if (g.power != 0) { x = times_power(x, g.power); }
  return code_at(bitcast<f32>(x), g.reciprocal, g.zero);
}`
}`;
