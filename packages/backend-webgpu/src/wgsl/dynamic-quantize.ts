import { countOf, type Dim, isStatic, type ShapeEnv, type Value } from '@qfuse/plugin';
import type { Dispatch, Sizes } from '../kernel.js';
import { knownLayout } from '../storage.js';
import type { WebGPUTarget } from '../target.js';
import { bindValue } from './elements.js';
import { exactArithmetic, u32Literal } from './exact.js';
import { type ChooseInit, chooseFunctions, codeFunction, gridFunctions, RANGE_START, rangeJoin, widen } from './qparams.js';
import { bindBits, bindRanges, bindZeros, type Pieces, piecesDispatch, zeroBits } from './ranges.js';
import { lanesFor, rowsDispatch, type RowsInit } from './rows.js';

/** Floats that become integers on grids that are chosen from their ranges. */
export interface DynamicQuantizeInit {
  readonly input: Value;
  readonly codes: Value;
  readonly scale: Value;
  readonly zero: Value;
  readonly formula: ChooseInit & { readonly round_last: boolean };
  readonly env: ShapeEnv;
}

/** Vectors of four floats that a lane keeps, so that a row is read once. */
const KEPT = 8;

const perWordOf = (v: Value): number => knownLayout(v.type.dtype).perWord;

/** Whether runs of `width` are whole vectors of four floats, and of four integers in a word. */
const wholeVectors = ({ codes, env }: DynamicQuantizeInit, width: Dim): boolean =>
  perWordOf(codes) === 4 && env.divides(4, width) === 'yes';

/** Bindings and functions of all forms: `word_of(vector, grid)`, or `part_of(i, k, grid)`, element i as the k-th of a word. */
function common(
  { input, codes, scale, zero, formula }: DynamicQuantizeInit,
  vectors: boolean,
  lanes: number,
): Pick<RowsInit, 'bindings' | 'declarations'> {
  const bits = 32 / perWordOf(codes);
  const functions = vectors
    ? `fn word_of(v: vec4<u32>, g: Grid) -> u32 {
  let q = (bitcast<vec4<u32>>(code_of(v, g)) & vec4<u32>(255u)) << vec4<u32>(0u, 8u, 16u, 24u);
  return q.x | q.y | q.z | q.w;
}
fn widened(range: vec2<u32>, v: vec4<u32>) -> vec2<u32> {
  let s = bitcast<vec4<i32>>(v);
  return max(range, vec2<u32>(max(max(v.x, v.y), max(v.z, v.w)), bitcast<u32>(max(max(max(s.x, s.y), max(s.z, s.w)), 0))));
}`
    : `fn part_of(i: u32, k: u32, g: Grid) -> u32 { return (bitcast<u32>(code_of(x[i], g)) & ${u32Literal(2 ** bits - 1)}) << (k * ${bits}u); }`;
  return {
    bindings: [
      bindBits('x', input, vectors ? 'array<vec4<u32>>' : 'array<u32>'),
      { ...bindValue('codes', codes, 'read_write'), type: 'array<u32>' },
      bindValue('scales', scale, 'read_write'),
      bindZeros(zero),
    ],
    declarations: [
      rangeJoin(lanes),
      exactArithmetic,
      chooseFunctions(formula),
      codeFunction({ ...formula, roundLast: formula.round_last }, vectors),
      gridFunctions(vectors),
      functions,
    ].join('\n'),
  };
}

/** Statements that make `c: Chosen` and `g: Grid` of `range`. */
function chosen({ zero }: DynamicQuantizeInit): string {
  const scale = zero.type.dtype === 'f32' ? 'select(c.scale, 0x7fc00000u, c.missing)' : 'c.scale';
  return `let c = choose(join_range(range));\nlet g = grid_of(reciprocal_of(${scale}), select(c.zero, 0.0, c.missing));`;
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));

/** Rows of `width` elements that follow one another; a workgroup, or a thread, takes so many that the words it writes are its own. */
export function quantizeRows(init: DynamicQuantizeInit, width: Dim, target: WebGPUTarget): Dispatch {
  const { scale, zero, codes } = init;
  const perWord = perWordOf(codes);
  const known = typeof width === 'number' ? width : undefined;
  const single = isStatic(scale.type.shape) && countOf(scale.type.shape) === 1;
  const sharing = known === undefined ? perWord : perWord / commonDivisor(perWord, known);
  const rows = single ? 1 : Math.max(sharing, perWordOf(zero));
  const vectors = rows === 1 && wholeVectors(init, width);
  const lanes = lanesFor(target, known === undefined ? undefined : known * rows);
  const kept = vectors && lanes > 1 && known !== undefined ? Math.ceil(known / 4 / lanes) : Infinity;
  const bodies = { kept: () => keptRow(init, kept), vectors: () => vectorRow(init, lanes), words: () => wordRows(init, rows) };
  return rowsDispatch({
    label: `quantize ${rows === 1 ? 'a row' : `${rows} rows`} by ${lanes}`,
    lanes,
    ...common(init, vectors, lanes),
    parameters: { total: 'u32', width: 'u32', words: 'u32' },
    body: bodies[kept <= KEPT ? 'kept' : vectors ? 'vectors' : 'words'](),
    rows: (sizes) => Math.ceil(sizes.count(scale) / rows),
    values: (sizes) => {
      const size = typeof width === 'number' ? width : sizes.dim(width);
      return { total: sizes.count(scale), width: vectors ? size / 4 : size, words: Math.ceil((rows * size) / perWord) };
    },
  });
}

const storeRow = (init: DynamicQuantizeInit): string =>
  `${chosen(init)}\nif (first == 0u) { scales[row] = bitcast<f32>(c.scale); zeros[row] = ${zeroBits(init.zero)}; }`;

/** Statements that load `count` vectors from `first` on, all before the first is used; those beyond the end are zeros, which widen nothing. */
const loadVectors = (count: number, from: string): string =>
  `${Array.from({ length: count }, (_, i) => `let i${i} = ${from} + ${i}u * LANES;\nlet l${i} = x[start + min(i${i}, P.width - 1u)];`).join('\n')}
${Array.from({ length: count }, (_, i) => `let v${i} = select(vec4<u32>(), l${i}, i${i} < P.width);\nrange = widened(range, v${i});`).join('\n')}`;

/** A row in registers. */
const keptRow = (init: DynamicQuantizeInit, count: number): string => `let start = row * P.width;
var range = ${RANGE_START};
${loadVectors(count, 'first')}
${storeRow(init)}
${Array.from({ length: count }, (_, i) => `if (i${i} < P.width) { codes[start + i${i}] = word_of(v${i}, g); }`).join('\n')}`;

/** A row in vectors, read twice. */
const vectorRow = (init: DynamicQuantizeInit, lanes: number): string => `let start = row * P.width;
var range = ${RANGE_START};
for (var k = first; k < P.width; k += ${lanes === 1 ? 1 : 4}u * LANES) {
${loadVectors(lanes === 1 ? 1 : 4, 'k')}
}
${storeRow(init)}
for (var i = first; i < P.width; i += LANES) { codes[start + i] = word_of(x[start + i], g); }`;

/** Some rows that share words. */
function wordRows(init: DynamicQuantizeInit, rows: number): string {
  const [perWord, zerosPerWord] = [perWordOf(init.codes), perWordOf(init.zero)];
  const zeroWord = zerosPerWord > 1;
  return `var grids: array<Grid, ${rows}>;
var zero_word = 0u;
for (var r = 0u; r < ${rows}u; r++) {
  let at = row * ${rows}u + r;
  if (at < P.total) {
    var range = ${RANGE_START};
    for (var k = first; k < P.width; k += LANES) { let bits = x[at * P.width + k]; ${widen('range', 'bits')} }
    ${chosen(init)}
    grids[r] = g;
    if (first == 0u) {
      scales[at] = bitcast<f32>(c.scale);
      ${zeroWord ? `zero_word |= ${zeroBits(init.zero)} << ((r % ${zerosPerWord}u) * ${32 / zerosPerWord}u);` : `zeros[at] = ${zeroBits(init.zero)};`}
      ${zeroWord ? `if (at % ${zerosPerWord}u == ${zerosPerWord - 1}u || at + 1u == P.total) { zeros[at / ${zerosPerWord}u] = zero_word; zero_word = 0u; }` : ''}
    }
  }
}
for (var w = first; w < P.words; w += LANES) {
  var word = 0u;
  for (var k = 0u; k < ${perWord}u; k++) {
    let e = w * ${perWord}u + k;
    let r = ${rows === 1 ? '0u' : 'e / P.width'};
    if (e < ${rows}u * P.width && row * ${rows}u + r < P.total) { word |= part_of(row * ${rows}u * P.width + e, k, grids[r]); }
  }
  if (row * P.words + w < (P.total * P.width + ${perWord - 1}u) / ${perWord}u) { codes[row * P.words + w] = word; }
}`;
}

/** All of a tensor on one grid: the ranges of pieces, then all of them again in every workgroup that makes integers. */
export function quantizePieces(init: DynamicQuantizeInit, pieces: Pieces): readonly Dispatch[] {
  const { input, codes } = init;
  const perWord = perWordOf(codes);
  const vectors = isStatic(input.type.shape) && wholeVectors(init, countOf(input.type.shape));
  const { bindings, ...rest } = common(init, vectors, pieces.lanes);
  const count = (sizes: Sizes): number => sizes.count(input);
  const one = vectors
    ? 'codes[w] = word_of(x[w], g);'
    : `var word = 0u;
  for (var k = 0u; k < ${perWord}u; k++) { let i = w * ${perWord}u + k; if (i < P.n) { word |= part_of(i, k, g); } }
  codes[w] = word;`;
  const quantize = rowsDispatch({
    label: 'quantize pieces',
    lanes: pieces.lanes,
    ...rest,
    bindings: [...bindings, bindRanges(pieces, 'read')],
    parameters: { n: 'u32', pieces: 'u32', words: 'u32', all: 'u32' },
    body: `var range = ${RANGE_START};
for (var i = first; i < P.pieces; i += LANES) { range = max(range, ranges[i]); }
${chosen(init)}
if (row == 0u && first == 0u) { scales[0] = bitcast<f32>(c.scale); zeros[0] = ${zeroBits(init.zero)}; }
let end = min((row + 1u) * P.words, P.all);
for (var w = row * P.words + first; w < end; w += LANES) {
  ${one}
}`,
    rows: (sizes) => pieces.number(count(sizes)),
    values: (sizes) => {
      const n = count(sizes);
      return { n, pieces: pieces.number(n), words: pieces.size(n) / perWord, all: Math.ceil(n / perWord) };
    },
  });
  return [piecesDispatch(input, pieces), quantize];
}
