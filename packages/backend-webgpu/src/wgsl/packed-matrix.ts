import type { Constant } from '@qfuse/plugin';
import type { Binding, Dispatch, Scratch } from '../kernel.js';
import { cellsAlong, packTops, ROWS_PER_BLOCK } from '../packing.js';
import type { WebGPUTarget } from '../target.js';
import { addParts, partialScratch, splitsFor, type TileSize, tilesOf } from './packed-gemm.js';
import { f16Halves, type Halves, halvesScratch, halvesStride, takesHalves, weightPairs, wordsOf, xHalves } from './packed-halves.js';
import {
  divided,
  finish,
  groupsAlong,
  groupSize,
  launchFor,
  packedBindings,
  type PackedLinear,
  packedParameters,
  range,
} from './packed-weights.js';
import { shader } from './shader.js';

/** A tile of a workgroup as 16 × 16 matrices, cut among its subgroups along M and N. */
export interface MatrixTiles extends TileSize {
  readonly along: readonly [m: number, n: number];
}

/** Tiles by the largest number of rows they are for, the last for all more. */
export const matrixTilesFor = ({ limits }: WebGPUTarget): readonly { readonly rows: number; readonly tiles: MatrixTiles }[] => {
  const large: MatrixTiles = { m: 128, n: 128, along: [2, 2], enough: 256 };
  return [
    { rows: 16, tiles: { m: 16, n: 64, along: [1, 4], enough: 512 } },
    { rows: 32, tiles: { m: 32, n: 64, along: [1, 4], enough: 512 } },
    ...(sharedBytes(large) <= limits.maxComputeWorkgroupStorageSize
      ? [
          { rows: 64, tiles: { m: 64, n: 64, along: [2, 2], enough: 512 } as const },
          { rows: Infinity, tiles: large },
        ]
      : [{ rows: Infinity, tiles: { m: 64, n: 64, along: [2, 2], enough: 512 } as const }]),
  ];
};

/** K that goes through workgroup memory at a time, and where rows of it begin: skewed, so that they lie in different banks. */
const DEPTH = 32;
const STRIDE = DEPTH + 8;
/** Threads of a subgroup; other sizes do not get these kernels. */
const SUBGROUP = 32;
const SIDE = 16;

const subgroupsOf = ({ along: [m, n] }: MatrixTiles): number => m * n;
const sharedBytes = (tiles: MatrixTiles): number => (tiles.m + tiles.n) * STRIDE * 2 + subgroupsOf(tiles) * SIDE * SIDE * 4;

/** The operations on matrices, as WGSL. Offsets count elements of `tile` (rows {@link STRIDE} apart) or of `strip` (16 apart). */
export interface MatrixUnit extends Halves {
  readonly accumulator: (name: string) => string;
  readonly left: (name: string, at: string) => string;
  readonly right: (name: string, at: string) => string;
  readonly multiply: (sum: string, left: string, right: string) => string;
  readonly store: (name: string, at: string) => string;
}

/** Matrix units as the feature `chromium-experimental-subgroup-matrix` has them: f16 in, f32 sums. */
const subgroupUnit: MatrixUnit = {
  directives: `${f16Halves.directives}
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);`,
  declarations: f16Halves.declarations,
  accumulator: (name) => `var ${name}: subgroup_matrix_result<f32, ${SIDE}, ${SIDE}>;`,
  left: (name, at) => `let ${name} = subgroupMatrixLoad<subgroup_matrix_left<f16, ${SIDE}, ${SIDE}>, row_major>(&tile, ${at}, ${STRIDE}u);`,
  right: (name, at) =>
    `let ${name} = subgroupMatrixLoad<subgroup_matrix_right<f16, ${SIDE}, ${SIDE}>, col_major>(&tile, ${at}, ${STRIDE}u);`,
  multiply: (sum, left, right) => `${sum} = subgroupMatrixMultiplyAccumulate(${left}, ${right}, ${sum});`,
  store: (name, at) => `subgroupMatrixStore<row_major>(&strip, ${at}, ${name}, ${SIDE}u);`,
};

/** Whether {@link packedMatrix} can run `init` on `target`. */
export const takesMatrix = (init: PackedLinear, target: WebGPUTarget): boolean =>
  takesHalves(init, target, 8) &&
  ['subgroups', 'chromium-experimental-subgroup-matrix'].every((f) => target.features.includes(f)) &&
  target.subgroupSize.every((size) => size === SUBGROUP) &&
  (target.subgroupMatrices ?? []).some(
    (s) => s.componentType === 'f16' && s.resultComponentType === 'f32' && s.M === SIDE && s.N === SIDE && s.K === SIDE,
  );

/**
 * Many rows on matrix units: x is turned into halves by a dispatch of its own; weights become halves on the way into workgroup memory, scaled
 * by their group relative to a power of two of their row, which is multiplied with the f32 sums at the end, as are scales per
 * channel. Sums go through workgroup memory once more, since only whole matrices can be stored.
 */
export function packedMatrix(
  init: PackedLinear,
  tiles: MatrixTiles,
  takes: (m: number) => boolean,
  unit = subgroupUnit,
): readonly Dispatch[] {
  const partial = partialScratch(init, tiles, takes);
  const halves = halvesScratch(init, takes);
  const tops = init.groups === 1 ? undefined : packTops(init.scales);
  const bindings = bindingsOf(init, halves, partial, tops);
  const value = `sum * bitcast<f32>(halves[m * ${halvesStride(init)}u + ${halvesStride(init) - 1}u].x) * ${tops === undefined ? 'scales' : 'tops'}[n]`;
  const splits = init.staticRows === undefined ? undefined : splitsFor(init, tiles, init.staticRows);
  return [
    xHalves(init, halves, takes),
    matrixDispatch(init, tiles, takes, unit, bindings, value),
    ...(splits === 1 ? [] : [addParts(init, tiles, takes, bindings, value)]),
  ];
}

function bindingsOf(init: PackedLinear, halves: Scratch, partial: Scratch, tops: Constant | undefined): readonly Binding[] {
  const read = (name: string, type: string, from: Binding['from']): Binding => ({ name, type, access: 'read', from });
  return [
    read('halves', 'array<vec4<u32>>', halves),
    ...(tops === undefined ? [] : [read('tops', 'array<f32>', tops)]),
    ...packedBindings(init, 'scalar', partial).filter(({ name }) => name !== 'x'),
  ];
}

function matrixDispatch(
  init: PackedLinear,
  tiles: MatrixTiles,
  takes: (m: number) => boolean,
  unit: MatrixUnit,
  bindings: readonly Binding[],
  value: string,
): Dispatch {
  const [alongM, alongN] = tiles.along;
  const threads = subgroupsOf(tiles) * SUBGROUP;
  const [rowsOf, columnsOf] = [tiles.m / alongM / SIDE, tiles.n / alongN / SIDE];
  const steps = Math.ceil(init.k / DEPTH);
  const loads = matrixLoads(init, tiles, threads);
  const offsetW = tiles.m * STRIDE;
  const multiply = range(DEPTH / SIDE)
    .map(
      (k) => `    {
${range(rowsOf)
  .map((i) => `      ${unit.left(`a${i}`, `(sm * ${rowsOf}u + ${i}u) * ${SIDE * STRIDE}u + ${k * SIDE}u`)}`)
  .join('\n')}
${range(columnsOf)
  .map((j) => `      ${unit.right(`b${j}`, `${offsetW}u + (sn * ${columnsOf}u + ${j}u) * ${SIDE * STRIDE}u + ${k * SIDE}u`)}`)
  .join('\n')}
${range(rowsOf)
  .flatMap((i) => range(columnsOf).map((j) => `      ${unit.multiply(`c${i}_${j}`, `a${i}`, `b${j}`)}`))
  .join('\n')}
    }`,
    )
    .join('\n');
  const results = range(rowsOf).flatMap((i) =>
    range(columnsOf).map(
      (j) => `${unit.store(`c${i}_${j}`, `sg * ${SIDE * SIDE}u`)}
workgroupBarrier();
for (var e = lane % ${SUBGROUP}u; e < ${SIDE * SIDE}u; e += ${SUBGROUP}u) {
  let m = m0 + (sm * ${rowsOf}u + ${i}u) * ${SIDE}u + e / ${SIDE}u;
  let n = n0 + (sn * ${columnsOf}u + ${j}u) * ${SIDE}u + e % ${SIDE}u;
  if (m < P.m && n < P.n) { store(part, m, n, strip[sg * ${SIDE * SIDE}u + e]); }
}
workgroupBarrier();`,
    ),
  );
  const body = `let tiles_n = (P.n + ${tiles.n - 1}u) / ${tiles.n}u;
let all_tiles = tiles_n * ((P.m + ${tiles.m - 1}u) / ${tiles.m}u);
if (group >= all_tiles * P.splits) { return; }
let part = group / all_tiles;
let n0 = (group % all_tiles % tiles_n) * ${tiles.n}u;
let m0 = (group % all_tiles / tiles_n) * ${tiles.m}u;
let begin = ${steps}u * part / P.splits;
let end = ${steps}u * (part + 1u) / P.splits;
let last = (P.n - 1u) / ${ROWS_PER_BLOCK}u * ${ROWS_PER_BLOCK}u + ${ROWS_PER_BLOCK - 1}u;
let sg = lane / ${SUBGROUP}u;
let sm = sg / ${alongN}u;
let sn = sg % ${alongN}u;
${range(rowsOf)
  .flatMap((i) => range(columnsOf).map((j) => unit.accumulator(`c${i}_${j}`)))
  .join('\n')}
${loads.variables}
{
  let step = begin;
${loads.load}
}
for (var done = begin; done < end; done++) {
${loads.store}
  workgroupBarrier();
  let step = min(done + 1u, end - 1u);
${loads.load}
${multiply}
  workgroupBarrier();
}
${results.join('\n')}`;
  return shader({
    label: `matrix ${tiles.m}×${tiles.n}`,
    directives: unit.directives,
    threads,
    bindings,
    parameters: { ...packedParameters, splits: 'u32' },
    declarations: [
      unit.declarations,
      finish(init),
      `fn store(part: u32, m: u32, n: u32, sum: f32) {
  if (P.splits == 1u) { finish(m, n, ${value}); } else { partial[(part * P.m + m) * P.n + n] = sum; }
}`,
      `var<workgroup> tile: array<half, ${(tiles.m + tiles.n) * STRIDE}>;`,
      `var<workgroup> strip: array<f32, ${subgroupsOf(tiles) * SIDE * SIDE}>;`,
    ].join('\n'),
    body,
    launch: launchFor(
      init,
      takes,
      (m) => tilesOf(init, tiles, m) * splitsFor(init, tiles, m),
      (m) => ({ splits: splitsFor(init, tiles, m) }),
    ),
  });
}

/** Loads of the next K into registers, and from there as halves into workgroup memory: 8 K of a row of x, a cell of a row of the weight at a time. */
function matrixLoads(init: PackedLinear, tiles: MatrixTiles, threads: number) {
  const { perCell, bits } = init.format;
  const [unitsX, unitsW] = [tiles.m * (DEPTH / 8), tiles.n * (DEPTH / perCell)];
  const [loadsX, loadsW] = [Math.ceil(unitsX / threads), Math.ceil(unitsW / threads)];
  const grouped = init.groups !== 1;
  const size = groupSize(init);
  /** Scales of a cell: one, or one for every 8 K. */
  const runs = !grouped || size % perCell === 0 ? 1 : perCell / 8;
  const unit = (i: number): string => (i === 0 ? 'lane' : `(lane + ${i * threads}u)`);
  const within = (i: number, units: number): string => ((i + 1) * threads <= units ? '' : `if (${unit(i)} < ${units}u) `);
  const rowOf = (i: number): string => `min(n0 + ${unit(i)} % ${tiles.n}u, last)`;
  const cellOf = (i: number): string => (bits === 4 ? 'step' : `step * 2u + ${unit(i)} / ${tiles.n}u`);
  const scaleAt = (i: number, r: number): string =>
    `(row${i} / ${ROWS_PER_BLOCK}u * ${groupsAlong(init)}u + ${divided(`((${cellOf(i)}) * ${perCell}u + ${r * 8}u)`, size)}) * ${ROWS_PER_BLOCK}u + row${i} % ${ROWS_PER_BLOCK}u`;
  const put = (at: string, pairs: readonly string[]): string =>
    pairs.map((pair, p) => `{ let v = ${pair}; tile[${at} + ${2 * p}u] = v.x; tile[${at} + ${2 * p + 1}u] = v.y; }`).join(' ');
  const load = [
    ...range(loadsX).map(
      (i) =>
        `  ${within(i, unitsX)}{ pa${i} = halves[min(m0 + ${unit(i)} / 4u, P.m - 1u) * ${halvesStride(init)}u + step * 4u + ${unit(i)} % 4u]; }`,
    ),
    ...range(loadsW).map((i) => {
      const cell = `pb${i} = w[(row${i} / ${ROWS_PER_BLOCK}u * ${cellsAlong(init.format, init.k)}u + ${cellOf(i)}) * ${ROWS_PER_BLOCK}u + row${i} % ${ROWS_PER_BLOCK}u];`;
      const per = grouped
        ? range(runs).map((r) => {
            const zero = init.zeros === undefined ? '' : ` pz${i}_${r} = half(zeros[${scaleAt(i, r)}]);`;
            return `ps${i}_${r} = half(scales[${scaleAt(i, r)}] * inverse${i});${zero}`;
          })
        : [];
      return `  ${within(i, unitsW)}{ ${cell} ${per.join(' ')} }`;
    }),
  ];
  const store = [
    ...range(loadsX).map((i) => {
      const at = `${unit(i)} / 4u * ${STRIDE}u + ${unit(i)} % 4u * 8u`;
      return `  ${within(i, unitsX)}{ let at = ${at}; ${put(
        'at',
        ['x', 'y', 'z', 'w'].map((c) => `pair(pa${i}.${c})`),
      )} }`;
    }),
    ...range(loadsW).map((i) => {
      const base = `${tiles.m * STRIDE}u + ${unit(i)} % ${tiles.n}u * ${STRIDE}u${bits === 4 ? '' : ` + ${unit(i)} / ${tiles.n}u * ${perCell}u`}`;
      const chunks = wordsOf(bits, `pb${i}`).map((words, q) => {
        const r = runs === 1 ? 0 : q;
        const zero = init.zeros === undefined ? undefined : grouped ? `pz${i}_${r}` : `z${i}`;
        const pairs = weightPairs(words, zero).map((pair) => (grouped ? `${pair} * ps${i}_${r}` : pair));
        return put(`at + ${8 * q}u`, pairs);
      });
      return `  ${within(i, unitsW)}{ let at = ${base};\n${chunks.map((c) => `    ${c}`).join('\n')} }`;
    }),
  ];
  const variables = [
    ...range(loadsX).map((i) => `var pa${i}: vec4<u32>;`),
    ...range(loadsW).flatMap((i) => [
      `var pb${i}: vec4<u32>;`,
      `let row${i} = ${rowOf(i)};`,
      // Of a power of two, whose reciprocal is exact.
      ...(grouped ? [`let inverse${i} = bitcast<f32>(0x7f000000u - bitcast<u32>(tops[row${i}]));`] : []),
      ...(grouped
        ? range(runs).flatMap((r) => [`var ps${i}_${r}: half;`, ...(init.zeros === undefined ? [] : [`var pz${i}_${r}: half;`])])
        : []),
      ...(!grouped && init.zeros !== undefined ? [`let z${i} = half(zeros[row${i}]);`] : []),
    ]),
  ];
  return { load: load.join('\n'), store: store.join('\n'), variables: variables.join('\n') };
}
