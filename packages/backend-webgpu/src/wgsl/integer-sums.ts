import { correctionsPerGroup } from '../integer-packing.js';
import { type Access, dotShift, type IntegerLinear, quadIndex, type SizeTexts } from './integer-weights.js';
import { requantizeFunctions } from './requantize.js';

/**
 * The part of a linear of integers that is computed in f32, the same expressions in the same order in every form:
 *
 *     y = bias;  for each chunk of groups in order: { a = 0;  for each group of it: a = fma(f32(D), scale, a);  y = fma(a, input_scale, y) }
 *
 * The chunks depend on the layer alone, so a form may compute them in any order or at once. Every product is an operand of an `fma`
 * and no sum has a product beside it, so nothing is left for a compiler to contract.
 *
 * Error, with u = 2^-24: at most two roundings for each `fma` (where it is not fused), one for f32(D) and one for each scale that
 * is stored as f32: |y − y64| ≤ (2 · perChunk + 2 · chunks + 3) · u · (Σ_g |input_scale · scale · D| + |bias|).
 */
export interface Chunks {
  /** Groups in a chunk; the last may have less. */
  readonly perChunk: number;
  readonly chunks: number;
}

/** K of a chunk: long enough that what follows a chunk is rare, short enough that many threads have one. */
const CHUNK = 256;
/** Threads that finish a result add the chunks one by one. */
const MOST_CHUNKS = 64;

/** The chunks of a layer. */
export function chunksOf({ k, groups }: Pick<IntegerLinear, 'k' | 'groups'>): Chunks {
  const size = Math.max(1, k / groups);
  const perChunk = Math.max(1, Math.min(groups, Math.ceil(CHUNK / size)), Math.ceil(groups / MOST_CHUNKS));
  return { perChunk, chunks: Math.ceil(groups / perChunk) };
}

/** Roundings of {@link Chunks} that a term meets at most. */
export const roundingsOf = (layer: Pick<IntegerLinear, 'k' | 'groups'>): number => {
  const { perChunk, chunks } = chunksOf(layer);
  return 2 * perChunk + 2 * chunks + 3;
};

/** Integers below this become floats by setting their bits into those of 1.5 · 2^23, which is exact and needs no conversion. */
const MAGIC_RANGE = 2 ** 22;

/**
 * Functions of all forms, where `dots` is Σ x · w as the dot products give it, `z` the zero point of the input and `a` Σ x over the group
 * (where the weight has zero points, else 0):
 * - `add_groups(sum, dots, n, g, z, a)` is `fma(f32(D), scale, sum)` of four rows of the weight, `add_group` of one;
 * - `start(n)` the bias of four columns, `store(m, n, y)` writes them;
 * - `finish(m, n, dots, z, a)` makes and writes four results of a layer with one group.
 */
export function sumFunctions(init: IntegerLinear, access: Access, { along }: SizeTexts): string {
  const { requantize } = init;
  if (requantize !== undefined)
    return `${differenceFunction(init, access, 4, along)}
${requantizeFunctions(requantize)}
fn finish(m: u32, n: u32, dots: vec4<i32>, z: i32, a: i32) {
  let d = differences(dots, n, 0u, z, a);
  var word = 0u;
  for (var c = 0u; c < 4u; c++) { word |= (bitcast<u32>(code(d[c], P.first + n + c)) & 255u) << (8u * c); }
  y[m * ((P.columns + 3u) / 4u) + (P.first + n) / 4u] = word;
}`;
  return `${access.rows === 1 ? `${groupFunction(init, access, 1, along)}\n` : ''}${groupFunction(init, access, 4, along)}
${storeFunctions(init)}
fn finish(m: u32, n: u32, dots: vec4<i32>, z: i32, a: i32) {
  store(m, n, fma(add_groups(vec4<f32>(), dots, n, 0u, z, a), vec4<f32>(row_scale(m)), start(n)));
}`;
}

const types = (width: 1 | 4): readonly [f: string, i: string, u: string] =>
  width === 1 ? ['f32', 'i32', 'u32'] : ['vec4<f32>', 'vec4<i32>', 'vec4<u32>'];

/** An expression for what one row (or four) has at a vector `index` of a buffer. */
function element({ rows }: Access, width: 1 | 4, buffer: string, type: string, index: string): string {
  if (rows === 4) return `${buffer}[${index}]`;
  if (width === 1) return `${buffer}[(${index}) * 4u + n % 4u]`;
  return `${type}(${[0, 1, 2, 3].map((c) => `${buffer}[(${index}) * 4u + ${c}u]`).join(', ')})`;
}

/** `difference(dots, n, g, z, a)`, or `differences` of four rows: D, and what it is without the input's zero point. */
function differenceFunction(init: IntegerLinear, access: Access, width: 1 | 4, along: string): string {
  const { kinds } = init;
  const [, i, u] = types(width);
  const per = correctionsPerGroup(kinds);
  const correction = (kind: number): string => element(access, width, 'corrections', i, per === 1 ? 'at' : `at * ${per}u + ${kind}u`);
  const shift = dotShift(init.format);
  const lines = [
    ...(per === 0 ? [] : [`let at = ${quadIndex('n', 'g', along)};`]),
    `let own = ${shift === 0 ? 'dots' : `(dots >> ${u}(${shift}u))`}${kinds.zeros ? ` - ${correction(per - 1)} * a` : ''};`,
    `return own${kinds.sums ? ` - ${correction(0)} * z` : ''};`,
  ];
  return `fn difference${width === 1 ? '' : 's'}(dots: ${i}, n: u32, g: u32, z: i32, a: i32) -> ${i} {\n  ${lines.join('\n  ')}\n}`;
}

function groupFunction(init: IntegerLinear, access: Access, width: 1 | 4, along: string): string {
  const [f, i] = types(width);
  const difference = `difference${width === 1 ? '' : 's'}`;
  const exact = init.largest < MAGIC_RANGE ? `bitcast<${f}>(d + ${i}(0x4b400000)) - ${f}(12582912.0)` : `${f}(d)`;
  const lines = [
    `let at = ${quadIndex('n', 'g', along)};`,
    `let d = ${difference}(dots, n, g, z, a);`,
    `var value = ${exact};`,
    // Both parts are exact integers, which the zero point would take beyond 32 bits.
    ...(init.wide && init.kinds.sums
      ? [
          `if (abs(z) > 255) { let own = ${difference}(dots, n, g, 0, a); value = fma(${f}(f32(z)), ${f}(${difference}(dots, n, g, 1, a) - own), ${f}(own)); }`,
        ]
      : []),
    `return fma(value, ${element(access, width, 'scales', f, 'at')}, sum);`,
  ];
  return `${differenceFunction(init, access, width, along)}
fn add_group${width === 1 ? '' : 's'}(sum: ${f}, dots: ${i}, n: u32, g: u32, z: i32, a: i32) -> ${f} {\n  ${lines.join('\n  ')}\n}`;
}

const four = (text: (c: number) => string, separator: string): string => [0, 1, 2, 3].map(text).join(separator);

function storeFunctions({ bias, columns }: IntegerLinear): string {
  const store =
    columns % 4 === 0
      ? 'y[(m * P.columns + P.first + n) / 4u] = v;'
      : `let at = m * P.columns + P.first + n;\n  ${four((c) => `${c === 0 ? '' : `if (n + ${c}u < P.n) { `}y[at${c === 0 ? '' : ` + ${c}u`}] = v[${c}];${c === 0 ? '' : ' }'}`, '\n  ')}`;
  return `fn start(n: u32) -> vec4<f32> { return vec4<f32>(${bias === undefined ? '' : four((c) => `bias[min(P.first + n + ${c}u, P.columns - 1u)]`, ', ')}); }
fn store(m: u32, n: u32, v: vec4<f32>) {\n  ${store}\n}`;
}
