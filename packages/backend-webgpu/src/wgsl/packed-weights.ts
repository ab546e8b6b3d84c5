import type { Constant, Value } from '@qfuse/plugin';
import type { Binding, Dispatch, Launch, Scratch, Sizes } from '../kernel.js';
import { type PackedFormat, packedGroups, ROWS_PER_BLOCK } from '../packing.js';
import { bindValue } from './elements.js';

/**
 * `y[m, first + n] = Σ_k x[m, k] · (w[n, k] − zeros[n, g(k)]) · scales[n, g(k)] + bias[first + n]` from a packed weight, sums in f32.
 * Which kernel runs is decided by the number of rows of each run; all read the same weight.
 *
 * Zero points are subtracted from the integers, which is exact, and not from sums, which would cancel. Scales are
 * multiplied with sums over as many K as surely share one, so that no form rounds a product more than twice.
 */
export interface PackedLinear {
  readonly format: PackedFormat;
  /** On GPUs a literal in the shader: loops over K have known ends. */
  readonly k: number;
  /** Rows of this weight (a shard of the whole). */
  readonly n: number;
  /** Column of the result that row 0 stands for. */
  readonly first: number;
  /** Columns of the result. */
  readonly columns: number;
  /** Runs of K that have a scale each; 1 per channel. */
  readonly groups: number;
  readonly x: Value;
  /** Packed, see `packing.ts`; so are scales and zero points. */
  readonly w: Constant;
  readonly scales: Constant;
  readonly zeros: Constant | undefined;
  /** The largest magnitude of a zero point; 0 without any. */
  readonly largestZero: number;
  readonly bias: Value | Constant | undefined;
  readonly y: Value;
  readonly rows: (sizes: Sizes) => number;
  /** The number of rows, when it is the same in every run. */
  readonly staticRows: number | undefined;
}

/** Buffers of a form; scales and zero points as vectors of four rows, or one by one. */
export function packedBindings(init: PackedLinear, perRow: 'scalar' | 'vec4', partial?: Scratch): readonly Binding[] {
  const array = (type: string): string => (perRow === 'scalar' ? `array<${type}>` : `array<vec4<${type}>>`);
  const read = (name: string, type: string, from: Binding['from']): Binding => ({ name, type, access: 'read', from });
  const { bias } = init;
  return [
    { ...bindValue('x', init.x), type: init.k % 4 === 0 ? 'array<vec4<f32>>' : 'array<f32>' },
    read('w', 'array<vec4<u32>>', init.w),
    read('scales', array('f32'), init.scales),
    ...(init.zeros === undefined ? [] : [read('zeros', array('i32'), init.zeros)]),
    ...(bias === undefined ? [] : [read('bias', 'array<f32>', bias)]),
    ...(partial === undefined ? [] : [{ name: 'partial', type: 'array<f32>', access: 'read_write', from: partial } as const]),
    bindValue('y', init.y, 'read_write'),
  ];
}

/** Parameters of all forms. */
export const packedParameters = Object.freeze({ m: 'u32', n: 'u32', first: 'u32', columns: 'u32' } as const);

/** `load_x(m, v)` with literal sizes: K 4v … 4v+3 of row m, zeros beyond K where `guard` says that such are asked for. */
export function loadX({ k }: PackedLinear, guard: boolean): string {
  const vectors = `${Math.ceil(k / 4)}u`;
  const rest = k % 4;
  const load =
    rest === 0
      ? `return x[m * ${vectors} + v];`
      : `let i = m * ${k}u + 4u * v;
  if (v + 1u == ${vectors}) { return vec4<f32>(${[0, 1, 2, 3].map((i) => (i < rest ? `x[i + ${i}u]` : '0.0')).join(', ')}); }
  return vec4<f32>(x[i], x[i + 1u], x[i + 2u], x[i + 3u]);`;
  // Beyond K the next row begins, which may hold infinities: zero weights do not make them zero.
  return `fn load_x(m: u32, v: u32) -> vec4<f32> {
  ${guard ? `if (v >= ${vectors}) { return vec4<f32>(); }\n  ` : ''}${load}
}`;
}

/** `finish(m, n, sum)` adds the bias and stores. */
export const finish = ({ bias }: PackedLinear): string =>
  `fn finish(m: u32, n: u32, sum: f32) { y[m * P.columns + P.first + n] = sum${bias === undefined ? '' : ' + bias[P.first + n]'}; }`;

/** Functions that give four integers of a word of a cell: signed bytes, or nibbles as the value plus 8. */
export const decodeFunctions = ({ bits }: PackedFormat): string =>
  bits === 8
    ? 'fn decode(word: u32) -> vec4<f32> { return vec4<f32>((vec4<i32>(bitcast<i32>(word)) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u)); }'
    : `fn decode_low(word: u32) -> vec4<f32> { return vec4<f32>((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u)); }
fn decode_high(word: u32) -> vec4<f32> { return vec4<f32>((vec4<u32>(word) >> vec4<u32>(4u, 12u, 20u, 28u)) & vec4<u32>(15u)); }`;

/** The functions for the vectors of four K that a word of a cell holds, in order. */
export const decoders = ({ bits }: PackedFormat): readonly string[] => (bits === 8 ? ['decode'] : ['decode_low', 'decode_high']);

/** What decoded integers are too large by. */
export const offsetOf = ({ bits }: PackedFormat): 0 | 8 => (bits === 8 ? 0 : 8);

/** 0 … count - 1. */
export const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

/** `a / b` of a u32 expression; a shift where that is the same. */
export const divided = (a: string, b: number): string =>
  b === 1 ? a : Number.isInteger(Math.log2(b)) ? `(${a} >> ${Math.log2(b)}u)` : `(${a} / ${b}u)`;

/** Weights that share a scale. Without any K there is nothing that could be divided by it. */
export const groupSize = ({ k, groups }: Pick<PackedLinear, 'k' | 'groups'>): number => Math.max(1, k / groups);

/**
 * How many consecutive K surely have one scale, of the widths that a form can make use of (the widest first): all of them
 * (`Infinity`) per channel, 1 where none fits.
 */
export const scaleWidth = (init: Pick<PackedLinear, 'k' | 'groups'>, widths: readonly number[]): number =>
  init.groups === 1 ? Infinity : (widths.find((width) => groupSize(init) % width === 0) ?? 1);

/** Groups of a row in the packed scales. */
export const groupsAlong = ({ k, groups }: Pick<PackedLinear, 'k' | 'groups'>): number => packedGroups(k, groups);

/** The launch of a form that takes the row counts that `takes` accepts. */
export const launchFor =
  (
    init: PackedLinear,
    takes: (m: number) => boolean,
    groups: (m: number) => number,
    more: (m: number) => Readonly<Record<string, number>> = () => ({}),
  ): Dispatch['launch'] =>
  (sizes): Launch => {
    const m = init.rows(sizes);
    const { n, first, columns } = init;
    return m === 0 || n === 0 || !takes(m)
      ? { groups: 0, parameters: {} }
      : { groups: groups(m), parameters: { m, n, first, columns, ...more(m) } };
  };

/** The u32 index of what row `n` has for group `g` in scales and zero points, one by one. */
export const perRowIndex = (n: string, g: string, along: string): string =>
  `(${n} / ${ROWS_PER_BLOCK}u * ${along} + ${g}) * ${ROWS_PER_BLOCK}u + ${n} % ${ROWS_PER_BLOCK}u`;

/** As {@link perRowIndex} for rows `n` … `n + 3` together, `n` a multiple of 4. */
export const perQuadIndex = (n: string, g: string, along: string): string =>
  `(${n} / ${ROWS_PER_BLOCK}u * ${along} + ${g}) * ${ROWS_PER_BLOCK / 4}u + ${n} % ${ROWS_PER_BLOCK}u / 4u`;
