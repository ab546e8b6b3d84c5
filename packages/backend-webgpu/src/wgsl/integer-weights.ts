import type { Constant, Value } from '@qfuse/plugin';
import type { Binding, Dispatch, Launch, ParameterType, Scratch, Sizes } from '../kernel.js';
import { type GridKinds, wordsPerGrid } from '../integer-packing.js';
import { cellsAlong, type PackedFormat, packedGroups } from '../packing.js';
import { bindValue, loadFunction } from './elements.js';
import type { Requantize } from './requantize.js';

/**
 * `y[m, first + n] = input_scale[m] · Σ_g scales[n, g] · D[m, n, g] + bias[first + n]` with the exact integers
 * `D = Σ_{k in g} (x[m, k] − input_zero[m]) · (w[n, k] − zeros[n, g])`, from a packed weight. Which form runs is decided by the number of rows;
 * all give the same bits, see `integer-sums.ts`.
 */
export interface IntegerLinear {
  readonly format: PackedFormat;
  readonly k: number;
  /** Rows of this weight (a shard of the whole). */
  readonly n: number;
  /** Column of the result that row 0 stands for, a multiple of 4. */
  readonly first: number;
  /** Columns of the result. */
  readonly columns: number;
  readonly groups: number;
  /** Codes, i8 or u8. */
  readonly x: Value;
  readonly w: Constant;
  readonly kinds: GridKinds;
  /** See `packGrids`. */
  readonly grids: Constant;
  readonly inputScale: RowParameter;
  /** Of signed codes where it is a number: that of u8 less 128. Undefined when that is 0. */
  readonly inputZero: RowParameter | undefined;
  /** Zero points of the input may be beyond ±255; then what they are multiplied with is not surely exact. */
  readonly wide: boolean;
  /** Largest magnitude of D, as large as dot products give it. */
  readonly largest: number;
  readonly bias: Value | Constant | undefined;
  /** Floats `[M, columns]`, or words of four codes of one row, `[M, columns / 4]`. */
  readonly y: Value | Scratch;
  /** How the result becomes integers again; undefined for floats. */
  readonly requantize: Requantize | undefined;
  readonly rows: (sizes: Sizes) => number;
  readonly staticRows: number | undefined;
  /** Whether the device has `dot4I8Packed`. */
  readonly integerDot: boolean;
}

/** A number for all rows that is known at compile time, or a buffer with one for all rows or one a row. */
export type RowParameter = { readonly value: number } | { readonly from: Value | Constant; readonly perRow: boolean };

/** 0 … count - 1. */
export const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

/** Weights that share a scale. */
export const groupSize = ({ k, groups }: Pick<IntegerLinear, 'k' | 'groups'>): number => k / groups;

/** Words of four codes that a row of x spans at least. */
const wordsOf = ({ k }: Pick<IntegerLinear, 'k'>): number => Math.ceil(k / 4);

/** Groups of a row in the packed scales. */
const groupsAlong = ({ k, groups }: Pick<IntegerLinear, 'k' | 'groups'>): number => packedGroups(k, groups);

/** How a form reads its buffers: x by words or by vectors of four, grids of one row of the weight or of four. */
export interface Access {
  readonly x: 'word' | 'vector';
  readonly rows: 1 | 4;
}

/** Buffers of all forms. */
export function integerBindings(init: IntegerLinear, { x, rows }: Access): readonly Binding[] {
  const read = (name: string, type: string, from: Binding['from']): Binding => ({ name, type, access: 'read', from });
  const words = wordsPerGrid(init.kinds);
  const grid = rows === 4 || words === 4 ? 'vec4<u32>' : words === 2 ? 'vec2<u32>' : 'u32';
  const parameter = (name: string, type: string, p: RowParameter | undefined): readonly Binding[] =>
    p === undefined || 'value' in p ? [] : [isValue(p.from) ? bindValue(name, p.from) : read(name, `array<${type}>`, p.from)];
  return [
    read('x', x === 'word' ? 'array<u32>' : 'array<vec4<u32>>', init.x),
    read('w', 'array<vec4<u32>>', init.w),
    ...(init.requantize === undefined || words > 1 ? [read('grids', `array<${grid}>`, init.grids)] : []),
    ...(init.requantize === undefined ? parameter('input_scale', 'f32', init.inputScale) : []),
    ...parameter('input_zero', 'i32', init.inputZero),
    ...(init.requantize === undefined ? [] : [read('multipliers', 'array<vec4<u32>>', init.requantize.multipliers)]),
    ...(init.requantize !== undefined || init.bias === undefined ? [] : [read('bias', 'array<f32>', init.bias)]),
    { name: 'y', type: resultType(init), access: 'read_write', from: init.y },
  ];
}

const isValue = (from: Value | Constant): from is Value => 'useCount' in from;

/** Rows of floats are whole vectors of four, or single floats; codes are words. */
const resultType = ({ requantize, columns }: IntegerLinear): string =>
  requantize !== undefined ? 'array<u32>' : columns % 4 === 0 ? 'array<vec4<f32>>' : 'array<f32>';

/** Parameters of all forms; `last` is the last word of x. */
export const integerParameters = Object.freeze({
  m: 'u32',
  n: 'u32',
  first: 'u32',
  columns: 'u32',
  last: 'u32',
  k: 'u32',
  words: 'u32',
  cells: 'u32',
  along: 'u32',
  input_scale: 'f32',
  input_zero: 'i32',
  output_zero: 'f32',
} as const satisfies Readonly<Record<string, ParameterType>>);

/** Sizes as WGSL: literals on GPUs, so that loops have known ends; else parameters, and layers share a shader. */
export interface SizeTexts {
  readonly k: string;
  readonly words: string;
  readonly cells: string;
  readonly along: string;
}

export const literalSizes = (init: IntegerLinear): SizeTexts => ({
  k: `${init.k}u`,
  words: `${wordsOf(init)}u`,
  cells: `${cellsAlong(init.format, init.k)}u`,
  along: `${groupsAlong(init)}u`,
});

export const parameterSizes: SizeTexts = Object.freeze({ k: 'P.k', words: 'P.words', cells: 'P.cells', along: 'P.along' });

/** The launch of a form that takes the row counts that `takes` accepts. */
export const launchFor =
  (
    init: IntegerLinear,
    takes: (m: number) => boolean,
    groups: (m: number) => number,
    more: (m: number) => Readonly<Record<string, number>> = () => ({}),
  ): Dispatch['launch'] =>
  (sizes): Launch => {
    const m = init.rows(sizes);
    const { n, first, columns, k } = init;
    if (m === 0 || n === 0 || !takes(m)) return { groups: 0, parameters: {} };
    const single = (p: RowParameter | undefined): number => (p !== undefined && 'value' in p ? p.value : 0);
    return {
      groups: groups(m),
      parameters: {
        m,
        n,
        first,
        columns,
        last: Math.max(0, Math.ceil((m * k) / 4) - 1),
        k,
        words: wordsOf(init),
        cells: cellsAlong(init.format, k),
        along: groupsAlong(init),
        input_scale: single(init.inputScale),
        input_zero: single(init.inputZero),
        output_zero: init.requantize?.zero ?? 0,
        ...more(m),
      },
    };
  };

/**
 * Types and functions on integers: `Quad` is four codes, `quad(word)` makes it of a word of x or of signed bytes, `dot4(a, b)` is
 * their exact dot product; `quads(word, half)` are the signed bytes in a word of the weight: all of them for 8 bits, for 4 bits the four of its
 * low or high nibbles, 16 times as large.
 */
export const dotFunctions = ({ format, integerDot }: Pick<IntegerLinear, 'format' | 'integerDot'>): string =>
  [
    integerDot
      ? `alias Quad = u32;
fn quad(word: u32) -> Quad { return word; }
fn dot4(a: Quad, b: Quad) -> i32 { return dot4I8Packed(a, b); }`
      : `alias Quad = vec4<i32>;
fn quad(word: u32) -> Quad { return bitcast<vec4<i32>>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u); }
fn dot4(a: Quad, b: Quad) -> i32 { return dot(a, b); }`,
    ...(format.bits === 8
      ? []
      : [
          'fn low_bytes(word: u32) -> u32 { return ((word << 4u) & 0xf0f0f0f0u) ^ 0x80808080u; }',
          'fn high_bytes(word: u32) -> u32 { return (word & 0xf0f0f0f0u) ^ 0x80808080u; }',
        ]),
  ].join('\n');

/** The signed bytes in a word of the weight, four K each, in order. */
export const bytesOf = ({ bits }: PackedFormat, word: string): readonly string[] =>
  bits === 8 ? [word] : [`low_bytes(${word})`, `high_bytes(${word})`];

/**
 * `load_x(m, v)`: codes 4v … 4v+3 of row m as signed bytes, or `load_vector(m, v)`, codes 16v … 16v+15. Beyond K they are those of the next
 * row, where weights are 0; zeros where sums of codes are needed too. Never reads beyond the last word.
 */
export function inputFunctions(init: IntegerLinear, { x }: Pick<Access, 'x'>, { k, words }: SizeTexts): string {
  const whole = init.k % 32 === 0;
  const clean = init.kinds.zeros && !whole;
  const flip = (type: string): string => (init.x.type.dtype === 'u8' ? ` ^ ${type}(0x80808080u)` : '');
  if (x === 'vector') {
    const vector = `x[${whole ? `m * (${words} / 4u) + v` : `min(m * (${words} / 4u) + v, P.last / 4u)`}]${flip('vec4<u32>')}`;
    return `fn load_vector(m: u32, v: u32) -> vec4<u32> { return ${clean ? `select(vec4<u32>(), ${vector}, 4u * v < ${words})` : vector}; }`;
  }
  const word =
    init.k % 4 === 0
      ? `let word = x[${whole ? `m * ${words} + v` : `min(m * ${words} + v, P.last)`}]${flip('u32')};`
      : // A row begins anywhere in a word.
        `let b = m * ${k} + 4u * v;
  let shift = (b & 3u) * 8u;
  let word = ((x[min(b >> 2u, P.last)] >> shift) | ((x[min((b >> 2u) + 1u, P.last)] << 1u) << (31u - shift)))${flip('u32')};`;
  const result = clean
    ? `let rest = min(${k} - min(4u * v, ${k}), 4u);
  return word & select(0u, 0xffffffffu >> ((4u - rest) * 8u), rest > 0u);`
    : 'return word;';
  return `fn load_x(m: u32, v: u32) -> u32 {
  ${word}
  ${result}
}`;
}

/** `row_scale(m)`, and `row_zero(m)` of signed codes. */
export function rowFunctions({ inputScale: scale, inputZero: zero, x }: IntegerLinear): string {
  const lines: string[] = [];
  const index = (p: { readonly perRow: boolean }): string => (p.perRow ? 'm' : '0u');
  let z = '0';
  if (zero !== undefined && 'value' in zero) z = 'P.input_zero';
  else if (zero !== undefined) {
    const { from } = zero;
    if (isValue(from)) lines.push(loadFunction('input_zero', from.type.dtype));
    z = isValue(from) ? `i32(load_input_zero(${index(zero)}))` : `input_zero[${index(zero)}]`;
    if (x.type.dtype === 'u8') z += ' - 128';
  }
  const s = 'value' in scale ? 'P.input_scale' : `input_scale[${index(scale)}]`;
  return [...lines, `fn row_scale(m: u32) -> f32 { return ${s}; }`, `fn row_zero(m: u32) -> i32 { return ${z}; }`].join('\n');
}
