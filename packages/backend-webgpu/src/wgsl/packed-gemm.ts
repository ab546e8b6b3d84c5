import type { Binding, Dispatch, Scratch, Sizes } from '../kernel.js';
import { ROWS_PER_BLOCK } from '../packing.js';
import type { WebGPUTarget } from '../target.js';
import { finish, launchFor, loadX, packedBindings, type PackedLinear, packedParameters, range } from './packed-weights.js';
import { tileLoads } from './packed-gemm-loads.js';
import { groupsFor, shader } from './shader.js';

/** The tile of a workgroup, and how many workgroups a device should have of them. */
export interface TileSize {
  readonly m: number;
  readonly n: number;
  readonly enough: number;
}

/** With the tile of a thread. */
export interface Tiles extends TileSize {
  readonly threadM: number;
  readonly threadN: number;
}

/** K that goes through workgroup memory at a time. */
const DEPTH = 32;
/** Parts of K are no shorter than this many depths, and no more than this many. */
const LEAST_STEPS = 4;
const MOST_SPLITS = 16;

/** Tiles by the largest number of rows they are for, the last for all more. */
export function tilesFor({ limits }: WebGPUTarget): readonly { readonly rows: number; readonly tiles: Tiles }[] {
  const large: Tiles = { m: 128, n: 64, threadM: 8, threadN: 8, enough: 256 };
  const medium: Tiles = { m: 64, n: 64, threadM: 8, threadN: 4, enough: 512 };
  const fits = (large.m + large.n) * DEPTH * 4 <= limits.maxComputeWorkgroupStorageSize;
  return [
    { rows: 16, tiles: { m: 16, n: 64, threadM: 4, threadN: 4, enough: 1024 } },
    { rows: 32, tiles: { m: 32, n: 64, threadM: 4, threadN: 4, enough: 512 } },
    ...(fits
      ? [
          { rows: 64, tiles: medium },
          { rows: Infinity, tiles: large },
        ]
      : [{ rows: Infinity, tiles: medium }]),
  ];
}

const component = 'xyzw';

/** Tiles for `m` rows. */
export const tilesOf = ({ n }: PackedLinear, tiles: TileSize, m: number): number => Math.ceil(m / tiles.m) * Math.ceil(n / tiles.n);

/** Into how many parts K is cut, so that few tiles still keep the device busy. */
export function splitsFor(init: PackedLinear, tiles: TileSize, m: number): number {
  const steps = Math.ceil(init.k / DEPTH);
  return Math.max(1, Math.min(Math.floor(tiles.enough / tilesOf(init, tiles, m)), Math.floor(steps / LEAST_STEPS), MOST_SPLITS));
}

/**
 * Many rows: x and the weight, turned into f32 on the way, go through workgroup memory, where K is the outer axis and
 * four rows (or columns) are one vec4; each thread keeps its tile in registers. The next K are loaded into registers
 * while the present ones are multiplied. Rows beyond the end are read at the end and not stored. Where there are few
 * tiles, K is cut into parts whose sums go through scratch memory and are added by a second dispatch.
 */
export function packedGemm(init: PackedLinear, tiles: Tiles, takes: (m: number) => boolean): readonly Dispatch[] {
  const bindings = packedBindings(init, 'vec4', partialScratch(init, tiles, takes));
  const value = init.groups === 1 ? 'sum * scales[n / 4u][n % 4u]' : 'sum';
  const splits = init.staticRows === undefined ? undefined : splitsFor(init, tiles, init.staticRows);
  return [tileDispatch(init, tiles, takes, bindings, value), ...(splits === 1 ? [] : [addParts(init, tiles, takes, bindings, value)])];
}

/** Sums of parts of K, [part, m, n]; nothing where K is not cut. */
export const partialScratch = (init: PackedLinear, tiles: TileSize, takes: (m: number) => boolean): Scratch => ({
  scratch: 'partial sums',
  bytes: (sizes: Sizes) => {
    const m = init.rows(sizes);
    const splits = m > 0 && takes(m) ? splitsFor(init, tiles, m) : 1;
    return splits === 1 ? 0 : 4 * splits * m * init.n;
  },
});

function tileDispatch(
  init: PackedLinear,
  tiles: Tiles,
  takes: (m: number) => boolean,
  bindings: readonly Binding[],
  value: string,
): Dispatch {
  const threads = (tiles.m / tiles.threadM) * (tiles.n / tiles.threadN);
  const [columnsOfThreads, rowsOfThreads] = [tiles.n / tiles.threadN, tiles.m / tiles.threadM];
  const [quadsM, quadsN] = [tiles.m / 4, tiles.n / 4];
  const [tm, tn] = [tiles.threadM, tiles.threadN / 4];
  const steps = Math.ceil(init.k / DEPTH);
  const loads = tileLoads(init, tiles, threads);
  const multiply = range(4)
    .map(
      (k) => `    {
${range(tm / 4)
  .map((i) => `      let a${i} = tile_x[kq * ${tiles.m}u + ${k * quadsM}u + ((ty + ${i * rowsOfThreads}u) ^ (kq & ${loads.rotation}u))];`)
  .join('\n')}
${range(tn)
  .map((j) => `      let b${j} = tile_w[kq * ${tiles.n}u + ${k * quadsN}u + tx + ${j * columnsOfThreads}u];`)
  .join('\n')}
${range(tm)
  .flatMap((i) => range(tn).map((j) => `      c${i}_${j} = fma(vec4<f32>(a${i >> 2}.${component[i & 3]}), b${j}, c${i}_${j});`))
  .join('\n')}
    }`,
    )
    .join('\n');
  const results = range(tm).flatMap((i) => [
    `{ let m = m0 + (ty + ${(i >> 2) * rowsOfThreads}u) * 4u + ${i & 3}u;`,
    '  if (m < P.m) {',
    ...range(tn).flatMap((j) => [
      `    let at${j} = n0 + (tx + ${j * columnsOfThreads}u) * 4u;`,
      ...range(4).map((c) => `    if (at${j} + ${c}u < P.n) { store(part, m, at${j} + ${c}u, c${i}_${j}.${component[c]}); }`),
    ]),
    '  } }',
  ]);
  const body = `let tiles_n = (P.n + ${tiles.n - 1}u) / ${tiles.n}u;
let all_tiles = tiles_n * ((P.m + ${tiles.m - 1}u) / ${tiles.m}u);
if (group >= all_tiles * P.splits) { return; }
let part = group / all_tiles;
let tile = group % all_tiles;
let n0 = (tile % tiles_n) * ${tiles.n}u;
let m0 = (tile / tiles_n) * ${tiles.m}u;
let begin = ${steps}u * part / P.splits;
let end = ${steps}u * (part + 1u) / P.splits;
let last = (P.n - 1u) / ${ROWS_PER_BLOCK}u;
let tx = lane % ${columnsOfThreads}u;
let ty = lane / ${columnsOfThreads}u;
${range(tm)
  .map((i) =>
    range(tn)
      .map((j) => `var c${i}_${j} = vec4<f32>();`)
      .join(' '),
  )
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
  for (var kq = 0u; kq < 8u; kq++) {
${multiply}
  }
  workgroupBarrier();
}
${results.join('\n')}`;
  const declarations = [
    loadX(init, init.k % DEPTH !== 0),
    loads.functions,
    finish(init),
    `fn store(part: u32, m: u32, n: u32, sum: f32) {
  if (P.splits == 1u) { finish(m, n, ${value}); } else { partial[(part * P.m + m) * P.n + n] = sum; }
}`,
    `var<workgroup> tile_x: array<vec4<f32>, ${DEPTH * quadsM}>;`,
    `var<workgroup> tile_w: array<vec4<f32>, ${DEPTH * quadsN}>;`,
  ];
  return shader({
    label: `gemm ${tiles.m}×${tiles.n}`,
    threads,
    bindings,
    parameters: { ...packedParameters, splits: 'u32' },
    declarations: declarations.filter((t) => t !== '').join('\n'),
    body,
    launch: launchFor(
      init,
      takes,
      (m) => tilesOf(init, tiles, m) * splitsFor(init, tiles, m),
      (m) => ({ splits: splitsFor(init, tiles, m) }),
    ),
  });
}

/** Adds the parts of each result in order; `value` is an expression over `sum`, `m` and `n` that may read `bindings`. */
export function addParts(
  init: PackedLinear,
  tiles: TileSize,
  takes: (m: number) => boolean,
  bindings: readonly Binding[],
  value: string,
): Dispatch {
  const body = `let i = group * 64u + lane;
if (i >= P.m * P.n) { return; }
let m = i / P.n;
let n = i % P.n;
var sum = 0.0;
for (var part = 0u; part < P.splits; part++) { sum += partial[part * P.m * P.n + i]; }
finish(m, n, ${value});`;
  const text = `${body}\n${finish(init)}`;
  return shader({
    label: 'parts of K',
    bindings: bindings
      .filter(({ name }) => new RegExp(`\\b${name}\\[`).test(text))
      .map((b) => (b.name === 'partial' ? { ...b, access: 'read' } : b)),
    parameters: { ...packedParameters, splits: 'u32' },
    declarations: finish(init),
    body,
    launch: launchFor(
      init,
      (m) => takes(m) && splitsFor(init, tiles, m) > 1,
      (m) => groupsFor(m * init.n),
      (m) => ({ splits: splitsFor(init, tiles, m) }),
    ),
  });
}
