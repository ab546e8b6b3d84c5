import type { Dispatch } from '../kernel.js';
import { cellsAlong, ROWS_PER_BLOCK } from '../packing.js';
import type { WebGPUTarget } from '../target.js';
import { launchFor, packedDeclarations, type PackedLinear, packedParameters, range, vectorsOf } from './packed-weights.js';
import { groupsFor, shader } from './shader.js';

/**
 * Dot products for up to `columns` rows of x: a workgroup takes two blocks of weight rows, its threads are 8 rows ×
 * `slices` along K, each with both blocks' cells in flight; the slices are added through workgroup memory.
 */
export function packedGemv(init: PackedLinear, columns: number, target: WebGPUTarget, takes: (m: number) => boolean): Dispatch {
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
      ...range(blocks).flatMap((b) => [
        `    let q${b} = ${vectorsOf(init.format, `w${b}`)[v]};`,
        ...range(columns).map((i) => `    c${b * columns + i} = fma(q${b}, x${i}, c${b * columns + i});`),
      ]),
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
    launch: launchFor(init, takes, () => groupsFor(init.n, ROWS_PER_BLOCK * blocks)),
  });
}
