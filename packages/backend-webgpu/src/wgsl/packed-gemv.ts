import type { Dispatch } from '../kernel.js';
import { cellsAlong, ROWS_PER_BLOCK } from '../packing.js';
import type { WebGPUTarget } from '../target.js';
import { cellVectors, factorsOf, joined, plainVectors, vectorsPerCell } from './packed-cell.js';
import {
  decodeFunctions,
  divided,
  finish,
  groupsAlong,
  groupSize,
  launchFor,
  loadX,
  packedBindings,
  type PackedLinear,
  packedParameters,
  range,
  scaleWidth,
} from './packed-weights.js';
import { groupsFor, shader } from './shader.js';

/** Workgroups from which on more of them no longer help; below, threads take fewer rows each. */
const ENOUGH_GROUPS = 256;
/** Cells that a thread loads before it uses the first. */
const IN_FLIGHT = 4;

/** How a kernel is cut: blocks of rows a thread takes, cells it loads at once, threads along K. */
export interface GemvShape {
  readonly blocks: number;
  readonly unroll: number;
  readonly slices: number;
  readonly cells: number;
}

/** The shape for `columns` rows of x with at most `most` blocks a thread. */
export function gemvShape(init: PackedLinear, columns: number, most: number, { limits, vendor }: WebGPUTarget): GemvShape {
  const cells = cellsAlong(init.format, init.k);
  const rowBlocks = Math.ceil(init.n / ROWS_PER_BLOCK);
  const blocks = [4, 2].find((b) => b <= most && rowBlocks / b >= ENOUGH_GROUPS * 0.75) ?? 1;
  // More threads than every device has only where it is known that registers suffice for them.
  const threads = Math.min(
    columns === 1 && vendor === 'nvidia' ? 512 : 256,
    limits.maxComputeInvocationsPerWorkgroup,
    limits.maxComputeWorkgroupSizeX,
  );
  // Whole subgroups of 32 where K is long enough.
  const slices = Math.max(4, Math.min(Math.floor(threads / ROWS_PER_BLOCK), Math.ceil(cells / 4) * 4));
  return { blocks, cells, slices, unroll: Math.max(1, Math.min(IN_FLIGHT / blocks, Math.ceil(cells / slices))) };
}

/**
 * Dot products for up to `columns` rows of x: threads are 8 weight rows × slices along K. A thread loads several cells of
 * several blocks of rows before it uses the first, and each part of x once for all its rows; the slices are added
 * through workgroup memory in two steps.
 */
export function packedGemv(init: PackedLinear, columns: number, target: WebGPUTarget, takes: (m: number) => boolean): Dispatch {
  const shape = gemvShape(init, columns, 2, target);
  const { blocks, unroll, slices, cells } = shape;
  const threads = slices * ROWS_PER_BLOCK;
  const sums = blocks * columns;
  // x is asked for beyond K by the padding of K and by threads whose last cells do not exist.
  const guard = init.k % 32 !== 0 || cells % (slices * unroll) !== 0;
  const lines = [
    `let groups = (P.n + ${ROWS_PER_BLOCK * blocks - 1}u) / ${ROWS_PER_BLOCK * blocks}u;`,
    'if (group >= groups) { return; }',
    `let row = lane % ${ROWS_PER_BLOCK}u;`,
    `let slice = lane / ${ROWS_PER_BLOCK}u;`,
    `let last = (P.n - 1u) / ${ROWS_PER_BLOCK}u;`,
    ...range(blocks).map((b) => `let block${b} = min(group * ${blocks}u + ${b}u, last);`),
    ...range(columns).map((i) => `let m${i} = min(${i}u, P.m - 1u);`),
    ...(init.groups === 1 && init.zeros !== undefined
      ? range(blocks).map((b) => `let z${b} = f32(zeros[block${b} * ${ROWS_PER_BLOCK}u + row]);`)
      : []),
    ...accumulators(init, sums),
    `for (var cell = slice; cell < CELLS; cell += ${slices * unroll}u) {`,
    ...(scalesCells(init) ? cellStep(init, shape, columns) : scaledStep(init, shape, columns)),
    '}',
    ...range(sums).map((s) => `partial[${s * threads}u + lane] = ${total(init, s)};`),
    ...joinSlices(init, shape, columns),
  ];
  return shader({
    label: columns === 1 ? 'gemv' : `gemv ${columns} rows`,
    threads,
    bindings: packedBindings(init, 'scalar'),
    parameters: packedParameters,
    declarations: [
      `const CELLS = ${cells}u;`,
      ...(scalesCells(init) ? [] : [decodeFunctions(init.format), scaleFunctions(init)]),
      loadX(init, guard),
      finish(init),
      `var<workgroup> partial: array<f32, ${sums * threads}>;`,
      `var<workgroup> joined: array<f32, ${sums * ROWS_PER_BLOCK * PARTS}>;`,
    ].join('\n'),
    body: lines.join('\n'),
    launch: launchFor(init, takes, () => groupsFor(init.n, ROWS_PER_BLOCK * blocks)),
  });
}

/** Names of the accumulators of sum `s`, one for each factor. */
const names = ({ format }: PackedLinear, s: number): readonly string[] => factorsOf(format).map((f) => `c${s}_${f}`);

/** What is kept over the whole of K: vectors of integers times x, or what was scaled already, by cells or one by one. */
function accumulators(init: PackedLinear, sums: number): readonly string[] {
  if (init.groups === 1) return range(sums).flatMap((s) => names(init, s).map((c) => `var ${c} = vec4<f32>();`));
  return range(sums).map((s) => `var c${s} = ${scalesCells(init) ? '0.0' : 'vec4<f32>()'};`);
}

function total(init: PackedLinear, s: number): string {
  if (init.groups === 1) return joined(init.format, names(init, s));
  return scalesCells(init) ? `c${s}` : `dot(c${s}, vec4<f32>(1.0))`;
}

/** Whether a whole cell has one scale at least. */
const scalesCells = (init: PackedLinear): boolean => scaleWidth(init, [init.format.perCell]) !== 1;

/** Loads the cells of all blocks. Cells beyond the end are read at the end; x is zero there. */
export const loadCells = ({ unroll, blocks, slices }: GemvShape): readonly string[] =>
  range(unroll).flatMap((u) => [
    ...(u === 0 ? ['  let at0 = cell;'] : [`  let at${u} = cell + ${u * slices}u;`, `  let in${u} = min(at${u}, CELLS - 1u);`]),
    ...range(blocks).map((b) => `  let w${u}_${b} = w[(block${b} * CELLS + ${u === 0 ? 'cell' : `in${u}`}) * ${ROWS_PER_BLOCK}u + row];`),
  ]);

/** One scale for a whole cell at least: sums of integers times x, scaled once a cell or at the very end. */
function cellStep(init: PackedLinear, shape: GemvShape, columns: number): readonly string[] {
  const { format } = init;
  const grouped = init.groups !== 1;
  const lines = [...loadCells(shape)];
  for (const u of range(shape.unroll)) {
    if (grouped)
      for (const b of range(shape.blocks)) {
        const g = divided(u === 0 ? 'cell' : `in${u}`, groupSize(init) / format.perCell);
        const at = `(block${b} * ${groupsAlong(init)}u + ${g}) * ${ROWS_PER_BLOCK}u + row`;
        lines.push(`  let s${u}_${b} = scales[${at}];`);
        if (init.zeros !== undefined) lines.push(`  let z${u}_${b} = f32(zeros[${at}]);`);
      }
  }
  for (const u of range(shape.unroll)) {
    lines.push('  {');
    if (grouped) for (const s of range(shape.blocks * columns)) lines.push(...names(init, s).map((c) => `    var ${c} = vec4<f32>();`));
    const zero = (b: number): string | undefined => (init.zeros === undefined ? undefined : grouped ? `z${u}_${b}` : `z${b}`);
    const vectors = range(shape.blocks).map((b) => cellVectors(format, `w${u}_${b}`, zero(b)));
    for (const v of range(vectorsPerCell(format))) {
      for (const i of range(columns)) lines.push(`    let x${v}_${i} = load_x(m${i}, at${u} * ${vectorsPerCell(format)}u + ${v}u);`);
      vectors.forEach((cell, b) => {
        const { value, factor } = cell[v]!;
        lines.push(`    let q${v}_${b} = ${value};`);
        for (const i of range(columns)) {
          const c = `c${b * columns + i}_${factor}`;
          lines.push(`    ${c} = fma(q${v}_${b}, x${v}_${i}, ${c});`);
        }
      });
    }
    if (grouped)
      for (const b of range(shape.blocks))
        for (const i of range(columns)) {
          const s = b * columns + i;
          lines.push(`    c${s} = fma(${joined(format, names(init, s))}, s${u}_${b}, c${s});`);
        }
    lines.push('  }');
  }
  return lines;
}

/** Groups that begin within cells: every vector is scaled before it is multiplied. */
function scaledStep(init: PackedLinear, shape: GemvShape, columns: number): readonly string[] {
  const lines = [...loadCells(shape)];
  for (const u of range(shape.unroll)) {
    lines.push('  {');
    const vectors = range(shape.blocks).map((b) => plainVectors(init.format, `w${u}_${b}`));
    for (const v of range(vectorsPerCell(init.format))) {
      const vector = `(at${u} * ${vectorsPerCell(init.format)}u + ${v}u)`;
      const inside = `(${u === 0 ? 'cell' : `in${u}`} * ${vectorsPerCell(init.format)}u + ${v}u)`;
      for (const i of range(columns)) lines.push(`    let x${v}_${i} = load_x(m${i}, ${vector});`);
      for (const b of range(shape.blocks)) {
        const zero = init.zeros === undefined ? '' : ` - zeros_at(block${b}, row, ${inside})`;
        lines.push(`    let q${v}_${b} = (${vectors[b]![v]}${zero}) * scales_at(block${b}, row, ${inside});`);
        for (const i of range(columns)) {
          const c = `c${b * columns + i}`;
          lines.push(`    ${c} = fma(q${v}_${b}, x${v}_${i}, ${c});`);
        }
      }
    }
    lines.push('  }');
  }
  return lines;
}

/** `scales_at(block, row, v)` and `zeros_at`: those of K 4v … 4v+3 of one row. */
function scaleFunctions(init: PackedLinear): string {
  const lookup = (name: string, buffer: string): string => {
    const at = (g: string): string => `f32(${buffer}[(block * ${groupsAlong(init)}u + ${g}) * ${ROWS_PER_BLOCK}u + row])`;
    const value =
      scaleWidth(init, [4]) === 4
        ? at(divided('v', groupSize(init) / 4))
        : range(4)
            .map((e) => at(divided(`(4u * v + ${e}u)`, groupSize(init))))
            .join(', ');
    return `fn ${name}(block: u32, row: u32, v: u32) -> vec4<f32> { return vec4<f32>(${value}); }`;
  };
  return [lookup('scales_at', 'scales'), ...(init.zeros === undefined ? [] : [lookup('zeros_at', 'zeros')])].join('\n');
}

/** Threads that add the slices of a result in the first step. */
export const PARTS = 8;

/** Adds the slices in two steps of a few additions each, and stores. */
export function joinSlices(init: PackedLinear, { blocks, slices }: GemvShape, columns: number): readonly string[] {
  const threads = slices * ROWS_PER_BLOCK;
  const results = blocks * columns * ROWS_PER_BLOCK;
  return [
    'workgroupBarrier();',
    `for (var o = lane; o < ${results * PARTS}u; o += ${threads}u) {`,
    `  let s = o / ${ROWS_PER_BLOCK * PARTS}u;`,
    '  var sum = 0.0;',
    `  for (var i = o / ${ROWS_PER_BLOCK}u % ${PARTS}u; i < ${slices}u; i += ${PARTS}u) { sum += partial[s * ${threads}u + i * ${ROWS_PER_BLOCK}u + o % ${ROWS_PER_BLOCK}u]; }`,
    '  joined[o] = sum;',
    '}',
    'workgroupBarrier();',
    `for (var o = lane; o < ${results}u; o += ${threads}u) {`,
    `  let s = o / ${ROWS_PER_BLOCK}u;`,
    `  let r = o % ${ROWS_PER_BLOCK}u;`,
    '  var sum = 0.0;',
    `  for (var i = 0u; i < ${PARTS}u; i++) { sum += joined[(s * ${PARTS}u + i) * ${ROWS_PER_BLOCK}u + r]; }`,
    `  let n = (group * ${blocks}u + s / ${columns}u) * ${ROWS_PER_BLOCK}u + r;`,
    `  let m = s % ${columns}u;`,
    `  if (n < P.n && m < P.m) { finish(m, n, sum${init.groups === 1 ? ' * scales[n]' : ''}); }`,
    '}',
  ];
}
