import type { Binding, Dispatch, Launch, Sizes } from '../kernel.js';
import { cellsAlong, type PackedFormat } from '../packing.js';

/**
 * `y[m, first + n] = scales[first + n] · Σ_k x[m, k] · w[n, k] + bias[first + n]` from a packed weight, sums in f32.
 * Which kernel runs is decided by the number of rows of each run; all read the same weight.
 */
export interface PackedLinear {
  readonly format: PackedFormat;
  /** Literal in the shader: loops over K have known ends. */
  readonly k: number;
  /** Rows of this weight (a shard of the whole). */
  readonly n: number;
  /** Column of the result that row 0 stands for. */
  readonly first: number;
  /** Columns of the result. */
  readonly columns: number;
  /** `x`, `w`, `scales`, perhaps `bias`, `y` in this order. */
  readonly bindings: readonly Binding[];
  readonly bias: boolean;
  readonly rows: (sizes: Sizes) => number;
  /** The number of rows, when it is the same in every run. */
  readonly staticRows: number | undefined;
}

/** Parameters of all forms. */
export const packedParameters = Object.freeze({ m: 'u32', n: 'u32', first: 'u32', columns: 'u32' } as const);

/**
 * WGSL functions of all forms: `load_x(m, v)` is K 4v … 4v+3 of row m, zeros beyond K; `CELLS` is the number of cells
 * along K. On GPUs K is a literal, so that loops have known ends; else it is a parameter, and layers share a shader.
 */
export function packedDeclarations({ format, k, bias }: PackedLinear, literal: boolean): string {
  const vectors = literal ? `${Math.ceil(k / 4)}u` : 'P.vectors';
  const rest = k % 4;
  const load =
    rest === 0
      ? `return x[m * ${vectors} + v];`
      : `let i = m * ${literal ? `${k}u` : 'P.k'} + 4u * v;
  if (v + 1u == ${vectors}) { return vec4<f32>(${[0, 1, 2, 3].map((i) => (i < rest ? `x[i + ${i}u]` : '0.0')).join(', ')}); }
  return vec4<f32>(x[i], x[i + 1u], x[i + 2u], x[i + 3u]);`;
  // Beyond K the next row begins, which may hold infinities: zero weights do not make them zero.
  const guard = k % 32 === 0 ? '' : `if (v >= ${vectors}) { return vec4<f32>(); }\n  `;
  return `${literal ? `const CELLS = ${cellsAlong(format, k)}u;\n` : ''}fn load_x(m: u32, v: u32) -> vec4<f32> {
  ${guard}${load}
}
fn finish(m: u32, n: u32, sum: f32) { y[m * P.columns + P.first + n] = sum * scales[P.first + n]${bias ? ' + bias[P.first + n]' : ''}; }
${
  format.bits === 8
    ? 'fn decode(word: u32) -> vec4<f32> { return vec4<f32>((vec4<i32>(bitcast<i32>(word)) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u)); }'
    : `fn decode_low(word: u32) -> vec4<f32> { return vec4<f32>((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u)) - 8.0; }
fn decode_high(word: u32) -> vec4<f32> { return vec4<f32>((vec4<u32>(word) >> vec4<u32>(4u, 12u, 20u, 28u)) & vec4<u32>(15u)) - 8.0; }`
}`;
}

/** The vectors of four K that a word of a cell holds, in order. */
export const decoders = ({ bits }: PackedFormat): readonly string[] => (bits === 8 ? ['decode'] : ['decode_low', 'decode_high']);

/** The vectors of four K in a cell, in order, as expressions over the cell `w`. */
export const vectorsOf = (format: PackedFormat, w: string): readonly string[] =>
  ['x', 'y', 'z', 'w'].flatMap((c) => decoders(format).map((decode) => `${decode}(${w}.${c})`));

/** 0 … count - 1. */
export const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

/** Parameters that are the same in every run. */
const sizesOf = ({ format, k, n, first, columns }: PackedLinear): Record<string, number> => ({
  n,
  first,
  columns,
  k,
  vectors: Math.ceil(k / 4),
  cells: cellsAlong(format, k),
});

/** The launch of a form that takes the row counts that `takes` accepts. */
export const launchFor =
  (init: PackedLinear, takes: (m: number) => boolean, groups: (m: number) => number): Dispatch['launch'] =>
  (sizes): Launch => {
    const m = init.rows(sizes);
    return m === 0 || init.n === 0 || !takes(m)
      ? { groups: 0, parameters: {} }
      : { groups: groups(m), parameters: { ...sizesOf(init), m } };
  };
