import type { Dispatch } from '../kernel.js';
import { cellsAlong, ROWS_PER_BLOCK } from '../packing.js';
import type { WebGPUTarget } from '../target.js';
import { cellsOfGroup, loadCodes, loadWeights, productsOf } from './integer-cells.js';
import { chunksOf, sumFunctions } from './integer-sums.js';
import {
  type Access,
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

/** Cells of a part of a group, where groups are long. */
const PART = 8;
/** Runs whose results a workgroup keeps for a row. */
const MOST_RUNS = 64;
/** Threads of a workgroup at least: where K is short, several teams of threads take rows of their own. */
const THREADS = 128;
/** Workgroups from which on more of them no longer help; below, threads take fewer rows each. */
const ENOUGH_GROUPS = 600;

/** How K is cut into runs, which a thread takes one after the other. */
interface Runs {
  /** Runs are parts of groups, whose sums are still integers; else they are whole chunks, whose sums are floats. */
  readonly integers: boolean;
  readonly count: number;
  /** Runs of a group, for integers. */
  readonly perGroup: number;
}

function runsOf(init: IntegerLinear): Runs {
  const cells = cellsOfGroup(init);
  const perGroup = Math.max(1, Math.min(Math.ceil(cells / PART), Math.floor(MOST_RUNS / init.groups)));
  if (init.groups === 1 || (cells > PART && init.groups <= MOST_RUNS / 2))
    return { integers: true, count: perGroup * init.groups, perGroup };
  return { integers: false, count: chunksOf(init).chunks, perGroup: 1 };
}

/** Whether groups are whole cells, as this form needs it. */
export const fitsCells = (init: IntegerLinear): boolean => init.groups === 1 || groupSize(init) % 32 === 0;

/** What the statements of a kernel need to know. */
interface Form {
  readonly init: IntegerLinear;
  readonly runs: Runs;
  /** Blocks of rows that a thread takes. */
  readonly blocks: number;
  /** Rows of x. */
  readonly columns: number;
  readonly access: Access;
  /** Results of a thread. */
  readonly results: number;
}

/**
 * Few rows of x: threads are 8 weight rows × runs along K. Each reads several cells of its run, for several blocks of rows, before it uses
 * the first, and the part of x that goes with them once for all. What a run adds up to goes through workgroup memory, and one thread for
 * four results finishes them in the order of `integer-sums.ts`.
 */
export function integerGemv(init: IntegerLinear, columns: number, target: WebGPUTarget, takes: (m: number) => boolean): Dispatch {
  const runs = runsOf(init);
  const most = Math.min(256, target.limits.maxComputeInvocationsPerWorkgroup);
  const slices = Math.min(most / ROWS_PER_BLOCK, runs.count);
  const teams = Math.max(1, Math.floor(THREADS / (slices * ROWS_PER_BLOCK)));
  const blocks = columns === 1 && init.n / (2 * ROWS_PER_BLOCK * teams) >= ENOUGH_GROUPS ? 2 : 1;
  const form: Form = {
    init,
    runs,
    blocks,
    columns,
    access: { x: init.k % 16 === 0 ? 'vector' : 'word', rows: 1 },
    results: blocks * columns,
  };
  const { access, results } = form;
  const rowsPerGroup = ROWS_PER_BLOCK * blocks * teams;
  const type = runs.integers ? 'i32' : 'f32';
  const lines = [
    `if (group >= (P.n + ${rowsPerGroup - 1}u) / ${rowsPerGroup}u) { return; }`,
    `let row = lane % ${ROWS_PER_BLOCK}u;`,
    `let slice = (lane / ${ROWS_PER_BLOCK}u) % ${slices}u;`,
    `let team = lane / ${ROWS_PER_BLOCK * slices}u;`,
    `let last = (P.n - 1u) / ${ROWS_PER_BLOCK}u;`,
    ...range(blocks).map((b) => `let block${b} = min((group * ${teams}u + team) * ${blocks}u + ${b}u, last);`),
    ...range(columns).map((i) => `let m${i} = min(${i}u, P.m - 1u);`),
    ...(runs.integers ? [] : range(columns).map((i) => `let z${i} = row_zero(m${i});`)),
    ...(runs.count === slices ? ['let run = slice;', '{'] : [`for (var run = slice; run < ${runs.count}u; run += ${slices}u) {`]),
    ...(runs.integers ? integerRun(form) : floatRun(form)),
    `  let own = (team * ${runs.count}u + run) * ${results * ROWS_PER_BLOCK}u + row;`,
    ...range(results).map((s) => `  partial[own + ${s * ROWS_PER_BLOCK}u] = ${runs.integers ? 'd' : 'c'}${s};`),
    '}',
    'workgroupBarrier();',
    ...finisher(form, teams),
    ...(runs.integers ? finishIntegers(form) : finishFloats(form)),
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
      `fn four(i: u32) -> vec4<${type}> { return vec4<${type}>(partial[i], partial[i + 1u], partial[i + 2u], partial[i + 3u]); }`,
    ].join('\n'),
    body: lines.join('\n'),
    launch: launchFor(init, takes, () => groupsFor(init.n, rowsPerGroup)),
  });
}

const starts = ({ results, columns }: Form): string =>
  [...range(results).map((s) => `var d${s} = 0;`), ...range(columns).map((i) => `var a${i} = 0;`)].join(' ');

/** Cells that are on their way at a time. Where x is read by words these are many instructions, which take long to compile. */
const inFlight = ({ columns, access }: Form): number => (columns === 1 ? 8 : 2) / (access.x === 'word' ? 2 : 1);

/** Loads cells `at0` … of all blocks and x, as `w<cell>_<block>` and `x<cell>_<row>`, then adds the products. */
function batch(form: Form, cells: readonly string[], after: (u: number) => readonly string[] = () => []): readonly string[] {
  const { init, blocks, columns, access } = form;
  return [
    ...cells.flatMap((cell, u) => [`let at${u} = ${cell};`, ...range(blocks).map((b) => loadWeights(`w${u}_${b}`, `block${b}`, `at${u}`))]),
    ...cells.flatMap((_, u) => range(columns).flatMap((i) => loadCodes(init, access, `v${u}_${i}`, `m${i}`, `at${u}`))),
    ...cells.flatMap((_, u) => [
      ...range(blocks).flatMap((b) =>
        productsOf(
          init,
          access,
          `w${u}_${b}`,
          range(columns).map((i) => ({ codes: `v${u}_${i}`, dots: `d${b * columns + i}`, sum: b === 0 ? `a${i}` : undefined })),
        ),
      ),
      ...after(u),
    ]),
  ];
}

/** A part of a group: its cells are those of the other parts in turn. */
function integerRun(form: Form): readonly string[] {
  const { init, runs, columns } = form;
  const { perGroup, count } = runs;
  const cells = cellsOfGroup(init);
  const size = inFlight(form);
  const whole = Math.floor(cells / perGroup / size);
  const lines = [`  ${starts(form)}`, `  let first = (run / ${perGroup}u) * ${cells}u + run % ${perGroup}u;`];
  const step = (t: string, many: number): readonly string[] =>
    batch(
      form,
      range(many).map((u) => `first + (${t} + ${u}u) * ${perGroup}u`),
    );
  if (whole > 0) lines.push(`  for (var t = 0u; t < ${whole * size}u; t += ${size}u) {`, ...step('t', size), '  }');
  // The rest of a run that is no multiple of that.
  if (whole * size * perGroup !== cells)
    lines.push(`  for (var t = ${whole * size}u; t * ${perGroup}u + run % ${perGroup}u < ${cells}u; t++) {`, ...step('t', 1), '  }');
  if (init.kinds.zeros)
    lines.push(
      `  if (row == 0u) { ${range(columns)
        .map((i) => `codes[(team * ${count}u + run) * ${columns}u + ${i}u] = a${i};`)
        .join(' ')} }`,
    );
  return lines;
}

/** A chunk of whole groups; where the last is shorter, groups beyond the end are left out. */
function floatRun(form: Form): readonly string[] {
  const { init, blocks, columns, results } = form;
  const { perChunk } = chunksOf(init);
  const cells = cellsOfGroup(init);
  const even = init.groups % perChunk === 0;
  const size = inFlight(form);
  // Several groups at a time, or several parts of one.
  const groups = [size, size / 2, size / 4, 1].find((g) => g >= 1 && g * cells <= size && perChunk % g === 0) ?? 1;
  const end = `min((run + 1u) * ${perChunk}u, ${init.groups}u)`;
  const add = (u: number): readonly string[] =>
    range(blocks).flatMap((b) =>
      range(columns).map((i) => {
        const s = b * columns + i;
        const sum = `add_group(c${s}, d${s}, grid${u}_${b}, z${i}, a${i})`;
        return `c${s} = ${even ? sum : `select(c${s}, ${sum}, g + ${u}u < end)`}; d${s} = 0;`;
      }),
    );
  const last = cells - 1;
  const codes = init.kinds.zeros
    ? [
        range(columns)
          .map((i) => `a${i} = 0;`)
          .join(' '),
      ]
    : [];
  const lines = [
    ...range(results).map((s) => `  var c${s} = 0.0;`),
    `  ${starts(form)}`,
    `  let end = ${end};`,
    `  for (var g = run * ${perChunk}u; g < ${even ? `run * ${perChunk}u + ${perChunk}u` : 'end'}; g += ${groups}u) {`,
    ...range(groups).flatMap((u) =>
      range(blocks).map((b) => `  let grid${u}_${b} = grid_at(block${b} * ${ROWS_PER_BLOCK}u + row, min(g + ${u}u, ${init.groups - 1}u));`),
    ),
  ];
  if (groups * cells <= size)
    lines.push(
      ...batch(
        form,
        range(groups * cells).map((u) => (even ? `g * ${cells}u + ${u}u` : `min(g * ${cells}u + ${u}u, CELLS - 1u)`)),
        (u) => (u % cells === last ? [...add(Math.floor(u / cells)), ...codes] : []),
      ),
    );
  else {
    const step = [size, size / 2, size / 4, 1].find((s) => s >= 1 && cells % s === 0) ?? 1;
    lines.push(
      `  for (var cell = g * ${cells}u; cell < (g + 1u) * ${cells}u; cell += ${step}u) {`,
      ...batch(
        form,
        range(step).map((u) => `cell + ${u}u`),
      ),
      '  }',
      ...add(0),
      ...codes,
    );
  }
  return [...lines, '  }'];
}

/** Which results a thread finishes, if any: row m of x, four rows of the weight from n on; `at` is where their sums begin. */
const finisher = ({ runs, blocks, columns, results }: Form, teams: number): readonly string[] => [
  `let s = (lane / 2u) % ${results}u;`,
  `let n = ((group * ${teams}u + lane / ${2 * results}u) * ${blocks}u + s / ${columns}u) * ${ROWS_PER_BLOCK}u + lane % 2u * 4u;`,
  `let m = s % ${columns}u;`,
  `let at = (lane / ${2 * results}u * ${runs.count * results}u + s) * ${ROWS_PER_BLOCK}u + lane % 2u * 4u;`,
  `if (lane < ${teams * results * 2}u && n < P.n && m < P.m) {`,
];

/** Integers of all parts of a group are one integer, whatever the order. */
function finishIntegers({ init, runs, results, columns }: Form): readonly string[] {
  const { perGroup, count } = runs;
  const { perChunk, chunks } = chunksOf(init);
  const sum = (g: string): string[] => [
    'var d = vec4<i32>(); var a = 0;',
    `for (var i = ${g} * ${perGroup}u; i < (${g} + 1u) * ${perGroup}u; i++) {`,
    `  d += four(at + i * ${results * ROWS_PER_BLOCK}u);`,
    ...(init.kinds.zeros ? [`  a += codes[(lane / ${2 * results}u * ${count}u + i) * ${columns}u + m];`] : []),
    '}',
  ];
  if (init.groups === 1) return [...sum('0u'), 'finish(m, n, d, row_zero(m), a);'];
  return [
    'var y = start(n);',
    'let z = row_zero(m);',
    'let scale = vec4<f32>(row_scale(m));',
    `for (var chunk = 0u; chunk < ${chunks}u; chunk++) {`,
    '  var c = vec4<f32>();',
    `  for (var g = chunk * ${perChunk}u; g < min((chunk + 1u) * ${perChunk}u, ${init.groups}u); g++) {`,
    ...sum('g'),
    '    c = add_groups(c, d, grids_at(n, g), z, a);',
    '  }',
    '  y = fma(c, scale, y);',
    '}',
    'store(m, n, y);',
  ];
}

const finishFloats = ({ runs, results }: Form): readonly string[] => [
  'var y = start(n);',
  'let scale = vec4<f32>(row_scale(m));',
  `for (var i = 0u; i < ${runs.count}u; i++) { y = fma(four(at + i * ${results * ROWS_PER_BLOCK}u), scale, y); }`,
  'store(m, n, y);',
];
