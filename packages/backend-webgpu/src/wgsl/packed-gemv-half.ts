import type { Dispatch } from '../kernel.js';
import { ROWS_PER_BLOCK } from '../packing.js';
import type { WebGPUTarget } from '../target.js';
import { type GemvShape, gemvShape, joinSlices, loadCells, PARTS } from './packed-gemv.js';
import { exponentFunctions, f16Halves, type Halves, pairsOf, takesHalves, weightPairs, wordsOf } from './packed-halves.js';
import {
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
} from './packed-weights.js';
import { groupsFor, shader } from './shader.js';

/** Numbers of a cell are brought to this power of two: the sums of a quarter of its products then stay below the largest half. */
function power({ format, largestZero }: PackedLinear): number {
  const largest = 2 ** (format.bits - 1) + largestZero;
  return Math.floor(Math.log2(65504 / ((format.perCell / 4) * largest))) - 1;
}

/** 16 bytes of workgroup memory for every 8 K of a cell, and 16 with the factor of the cell. */
const stride = ({ format }: PackedLinear): number => format.perCell / 8 + 1;

const sharedBytes = (init: PackedLinear, { cells, blocks, slices }: GemvShape): number =>
  cells * stride(init) * 16 + 4 * blocks * ROWS_PER_BLOCK * (slices + PARTS);

/** Whether {@link packedGemvHalf} can run `init` on `target`. */
export const takesGemvHalf = (init: PackedLinear, target: WebGPUTarget): boolean =>
  takesHalves(init, target, init.format.perCell) &&
  sharedBytes(init, gemvShape(init, 1, 4, target)) <= target.limits.maxComputeWorkgroupStorageSize;

/**
 * One row of x times the weight in half precision: every workgroup first turns x into halves with an exponent for each cell of K,
 * in workgroup memory; products of a cell are added in half precision, cells in f32.
 */
export function packedGemvHalf(
  init: PackedLinear,
  target: WebGPUTarget,
  takes: (m: number) => boolean,
  unit: Halves = f16Halves,
): Dispatch {
  const shape = gemvShape(init, 1, 4, target);
  const { blocks, unroll, slices, cells } = shape;
  const threads = slices * ROWS_PER_BLOCK;
  const perCell = stride(init);
  const vectors = init.format.perCell / 4;
  const lines = [
    `let groups = (P.n + ${ROWS_PER_BLOCK * blocks - 1}u) / ${ROWS_PER_BLOCK * blocks}u;`,
    'if (group >= groups) { return; }',
    `for (var c = lane; c < ${cells}u; c += ${threads}u) {`,
    ...range(vectors).map((v) => `  let x${v} = load_x(0u, c * ${vectors}u + ${v}u);`),
    `  let a = ${range(vectors).reduce((top, v) => (v === 0 ? 'abs(x0)' : `max(${top}, abs(x${v}))`), '')};`,
    '  let e = exponent_of(max(max(a.x, a.y), max(a.z, a.w)));',
    '  let scale = up(e);',
    ...range(perCell - 1).map(
      (q) =>
        `  halves[c * ${perCell}u + ${q}u] = vec4<u32>(${pairsOf(`x${2 * q}`, `x${2 * q + 1}`)
          .map((p) => `pack2x16float(${p} * scale)`)
          .join(', ')});`,
    ),
    `  halves[c * ${perCell}u + ${perCell - 1}u] = vec4<u32>(bitcast<u32>(down(e)), 0u, 0u, 0u);`,
    '}',
    'workgroupBarrier();',
    `let row = lane % ${ROWS_PER_BLOCK}u;`,
    `let slice = lane / ${ROWS_PER_BLOCK}u;`,
    `let last = (P.n - 1u) / ${ROWS_PER_BLOCK}u;`,
    ...range(blocks).map((b) => `let block${b} = min(group * ${blocks}u + ${b}u, last);`),
    ...(init.groups === 1 && init.zeros !== undefined
      ? range(blocks).map((b) => `let z${b} = half(zeros[block${b} * ${ROWS_PER_BLOCK}u + row]);`)
      : []),
    ...range(blocks).map((b) => `var c${b} = 0.0;`),
    `for (var cell = slice; cell < CELLS; cell += ${slices * unroll}u) {`,
    ...loadCells(shape),
    ...range(unroll).flatMap((u) => cellProducts(init, shape, u)),
    '}',
    ...range(blocks).map((b) => `partial[${b * threads}u + lane] = c${b};`),
    ...joinSlices(init, shape, 1),
  ];
  return shader({
    label: 'gemv f16',
    directives: unit.directives,
    threads,
    bindings: packedBindings(init, 'scalar'),
    parameters: packedParameters,
    declarations: [
      `const CELLS = ${cells}u;`,
      unit.declarations,
      exponentFunctions(power(init)),
      loadX(init, init.k % 32 !== 0),
      finish(init),
      `var<workgroup> halves: array<vec4<u32>, ${cells * perCell}>;`,
      `var<workgroup> partial: array<f32, ${blocks * threads}>;`,
      `var<workgroup> joined: array<f32, ${blocks * ROWS_PER_BLOCK * PARTS}>;`,
    ].join('\n'),
    body: lines.join('\n'),
    launch: launchFor(init, takes, () => groupsFor(init.n, ROWS_PER_BLOCK * blocks)),
  });
}

/** The products of the `u`-th cells that a thread has loaded. */
function cellProducts(init: PackedLinear, { blocks, unroll, slices, cells }: GemvShape, u: number): readonly string[] {
  const perCell = stride(init);
  const grouped = init.groups !== 1;
  const inside = u === 0 ? 'cell' : `in${u}`;
  // What a thread loads beyond the last cell is the last one again, and must not be added.
  const missing = u > 0 && cells % (slices * unroll) !== 0;
  const lines = ['  {', ...range(perCell).map((q) => `    let p${q} = halves[${inside} * ${perCell}u + ${q}u];`)];
  lines.push(
    `    let factor = ${missing ? `select(0.0, bitcast<f32>(p${perCell - 1}.x), at${u} < CELLS)` : `bitcast<f32>(p${perCell - 1}.x)`};`,
  );
  for (const b of range(blocks)) {
    const at = `(block${b} * ${groupsAlong(init)}u + ${divided(inside, groupSize(init) / init.format.perCell)}) * ${ROWS_PER_BLOCK}u + row`;
    const zero = init.zeros === undefined ? undefined : grouped ? 'z' : `z${b}`;
    lines.push('    {', '      var h = vec2<half>();', '      var k = vec2<half>();');
    if (grouped && zero !== undefined) lines.push(`      let z = half(zeros[${at}]);`);
    wordsOf(init.format.bits, `w${u}_${b}`).forEach((words, q) =>
      weightPairs(words, zero).forEach((pair, i) => {
        const sum = i % 2 === 0 ? 'h' : 'k';
        lines.push(`      ${sum} = fma(${pair}, pair(p${q}.${'xyzw'[i]}), ${sum});`);
      }),
    );
    lines.push('      let t = vec2<f32>(h) + vec2<f32>(k);');
    lines.push(`      c${b} = fma((t.x + t.y) * factor, ${grouped ? `scales[${at}]` : '1.0'}, c${b});`, '    }');
  }
  lines.push('  }');
  return lines;
}
