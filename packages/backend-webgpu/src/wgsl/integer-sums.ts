import { type GridKinds, integerFactor, wordsPerGrid } from '../integer-packing.js';
import { ROWS_PER_BLOCK } from '../packing.js';
import type { Access, IntegerLinear, SizeTexts } from './integer-weights.js';
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
/** Chunks are added one by one, and kept apart where K is cut into parts. */
const MOST_CHUNKS = 32;

/** The chunks of a layer. They are equal if that is possible with chunks that are not much longer. */
export function chunksOf({ k, groups }: Pick<IntegerLinear, 'k' | 'groups'>): Chunks {
  const least = Math.min(groups, Math.ceil(CHUNK / Math.max(1, k / groups)));
  const shortest = Math.max(1, least, Math.ceil(groups / MOST_CHUNKS));
  let perChunk = shortest;
  while (perChunk < 1.5 * shortest && groups % perChunk !== 0) perChunk++;
  if (groups % perChunk !== 0) perChunk = shortest;
  return { perChunk, chunks: Math.ceil(groups / perChunk) };
}

/** Integers below this become floats by setting their bits into those of 1.5 · 2^23, which is exact and needs no conversion. */
const MAGIC_RANGE = 2 ** 22;

/**
 * Functions of all forms, where `dots` is Σ x · w as the dot products give it, `z` the zero point of the input and `a` Σ x over the group
 * (where the weight has zero points, else 0):
 * - `grids_at(n, g)` is the grid of four rows of the weight, `add_groups(sum, dots, grid, z, a)` is `fma(f32(D), scale, sum)` of these;
 *   `grid_at` and `add_group` are the same for one row;
 * - `start(n)` is the bias of four columns, `store(m, n, y)` writes them;
 * - `finish(m, n, dots, z, a)` makes and writes four results of a layer with one group.
 */
export function sumFunctions(init: IntegerLinear, access: Access, { along }: SizeTexts): string {
  const { requantize, kinds } = init;
  if (requantize !== undefined) {
    const plain = !kinds.sums && !kinds.zeros;
    return `${plain ? '' : `${gridFunction(init, access, 4, along)}\n${differenceFunction(init, 4)}`}
${requantizeFunctions(requantize)}
fn finish(m: u32, n: u32, dots: vec4<i32>, z: i32, a: i32) {
  let d = ${plain ? 'dots' : 'differences(dots, grids_at(n, 0u), z, a)'} >> vec4<u32>(${Math.log2(integerFactor(init.format.bits))}u);
  var word = 0u;
  for (var c = 0u; c < 4u; c++) { word |= (bitcast<u32>(code(d[c], P.first + n + c)) & 255u) << (8u * c); }
  y[m * ((P.columns + 3u) / 4u) + (P.first + n) / 4u] = word;
}`;
  }
  return `${(access.rows === 1 ? ([1, 4] as const) : ([4] as const)).map((width) => `${gridFunction(init, access, width, along)}\n${groupFunction(init, width)}\n`).join('')}${storeFunctions(init)}
fn finish(m: u32, n: u32, dots: vec4<i32>, z: i32, a: i32) {
  store(m, n, fma(add_groups(vec4<f32>(), dots, grids_at(n, 0u), z, a), vec4<f32>(row_scale(m)), start(n)));
}`;
}

const types = (width: 1 | 4): readonly [f: string, i: string] => (width === 1 ? ['f32', 'i32'] : ['vec4<f32>', 'vec4<i32>']);

/** Reads grids as `packGrids` lays them out; what there is none of is 0. */
function gridFunction({ kinds }: IntegerLinear, { rows }: Access, width: 1 | 4, along: string): string {
  const words = wordsPerGrid(kinds);
  const at = `let at = ((n / ${ROWS_PER_BLOCK}u) * ${along} + g) * ${ROWS_PER_BLOCK}u + n % ${ROWS_PER_BLOCK}u;`;
  if (width === 4)
    return `${gridsStruct}
fn grids_at(n: u32, g: u32) -> Grids {
  ${at}
  return ${rows === 4 ? gridsOf(kinds, (c) => `grids[at / 4u * ${words}u + ${c}u]`) : gridsOfRows(kinds, (c) => `grids[at + ${c}u]`)};
}`;
  const [scale, sums, zeros] = { 1: ['', '', ''], 2: ['.x', '.y', ''], 4: ['.x', '.y', '.z'] }[words] as [string, string, string];
  return `struct Grid { scale: f32, sums: i32, zeros: i32 }
fn grid_at(n: u32, g: u32) -> Grid {
  ${at}
  let q = grids[at];
  return Grid(bitcast<f32>(q${scale}), ${kinds.sums ? `bitcast<i32>(q${sums})` : '0'}, ${kinds.zeros ? `bitcast<i32>(q${zeros})` : '0'});
}`;
}

const gridsStruct = 'struct Grids { scale: vec4<f32>, sums: vec4<i32>, zeros: vec4<i32> }';

/** An expression for the grids of four rows from the vectors of four words that hold them: scales of four rows, two words of two rows, or one row. */
export function gridsOf(kinds: GridKinds, vector: (c: number) => string): string {
  const words = wordsPerGrid(kinds);
  if (words === 4) return gridsOfRows(kinds, vector);
  if (words === 1) return `Grids(bitcast<vec4<f32>>(${vector(0)}), vec4<i32>(), vec4<i32>())`;
  const pair = (c: string): string => `vec4<u32>(${vector(0)}.${c}, ${vector(1)}.${c})`;
  return `Grids(bitcast<vec4<f32>>(${pair('xz')}), bitcast<vec4<i32>>(${pair('yw')}), vec4<i32>())`;
}

/** As {@link gridsOf}, from the words of each row. */
function gridsOfRows(kinds: GridKinds, row: (c: number) => string): string {
  const parts = { 1: ['', '', ''], 2: ['.x', '.y', ''], 4: ['.x', '.y', '.z'] }[wordsPerGrid(kinds)];
  const words = (kind: number): string => `vec4<u32>(${four((c) => `${row(c)}${parts[kind]}`, ', ')})`;
  return `Grids(bitcast<vec4<f32>>(${words(0)}), ${kinds.sums ? `bitcast<vec4<i32>>(${words(1)})` : 'vec4<i32>()'}, ${kinds.zeros ? `bitcast<vec4<i32>>(${words(2)})` : 'vec4<i32>()'})`;
}

/** `difference(dots, grid, z, a)`, or `differences` of four rows: D. */
function differenceFunction({ kinds }: IntegerLinear, width: 1 | 4): string {
  const [, i] = types(width);
  const [name, grid] = width === 1 ? ['difference', 'Grid'] : ['differences', 'Grids'];
  return `fn ${name}(dots: ${i}, grid: ${grid}, z: i32, a: i32) -> ${i} { return dots${kinds.zeros ? ' - grid.zeros * a' : ''}${kinds.sums ? ' - grid.sums * z' : ''}; }`;
}

function groupFunction(init: IntegerLinear, width: 1 | 4): string {
  const [f, i] = types(width);
  const [name, grid, add] = width === 1 ? ['difference', 'Grid', 'add_group'] : ['differences', 'Grids', 'add_groups'];
  const exact = init.largest < MAGIC_RANGE ? `bitcast<${f}>(d + ${i}(0x4b400000)) - ${f}(12582912.0)` : `${f}(d)`;
  const lines = [
    `let d = ${name}(dots, grid, z, a);`,
    `var value = ${exact};`,
    // Both parts are exact integers, which the zero point would take beyond 32 bits.
    ...(init.wide && init.kinds.sums
      ? [`if (abs(z) > 255) { value = fma(${f}(-f32(z)), ${f}(grid.sums), ${f}(${name}(dots, grid, 0, a))); }`]
      : []),
    'return fma(value, grid.scale, sum);',
  ];
  return `${differenceFunction(init, width)}
fn ${add}(sum: ${f}, dots: ${i}, grid: ${grid}, z: i32, a: i32) -> ${f} {\n  ${lines.join('\n  ')}\n}`;
}

const four = (text: (c: number) => string, separator: string): string => [0, 1, 2, 3].map(text).join(separator);

/** `start(n)` and `store(m, n, y)`, see {@link sumFunctions}. */
export function storeFunctions({ bias, columns }: IntegerLinear): string {
  const store =
    columns % 4 === 0
      ? 'y[(m * P.columns + P.first + n) / 4u] = v;'
      : `let at = m * P.columns + P.first + n;\n  ${four((c) => `${c === 0 ? '' : `if (n + ${c}u < P.n) { `}y[at${c === 0 ? '' : ` + ${c}u`}] = v[${c}];${c === 0 ? '' : ' }'}`, '\n  ')}`;
  return `fn start(n: u32) -> vec4<f32> { return vec4<f32>(${bias === undefined ? '' : four((c) => `bias[min(P.first + n + ${c}u, P.columns - 1u)]`, ', ')}); }
fn store(m: u32, n: u32, v: vec4<f32>) {\n  ${store}\n}`;
}
