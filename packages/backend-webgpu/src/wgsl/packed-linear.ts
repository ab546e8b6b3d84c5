import type { Binding, Dispatch, Launch, Sizes } from '../kernel.js';
import { cellsAlong, type PackedFormat, ROWS_PER_BLOCK } from '../packing.js';
import type { WebGPUTarget } from '../target.js';
import { packedGemm } from './packed-gemm.js';
import { groupsFor, shader } from './shader.js';

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

/** Rows up to which a GPU takes the dot product kernel. */
const FEW_ROWS = 4;

/** The dispatches for a packed linear layer; those that can never run are left out. */
export function packedLinear(init: PackedLinear, target: WebGPUTarget): readonly Dispatch[] {
  const paths: readonly { readonly from: number; readonly to: number; readonly make: (takes: (m: number) => boolean) => Dispatch }[] = target.software || init.k === 0
    ? [
        { from: 0, to: 1, make: (takes) => tile(init, 1, takes) },
        { from: 2, to: Infinity, make: (takes) => tile(init, 4, takes) },
      ]
    : [
        { from: 0, to: 1, make: (takes) => gemv(init, 1, target, takes) },
        { from: 2, to: FEW_ROWS, make: (takes) => gemv(init, FEW_ROWS, target, takes) },
        { from: FEW_ROWS + 1, to: Infinity, make: (takes) => packedGemm(init, target, takes) },
      ];
  return paths.filter(({ from, to }) => init.staticRows === undefined || (init.staticRows >= from && init.staticRows <= to)).map(({ from, to, make }) => make((m) => m >= from && m <= to));
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
const decoders = ({ bits }: PackedFormat): readonly string[] => (bits === 8 ? ['decode'] : ['decode_low', 'decode_high']);

/** The vectors of four K in a cell, in order, as expressions over the cell `w`. */
const vectorsOf = (format: PackedFormat, w: string): readonly string[] => ['x', 'y', 'z', 'w'].flatMap((c) => decoders(format).map((decode) => `${decode}(${w}.${c})`));

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

/** Parameters that are the same in every run. */
export const sizesOf = ({ format, k, n, first, columns }: PackedLinear): Record<string, number> => ({ n, first, columns, k, vectors: Math.ceil(k / 4), cells: cellsAlong(format, k) });

const launch = (init: PackedLinear, takes: (m: number) => boolean, groups: (m: number) => number): Dispatch['launch'] => (sizes): Launch => {
  const m = init.rows(sizes);
  return m === 0 || init.n === 0 || !takes(m) ? { groups: 0, parameters: {} } : { groups: groups(m), parameters: { ...sizesOf(init), m } };
};

/**
 * A thread makes `rows` × 4 results without workgroup memory, for software adapters: barriers are slow there, and so is
 * compiling, hence loops where a GPU's kernel is unrolled.
 */
function tile(init: PackedLinear, rows: 1 | 4, takes: (m: number) => boolean): Dispatch {
  const columns = 4;
  const perWord = decoders(init.format).length;
  const lines = [
    `let tiles = (P.n + ${columns - 1}u) / ${columns}u;`,
    'let t = group * 64u + lane;',
    `if (t >= tiles * ((P.m + ${rows - 1}u) / ${rows}u)) { return; }`,
    `let n = (t % tiles) * ${columns}u;`,
    `let m = (t / tiles) * ${rows}u;`,
    ...range(rows).map((i) => `let m${i} = min(m + ${i}u, P.m - 1u);`),
    ...range(rows).map((i) => `var c${i} = vec4<f32>();`),
    `let base = (n / ${ROWS_PER_BLOCK}u) * P.cells * ${ROWS_PER_BLOCK}u + n % ${ROWS_PER_BLOCK}u;`,
    'for (var j = 0u; j < P.cells * 4u; j++) {',
    `  let at = base + (j / 4u) * ${ROWS_PER_BLOCK}u;`,
    ...range(columns).map((c) => `  let w${c} = w[at + ${c}u][j % 4u];`),
    ...decoders(init.format).flatMap((decode, v) => [
      `  let q${v} = mat4x4<f32>(${range(columns).map((c) => `${decode}(w${c})`).join(', ')});`,
      ...range(rows).map((i) => `  c${i} += load_x(m${i}, j * ${perWord}u + ${v}u) * q${v};`),
    ]),
    '}',
    'for (var c = 0u; c < min(4u, P.n - n); c++) {',
    ...range(rows).map((i) => `  ${i === 0 ? '' : `if (m + ${i}u < P.m) { `}finish(m + ${i}u, n + c, c${i}[c]);${i === 0 ? '' : ' }'}`),
    '}',
  ];
  return shader({
    label: `${rows}×4 tile`,
    bindings: init.bindings,
    parameters: { ...packedParameters, k: 'u32', vectors: 'u32', cells: 'u32' },
    declarations: packedDeclarations(init, false),
    body: lines.join('\n'),
    launch: launch(init, takes, (m) => groupsFor(Math.ceil(m / rows) * Math.ceil(init.n / columns), 64)),
  });
}

/**
 * Dot products for up to `columns` rows of x: a workgroup takes two blocks of weight rows, its threads are 8 rows ×
 * `slices` along K, each with both blocks' cells in flight; the slices are added through workgroup memory.
 */
function gemv(init: PackedLinear, columns: number, target: WebGPUTarget, takes: (m: number) => boolean): Dispatch {
  const cells = cellsAlong(init.format, init.k);
  const most = Math.min(32, target.limits.maxComputeInvocationsPerWorkgroup / ROWS_PER_BLOCK);
  const slices = Math.min(most, 2 ** Math.ceil(Math.log2(cells)));
  const threads = slices * ROWS_PER_BLOCK;
  const blocks = 2;
  const vectors = vectorsOf(init.format, 'w0').length;
  const sums = blocks * columns;
  const lines = [
    `let groups = (P.n + ${ROWS_PER_BLOCK * blocks - 1}u) / ${ROWS_PER_BLOCK * blocks}u;`,
    'if (group >= groups) { return; }',
    `let row = lane % ${ROWS_PER_BLOCK}u;`,
    `let slice = lane / ${ROWS_PER_BLOCK}u;`,
    `let last = (P.n - 1u) / ${ROWS_PER_BLOCK}u;`,
    ...range(blocks).map((b) => `let base${b} = min(group * ${blocks}u + ${b}u, last) * CELLS * ${ROWS_PER_BLOCK}u + row;`),
    ...range(columns).map((i) => `let m${i} = min(${i}u, P.m - 1u);`),
    ...range(sums).map((s) => `var c${s} = vec4<f32>();`),
    `for (var cell = slice; cell < CELLS; cell += ${slices}u) {`,
    ...range(blocks).map((b) => `  let w${b} = w[base${b} + cell * ${ROWS_PER_BLOCK}u];`),
    ...range(vectors).flatMap((v) => [
      '  {',
      ...range(columns).map((i) => `    let x${i} = load_x(m${i}, cell * ${vectors}u + ${v}u);`),
      ...range(blocks).flatMap((b) => [`    let q${b} = ${vectorsOf(init.format, `w${b}`)[v]};`, ...range(columns).map((i) => `    c${b * columns + i} = fma(q${b}, x${i}, c${b * columns + i});`)]),
      '  }',
    ]),
    '}',
    ...range(sums).map((s) => `partial[${s * threads}u + lane] = dot(c${s}, vec4<f32>(1.0));`),
    'workgroupBarrier();',
    `for (var o = lane; o < ${sums * ROWS_PER_BLOCK}u; o += ${threads}u) {`,
    `  let s = o / ${ROWS_PER_BLOCK}u;`,
    `  let r = o % ${ROWS_PER_BLOCK}u;`,
    '  var total = 0.0;',
    `  for (var i = 0u; i < ${slices}u; i++) { total += partial[s * ${threads}u + i * ${ROWS_PER_BLOCK}u + r]; }`,
    `  let n = (group * ${blocks}u + s / ${columns}u) * ${ROWS_PER_BLOCK}u + r;`,
    `  let m = s % ${columns}u;`,
    '  if (n < P.n && m < P.m) { finish(m, n, total); }',
    '}',
  ];
  return shader({
    label: columns === 1 ? 'gemv' : `gemv ${columns} rows`,
    threads,
    bindings: init.bindings,
    parameters: packedParameters,
    declarations: `${packedDeclarations(init, true)}\nvar<workgroup> partial: array<f32, ${sums * threads}>;`,
    body: lines.join('\n'),
    launch: launch(init, takes, () => groupsFor(init.n, ROWS_PER_BLOCK * blocks)),
  });
}
