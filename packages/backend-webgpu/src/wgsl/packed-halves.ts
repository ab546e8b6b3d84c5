import type { Dispatch, Scratch, Sizes } from '../kernel.js';
import type { WebGPUTarget } from '../target.js';
import { groupSize, type PackedLinear, packedBindings, packedParameters, range, launchFor, loadX } from './packed-weights.js';
import { shader } from './shader.js';

/**
 * What kernels share that multiply in half precision. They are taken only where the target's accuracy says so and the
 * device has `shader-f16`.
 *
 * Inputs get a common exponent before they are rounded, so that any f32 fits, and integers are exact: halves of magnitude
 * 1024 … 2047, whose last bits are the integer, less 1024. Nothing depends on subnormal halves, which an implementation
 * may flush. With U = 2^-7: |y − y64| ≤ U · Σ|x · w| + 2^-19 · max|x| · Σ|w|, where the maximum is over the K that share an exponent:
 * roundings of x and of scaled weights (2^-10 each, WGSL leaves the direction open), of at most eight sums in half precision
 * (2^-11 each), and what is lost below 2^-14.
 */

/** What halves are in a kernel: the type `half`, and the function `pair(word) -> vec2<half>`. */
export interface Halves {
  readonly directives: string;
  readonly declarations: string;
}

/** Halves as `shader-f16` has them. */
export const f16Halves: Halves = Object.freeze({
  directives: 'enable f16;',
  declarations: 'alias half = f16;\nfn pair(word: u32) -> vec2<half> { return bitcast<vec2<f16>>(word); }',
});

/** Zero points up to this leave differences of integers exact in half precision. */
const LARGEST_ZERO = 512;

/** Whether a layer may be multiplied in half precision on `target`, where `run` consecutive K have one scale. */
export const takesHalves = (init: PackedLinear, { accuracy, features }: WebGPUTarget, run: number): boolean =>
  accuracy === 'f16' &&
  features.includes('shader-f16') &&
  init.largestZero <= LARGEST_ZERO &&
  (init.groups === 1 || groupSize(init) % run === 0);

/** Eight consecutive K as pairs in the order in which a mask and a shift of packed weights give them; K in two vectors `a` and `b` of WGSL. */
export const pairsOf = (a: string, b: string): readonly string[] => [`${a}.xz`, `${b}.xz`, `${a}.yw`, `${b}.yw`];

/**
 * The pairs of {@link pairsOf} for the weights of eight K, as expressions of type vec2<half>: integers less their zero point.
 * @param words the packed words: one of 4 bits, or two of 8 bits
 * @param zero name of a half that holds the zero point; undefined when there is none
 */
export function weightPairs(words: readonly string[], zero: string | undefined): readonly string[] {
  const less = (base: number): string => `vec2<half>(${zero === undefined ? `${base}.0` : `${base}.0 + ${zero}`})`;
  const upper = (word: string): string => `(${word} >> 8u)`;
  if (words.length === 2) {
    const bytes = (word: string): string => `(pair((${word} & 0x00ff00ffu) ^ 0x64806480u) - ${less(1152)})`;
    return [bytes(words[0]!), bytes(words[1]!), bytes(upper(words[0]!)), bytes(upper(words[1]!))];
  }
  const low = (word: string): string => `(pair((${word} & 0x000f000fu) | 0x64006400u) - ${less(1032)})`;
  const high = (word: string): string => `fma(pair((${word} & 0x00f000f0u) | 0x64006400u), vec2<half>(0.0625), -${less(72)})`;
  return [low(words[0]!), high(words[0]!), low(upper(words[0]!)), high(upper(words[0]!))];
}

/** `exponent_of(top)`: the exponent bits that numbers up to `top` share, and `up`, `down`: the powers of two that bring such numbers to about 2^`power` and back. */
export const exponentFunctions = (
  power: number,
): string => `fn exponent_of(top: f32) -> u32 { return clamp(bitcast<u32>(top) >> 23u, ${power + 1}u, 254u); }
fn up(e: u32) -> f32 { return bitcast<f32>((${254 + power}u - e) << 23u); }
fn down(e: u32) -> f32 { return bitcast<f32>((e - ${power}u) << 23u); }`;

/** Rows of x in half precision: 16 bytes for every 8 K, and 16 more that begin with the factor of the row. */
export const halvesStride = ({ k }: Pick<PackedLinear, 'k'>): number => Math.ceil(k / 32) * 4 + 1;

/** Scratch memory for {@link xHalves}. */
export const halvesScratch = (init: PackedLinear, takes: (m: number) => boolean): Scratch => ({
  scratch: 'x in half precision',
  bytes: (sizes: Sizes) => (takes(init.rows(sizes)) ? init.rows(sizes) * halvesStride(init) * 16 : 0),
});

const THREADS = 128;

/** Numbers of a row are brought to this power of two at most: far from the largest half, and as far as can be from the smallest. */
const POWER = 10;

/** Writes x in half precision with one exponent a row; a workgroup takes a row. Zeros up to a multiple of 32 K. */
export function xHalves(init: PackedLinear, halves: Scratch, takes: (m: number) => boolean): Dispatch {
  const chunks = halvesStride(init) - 1;
  const vectors = Math.ceil(init.k / 4);
  const body = `var top = 0.0;
for (var v = lane; v < ${vectors}u; v += ${THREADS}u) {
  let a = abs(load_x(group, v));
  top = max(top, max(max(a.x, a.y), max(a.z, a.w)));
}
tops[lane] = top;
workgroupBarrier();
for (var s = ${THREADS / 2}u; s > 0u; s >>= 1u) {
  if (lane < s) { tops[lane] = max(tops[lane], tops[lane + s]); }
  workgroupBarrier();
}
let e = exponent_of(tops[0]);
let scale = up(e);
let base = group * ${chunks + 1}u;
for (var c = lane; c < ${chunks}u; c += ${THREADS}u) {
  let a = load_x(group, 2u * c) * scale;
  let b = load_x(group, 2u * c + 1u) * scale;
  halves[base + c] = vec4<u32>(${pairsOf('a', 'b')
    .map((p) => `pack2x16float(${p})`)
    .join(', ')});
}
if (lane == 0u) { halves[base + ${chunks}u] = vec4<u32>(bitcast<u32>(down(e)), 0u, 0u, 0u); }`;
  return shader({
    label: 'x as halves',
    threads: THREADS,
    bindings: [
      packedBindings(init, 'scalar').find(({ name }) => name === 'x')!,
      { name: 'halves', type: 'array<vec4<u32>>', access: 'read_write', from: halves },
    ],
    parameters: packedParameters,
    declarations: [loadX(init, init.k % 32 !== 0), exponentFunctions(POWER), `var<workgroup> tops: array<f32, ${THREADS}>;`].join('\n'),
    body: `if (group >= P.m) { return; }\n${body}`,
    launch: launchFor(init, takes, (m) => m),
  });
}

/** Halves of the eight K that word or words of a cell hold, for the parts of a vec4<u32>. */
export const wordsOf = (bits: 4 | 8, cell: string): readonly (readonly string[])[] =>
  bits === 4
    ? range(4).map((j) => [`${cell}.${'xyzw'[j]}`])
    : [
        [`${cell}.x`, `${cell}.y`],
        [`${cell}.z`, `${cell}.w`],
      ];
