import type { Binding, Dispatch, ParameterType, Sizes } from '../kernel.js';
import type { WebGPUTarget } from '../target.js';
import { indent, shader } from './shader.js';
import { joinSum, lanesFor, rowsDispatch } from './rows.js';

/**
 * Batched products of f32 matrices, `y[b, m, n] = Σ_k a(b, m, k) · w(b, k, n)`, from functions that read the operands.
 * Three forms from one description: a register tile without workgroup memory (software adapters), the same tile fed
 * through workgroup memory (GPUs), and for few rows a workgroup for each element of the result.
 */
export interface MatmulInit {
  readonly bindings: readonly Binding[];
  readonly parameters: Readonly<Record<string, ParameterType>>;
  /**
   * Functions `load_a(b, m, k)` and `load_w(b, k, n)`, called within bounds only, and `store(b, m, n, value)`, which
   * adds a bias where there is one.
   */
  readonly declarations: string;
  readonly extents: (sizes: Sizes) => Extents;
  readonly values: (sizes: Sizes) => Readonly<Record<string, number>>;
}

/** The sizes of a batched product. */
export interface Extents {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Rows up to which every element of the result has a workgroup of its own: a tile would be mostly empty. */
const FEW_ROWS = 4;
/** The tile of a thread. */
const TILE = 4;

/** The dispatches of a product; which of them run is decided by the number of rows of each run. */
export function matmulDispatches(init: MatmulInit, target: WebGPUTarget): readonly Dispatch[] {
  if (target.software) return [registerTile(init, () => true)];
  return [dots(init, target, (m) => m <= FEW_ROWS), sharedTile(init, (m) => m > FEW_ROWS)];
}

const extentParameters = { batch: 'u32', m: 'u32', n: 'u32', k: 'u32' } as const;
const isEmpty = ({ batch, m, n }: Extents): boolean => batch === 0 || m === 0 || n === 0;

/** A thread makes a 4 × 4 tile from global memory. Rows and columns beyond the end are read at the end, and not stored. */
function registerTile(init: MatmulInit, takes: (rows: number) => boolean): Dispatch {
  const body = `let tiles_n = (P.n + 3u) / 4u;
let tiles_m = (P.m + 3u) / 4u;
let t = group * 64u + lane;
if (t >= tiles_n * tiles_m * P.batch) { return; }
let column = (t % tiles_n) * 4u;
let row = ((t / tiles_n) % tiles_m) * 4u;
let b = t / (tiles_n * tiles_m);
${each(TILE, (i) => `let m${i} = min(row + ${i}u, P.m - 1u); let n${i} = min(column + ${i}u, P.n - 1u); var c${i} = vec4<f32>();`)}
for (var k = 0u; k < P.k; k++) {
  let w = vec4<f32>(load_w(b, k, n0), load_w(b, k, n1), load_w(b, k, n2), load_w(b, k, n3));
  ${each(TILE, (i) => `c${i} = fma(vec4<f32>(load_a(b, m${i}, k)), w, c${i});`, '\n  ')}
}
${each(TILE, (i) => `if (row + ${i}u < P.m) {\n  store(b, m${i}, n0, c${i}.x);\n${each(3, (j) => `  if (column + ${j + 1}u < P.n) { store(b, m${i}, n${j + 1}, c${i}.${'yzw'[j]}); }`)}\n}`)}`;
  return shader({
    label: 'register tile',
    bindings: init.bindings,
    parameters: { ...extentParameters, ...init.parameters },
    declarations: init.declarations,
    body,
    launch: (sizes) => {
      const extents = init.extents(sizes);
      if (isEmpty(extents) || !takes(extents.m)) return { groups: 0, parameters: {} };
      const tiles = Math.ceil(extents.m / TILE) * Math.ceil(extents.n / TILE) * extents.batch;
      return { groups: Math.ceil(tiles / 64), parameters: { ...extents, ...init.values(sizes) } };
    },
  });
}

/** A workgroup of 16 × 16 threads makes a 64 × 64 tile; both operands go through workgroup memory, 16 of K at a time. */
function sharedTile(init: MatmulInit, takes: (rows: number) => boolean): Dispatch {
  const declarations = `${init.declarations}
var<workgroup> tile_a: array<array<f32, 68>, 16>;
var<workgroup> tile_w: array<array<f32, 68>, 16>;`;
  const body = `let tiles_n = (P.n + 63u) / 64u;
let tiles_m = (P.m + 63u) / 64u;
if (group >= tiles_n * tiles_m * P.batch) { return; }
let n0 = (group % tiles_n) * 64u;
let m0 = ((group / tiles_n) % tiles_m) * 64u;
let b = group / (tiles_n * tiles_m);
let tx = lane % 16u;
let ty = lane / 16u;
${each(TILE, (i) => `var c${i} = vec4<f32>();`, ' ')}
for (var k0 = 0u; k0 < P.k; k0 += 16u) {
  for (var e = lane; e < 1024u; e += 256u) {
    let ka = e % 16u;
    let ma = e / 16u;
    var va = 0.0;
    if (k0 + ka < P.k && m0 + ma < P.m) { va = load_a(b, m0 + ma, k0 + ka); }
    tile_a[ka][ma] = va;
    let kw = select(e / 64u, e % 16u, P.w_along_k == 1u);
    let nw = select(e % 64u, e / 16u, P.w_along_k == 1u);
    var vw = 0.0;
    if (k0 + kw < P.k && n0 + nw < P.n) { vw = load_w(b, k0 + kw, n0 + nw); }
    tile_w[kw][nw] = vw;
  }
  workgroupBarrier();
  for (var k = 0u; k < 16u; k++) {
    let w = vec4<f32>(tile_w[k][tx], tile_w[k][tx + 16u], tile_w[k][tx + 32u], tile_w[k][tx + 48u]);
    ${each(TILE, (i) => `c${i} = fma(vec4<f32>(tile_a[k][ty * 4u + ${i}u]), w, c${i});`, '\n    ')}
  }
  workgroupBarrier();
}
${each(
  TILE,
  (i) => `{
  let m = m0 + ty * 4u + ${i}u;
  if (m < P.m) {
${each(4, (j) => `    if (n0 + tx + ${16 * j}u < P.n) { store(b, m, n0 + tx + ${16 * j}u, c${i}.${'xyzw'[j]}); }`)}
  }
}`,
)}`;
  return shader({
    label: 'shared tile',
    threads: 256,
    bindings: init.bindings,
    parameters: { ...extentParameters, w_along_k: 'u32', ...init.parameters },
    declarations,
    body,
    launch: (sizes) => {
      const extents = init.extents(sizes);
      if (isEmpty(extents) || !takes(extents.m)) return { groups: 0, parameters: {} };
      const groups = Math.ceil(extents.m / 64) * Math.ceil(extents.n / 64) * extents.batch;
      return { groups, parameters: { w_along_k: 0, ...extents, ...init.values(sizes) } };
    },
  });
}

/** A workgroup for each element of the result; its lanes go along K. */
function dots(init: MatmulInit, target: WebGPUTarget, takes: (rows: number) => boolean): Dispatch {
  return rowsDispatch({
    label: 'dots',
    lanes: lanesFor(target, undefined),
    bindings: init.bindings,
    parameters: { ...extentParameters, ...init.parameters },
    declarations: init.declarations,
    joins: { sum: joinSum },
    body: indent(`let n = row % P.n;
let m = (row / P.n) % P.m;
let b = row / (P.n * P.m);
var s = 0.0;
for (var k = first; k < P.k; k += LANES) { s = fma(load_a(b, m, k), load_w(b, k, n), s); }
let total = join_sum(s);
if (first == 0u) { store(b, m, n, total); }`),
    rows: (sizes) => {
      const extents = init.extents(sizes);
      return takes(extents.m) ? extents.batch * extents.m * extents.n : 0;
    },
    values: (sizes) => ({ ...init.extents(sizes), ...init.values(sizes) }),
  });
}

function each(count: number, line: (i: number) => string, separator = '\n'): string {
  return Array.from({ length: count }, (_, i) => line(i)).join(separator);
}
