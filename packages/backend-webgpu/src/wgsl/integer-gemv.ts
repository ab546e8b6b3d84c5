import type { Dispatch } from '../kernel.js';
import { cellsAlong, ROWS_PER_BLOCK } from '../packing.js';
import type { WebGPUTarget } from '../target.js';
import { chunksOf, sumFunctions } from './integer-sums.js';
import {
  type Access,
  bytesOf,
  dotFunctions,
  groupSize,
  inputFunctions,
  integerBindings,
  type IntegerLinear,
  integerParameters,
  launchFor,
  literalSizes,
  range,
  rowFunctions,
} from './integer-weights.js';
import { groupsFor, shader } from './shader.js';

/** Cells of a run, the part of K that a thread takes at a time. */
const RUN = 8;
/** Runs whose results a workgroup keeps for a row. */
const MOST_RUNS = 64;
/** Threads of a workgroup at least, where K is short several teams of threads take rows of their own. */
const THREADS = 128;

/** How K is cut: whole chunks, whose sums are floats, or parts of groups, whose sums are still integers. */
interface Runs {
  readonly integers: boolean;
  readonly count: number;
  /** Runs of a group, for integers. */
  readonly perGroup: number;
}

function runsOf(init: IntegerLinear): Runs {
  const cells = init.groups === 1 ? cellsAlong(init.format, init.k) : groupSize(init) / init.format.perCell;
  const perGroup = Math.max(1, Math.min(Math.ceil(cells / RUN), Math.floor(MOST_RUNS / init.groups)));
  if (init.groups === 1 || (cells > RUN && init.groups <= MOST_RUNS / 2))
    return { integers: true, count: perGroup * init.groups, perGroup };
  return { integers: false, count: chunksOf(init).chunks, perGroup: 1 };
}

/** Whether groups are whole cells, as this form needs it. */
export const fitsCells = (init: IntegerLinear): boolean => init.groups === 1 || groupSize(init) % 32 === 0;

/**
 * Few rows of x: threads are 8 weight rows × runs along K. Each reads the cells of its run for several blocks of rows, and the part of x
 * that goes with them once for all. What a run adds up to goes through workgroup memory, and one thread for four results finishes them
 * in the order of `integer-sums.ts`.
 */
export function integerGemv(init: IntegerLinear, columns: number, target: WebGPUTarget, takes: (m: number) => boolean): Dispatch {
  const runs = runsOf(init);
  const most = Math.min(256, target.limits.maxComputeInvocationsPerWorkgroup);
  const slices = Math.min(most / ROWS_PER_BLOCK, runs.count);
  const teams = Math.max(1, Math.floor(THREADS / (slices * ROWS_PER_BLOCK)));
  const blocks = columns === 1 ? 2 : 1;
  const access: Access = { x: init.k % 16 === 0 ? 'vector' : 'word', rows: 1 };
  const rowsPerGroup = ROWS_PER_BLOCK * blocks * teams;
  const type = runs.integers ? 'i32' : 'f32';
  const results = blocks * columns;
  const lines = [
    `if (group >= (P.n + ${rowsPerGroup - 1}u) / ${rowsPerGroup}u) { return; }`,
    `let row = lane % ${ROWS_PER_BLOCK}u;`,
    `let slice = (lane / ${ROWS_PER_BLOCK}u) % ${slices}u;`,
    `let team = lane / ${ROWS_PER_BLOCK * slices}u;`,
    `let last = (P.n - 1u) / ${ROWS_PER_BLOCK}u;`,
    ...range(blocks).map((b) => `let block${b} = min((group * ${teams}u + team) * ${blocks}u + ${b}u, last);`),
    ...range(columns).map((i) => `let m${i} = min(${i}u, P.m - 1u);`),
    ...(runs.integers ? [] : range(columns).map((i) => `let z${i} = row_zero(m${i});`)),
    `for (var run = slice; run < ${runs.count}u; run += ${slices}u) {`,
    ...(runs.integers ? integerRun(init, runs, blocks, columns, access) : floatRun(init, blocks, columns, access)),
    `  let at = ((team * ${runs.count}u + run) * ${results}u) * ${ROWS_PER_BLOCK}u + row;`,
    ...range(results).map((s) => `  partial[at + ${s * ROWS_PER_BLOCK}u] = c${s};`),
    '}',
    'workgroupBarrier();',
    `for (var o = lane; o < ${teams * results * 2}u; o += ${teams * slices * ROWS_PER_BLOCK}u) {`,
    '  let half = o % 2u;',
    `  let s = (o / 2u) % ${results}u;`,
    `  let team = o / ${2 * results}u;`,
    `  let n = ((group * ${teams}u + team) * ${blocks}u + s / ${columns}u) * ${ROWS_PER_BLOCK}u + half * 4u;`,
    `  let m = s % ${columns}u;`,
    '  if (n < P.n && m < P.m) {',
    `    let first = ((team * ${runs.count}u) * ${results}u + s) * ${ROWS_PER_BLOCK}u + half * 4u;`,
    ...(runs.integers ? finishIntegers(init, runs, results, columns) : finishFloats(runs, results)),
    '  }',
    '}',
  ];
  return shader({
    label: columns === 1 ? 'integer gemv' : `integer gemv ${columns} rows`,
    threads: teams * slices * ROWS_PER_BLOCK,
    bindings: integerBindings(init, access),
    parameters: integerParameters,
    declarations: [
      `const CELLS = ${cellsAlong(init.format, init.k)}u;`,
      dotFunctions(init),
      inputFunctions(init, access, literalSizes(init)),
      rowFunctions(init),
      sumFunctions(init, access, literalSizes(init)),
      `var<workgroup> partial: array<${type}, ${teams * runs.count * results * ROWS_PER_BLOCK}>;`,
      ...(runs.integers && init.kinds.zeros ? [`var<workgroup> codes: array<i32, ${teams * runs.count * columns}>;`] : []),
      fourFunction(type),
    ].join('\n'),
    body: lines.join('\n'),
    launch: launchFor(init, takes, () => groupsFor(init.n, rowsPerGroup)),
  });
}

/** Four neighbours in `partial`. */
const fourFunction = (type: string): string =>
  `fn four(i: u32) -> vec4<${type}> { return vec4<${type}>(partial[i], partial[i + 1u], partial[i + 2u], partial[i + 3u]); }`;

/** Adds the products of `cell` to `d0` …, one for each block and row of x; codes of x to `a0` … where they are needed. */
function cellStep({ format, kinds }: IntegerLinear, blocks: number, columns: number, { x }: Access): readonly string[] {
  const words = ['x', 'y', 'z', 'w'];
  const quads = words.length * bytesOf(format, '').length;
  return [
    '{',
    ...range(blocks).map((b) => `  let w${b} = w[(block${b} * CELLS + cell) * ${ROWS_PER_BLOCK}u + row];`),
    ...range(columns).flatMap((i) =>
      x === 'vector'
        ? range(quads / 4).map((v) => `  let v${i}_${v} = load_vector(m${i}, cell * ${quads / 4}u + ${v}u);`)
        : range(quads).map((v) => `  let x${i}_${v} = quad(load_x(m${i}, cell * ${quads}u + ${v}u));`),
    ),
    ...(x === 'vector'
      ? range(columns).flatMap((i) => range(quads).map((v) => `  let x${i}_${v} = quad(v${i}_${Math.floor(v / 4)}.${words[v % 4]});`))
      : []),
    ...range(blocks).flatMap((b) => {
      const bytes = words.flatMap((c) => bytesOf(format, `w${b}.${c}`));
      return bytes.flatMap((word, v) => [
        `  let q${b}_${v} = quad(${word});`,
        ...range(columns).map((i) => `  d${b * columns + i} += dot4(q${b}_${v}, x${i}_${v});`),
      ]);
    }),
    ...(kinds.zeros ? range(columns).flatMap((i) => range(quads).map((v) => `  a${i} += dot4(quad(0x01010101u), x${i}_${v});`)) : []),
    '}',
  ];
}

const starts = (results: number, columns: number): string =>
  [...range(results).map((s) => `var d${s} = 0;`), ...range(columns).map((i) => `var a${i} = 0;`)].join(' ');

/** A part of a group: its cells are those of the other parts in turn. */
function integerRun(init: IntegerLinear, { perGroup, count }: Runs, blocks: number, columns: number, access: Access): readonly string[] {
  const cells = init.groups === 1 ? cellsAlong(init.format, init.k) : groupSize(init) / init.format.perCell;
  return [
    `  ${starts(blocks * columns, columns)}`,
    `  let first = (run / ${perGroup}u) * ${cells}u;`,
    `  for (var cell = first + run % ${perGroup}u; cell < first + ${cells}u; cell += ${perGroup}u)`,
    ...cellStep(init, blocks, columns, access).map((l) => `  ${l}`),
    ...range(blocks * columns).map((s) => `  let c${s} = d${s};`),
    ...(init.kinds.zeros
      ? [
          `  if (row == 0u) { ${range(columns)
            .map((i) => `codes[(team * ${count}u + run) * ${columns}u + ${i}u] = a${i};`)
            .join(' ')} }`,
        ]
      : []),
  ];
}

/** A chunk of whole groups. */
function floatRun(init: IntegerLinear, blocks: number, columns: number, access: Access): readonly string[] {
  const { perChunk } = chunksOf(init);
  const cells = groupSize(init) / init.format.perCell;
  const single = cells === 1;
  return [
    ...range(blocks * columns).map((s) => `  var c${s} = 0.0;`),
    `  let end = min((run + 1u) * ${perChunk}u, ${init.groups}u);`,
    `  for (var g = run * ${perChunk}u; g < end; g++) {`,
    `    ${starts(blocks * columns, columns)}`,
    single ? '    let cell = g;' : `    for (var cell = g * ${cells}u; cell < (g + 1u) * ${cells}u; cell++)`,
    ...cellStep(init, blocks, columns, access).map((l) => `    ${l}`),
    ...range(blocks).flatMap((b) =>
      range(columns).map((i) => {
        const s = b * columns + i;
        return `    c${s} = add_group(c${s}, d${s}, block${b} * ${ROWS_PER_BLOCK}u + row, g, z${i}, a${i});`;
      }),
    ),
    '  }',
  ];
}

/** Integers of all parts of a group are one integer, whatever the order. */
function finishIntegers(init: IntegerLinear, { perGroup, count }: Runs, results: number, columns: number): readonly string[] {
  const { perChunk, chunks } = chunksOf(init);
  const sum = (g: string): string[] => [
    'var d = vec4<i32>(); var a = 0;',
    `for (var i = ${g} * ${perGroup}u; i < (${g} + 1u) * ${perGroup}u; i++) {`,
    `  d += four(first + i * ${results * ROWS_PER_BLOCK}u);`,
    ...(init.kinds.zeros ? [`  a += codes[(team * ${count}u + i) * ${columns}u + m];`] : []),
    '}',
  ];
  if (init.groups === 1) return [...sum('0u'), 'finish(m, n, d, row_zero(m), a);'];
  return [
    'var y = start(n);',
    'let z = row_zero(m);',
    `for (var chunk = 0u; chunk < ${chunks}u; chunk++) {`,
    '  var c = vec4<f32>();',
    `  for (var g = chunk * ${perChunk}u; g < min((chunk + 1u) * ${perChunk}u, ${init.groups}u); g++) {`,
    ...sum('g'),
    '    c = add_groups(c, d, n, g, z, a);',
    '  }',
    '  y = fma(c, vec4<f32>(row_scale(m)), y);',
    '}',
    'store(m, n, y);',
  ];
}

const finishFloats = ({ count }: Runs, results: number): readonly string[] => [
  'var y = start(n);',
  'let s_x = vec4<f32>(row_scale(m));',
  `for (var i = 0u; i < ${count}u; i++) { y = fma(four(first + i * ${results * ROWS_PER_BLOCK}u), s_x, y); }`,
  'store(m, n, y);',
];
