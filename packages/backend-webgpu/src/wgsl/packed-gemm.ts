import type { Dispatch } from '../kernel.js';
import { ROWS_PER_BLOCK } from '../packing.js';
import type { WebGPUTarget } from '../target.js';
import { launchFor, packedDeclarations, type PackedLinear, packedParameters, range } from './packed-weights.js';
import { shader } from './shader.js';

/** Sizes of the tiles of a workgroup and of a thread. */
interface Tiles {
  readonly m: number;
  readonly n: number;
  readonly threadM: number;
  readonly threadN: number;
}

/** K that goes through workgroup memory at a time. */
const DEPTH = 32;

/** The best of the measured tiles that fits into the device's workgroup memory. */
function tilesFor({ limits }: WebGPUTarget): Tiles {
  const large: Tiles = { m: 128, n: 64, threadM: 8, threadN: 8 };
  return (large.m + large.n) * DEPTH * 4 <= limits.maxComputeWorkgroupStorageSize ? large : { m: 64, n: 64, threadM: 8, threadN: 4 };
}

const component = 'xyzw';

/**
 * Many rows: x and the weight, turned into f32 on the way, go through workgroup memory, where K is the outer axis and
 * four rows (or columns) are one vec4; each thread keeps its tile in registers. The next K are loaded into registers
 * while the present ones are multiplied. Rows beyond the end are read at the end and not stored.
 */
export function packedGemm(init: PackedLinear, target: WebGPUTarget, takes: (m: number) => boolean): Dispatch {
  const tiles = tilesFor(target);
  const threads = (tiles.m / tiles.threadM) * (tiles.n / tiles.threadN);
  const [columnsOfThreads, rowsOfThreads] = [tiles.n / tiles.threadN, tiles.m / tiles.threadM];
  const [quadsM, quadsN] = [tiles.m / 4, tiles.n / 4];
  const [loadsX, loadsW] = [(quadsM * 8) / threads, (quadsN * 8) / threads];
  const [tm, tn] = [tiles.threadM, tiles.threadN / 4];
  const steps = Math.ceil(init.k / DEPTH);
  const { bits } = init.format;

  const unit = (i: number): string => `(lane + ${i * threads}u)`;
  const word = bits === 8 ? ['step * 2u + kq / 4u', 'kq % 4u'] : ['step', 'kq / 2u'];
  const load = [
    ...range(loadsX).map(
      (i) => `  { let kq = ${unit(i)} % 8u; let mq = m0 + (${unit(i)} / 8u) * 4u;
${range(4)
  .map((r) => `    xs${i}_${r} = load_x(min(mq + ${r}u, P.m - 1u), step * 8u + kq);`)
  .join('\n')} }`,
    ),
    ...range(loadsW).map(
      (i) => `  { let n = n0 + (${unit(i)} % ${quadsN}u) * 4u; let kq = ${unit(i)} / ${quadsN}u;
    let at = (min(n / ${ROWS_PER_BLOCK}u, last) * CELLS + ${word[0]}) * ${ROWS_PER_BLOCK}u + n % ${ROWS_PER_BLOCK}u;
    ws${i} = vec4<u32>(${range(4)
      .map((r) => `w[at + ${r}u][${word[1]}]`)
      .join(', ')})${bits === 8 ? '' : ' >> vec4<u32>((kq % 2u) * 4u)'}; }`,
    ),
  ].join('\n');
  const byte = (i: number, b: number): string =>
    bits === 8
      ? `vec4<f32>((bitcast<vec4<i32>>(ws${i}) << vec4<u32>(${24 - 8 * b}u)) >> vec4<u32>(24u))`
      : `vec4<f32>((ws${i} >> vec4<u32>(${8 * b}u)) & vec4<u32>(15u)) - 8.0`;
  const store = [
    // The quads of a row of K are rotated by K, so that threads of one subgroup write to different banks.
    ...range(loadsX).map(
      (i) => `  { let kq = ${unit(i)} % 8u; let at = kq * ${tiles.m}u + ((${unit(i)} / 8u) ^ kq);
${range(4)
  .map(
    (c) =>
      `    tile_x[at + ${c * quadsM}u] = vec4<f32>(${range(4)
        .map((r) => `xs${i}_${r}.${component[c]}`)
        .join(', ')});`,
  )
  .join('\n')} }`,
    ),
    ...range(loadsW).map(
      (i) => `  { let at = (${unit(i)} / ${quadsN}u) * ${tiles.n}u + ${unit(i)} % ${quadsN}u;
${range(4)
  .map((c) => `    tile_w[at + ${c * quadsN}u] = ${byte(i, c)};`)
  .join('\n')} }`,
    ),
  ].join('\n');
  const multiply = range(4)
    .map(
      (k) => `    {
${range(tm / 4)
  .map((i) => `      let a${i} = tile_x[kq * ${tiles.m}u + ${k * quadsM}u + ((ty + ${i * rowsOfThreads}u) ^ kq)];`)
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
      ...range(4).map((c) => `    if (at${j} + ${c}u < P.n) { finish(m, at${j} + ${c}u, c${i}_${j}.${component[c]}); }`),
    ]),
    '  } }',
  ]);
  const body = `let tiles_n = (P.n + ${tiles.n - 1}u) / ${tiles.n}u;
if (group >= tiles_n * ((P.m + ${tiles.m - 1}u) / ${tiles.m}u)) { return; }
let n0 = (group % tiles_n) * ${tiles.n}u;
let m0 = (group / tiles_n) * ${tiles.m}u;
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
${range(loadsX)
  .map((i) =>
    range(4)
      .map((r) => `var xs${i}_${r}: vec4<f32>;`)
      .join(' '),
  )
  .join('\n')}
${range(loadsW)
  .map((i) => `var ws${i}: vec4<u32>;`)
  .join(' ')}
{
  let step = 0u;
${load}
}
for (var done = 0u; done < ${steps}u; done++) {
${store}
  workgroupBarrier();
  let step = min(done + 1u, ${steps - 1}u);
${load}
  for (var kq = 0u; kq < 8u; kq++) {
${multiply}
  }
  workgroupBarrier();
}
${results.join('\n')}`;
  return shader({
    label: `gemm ${tiles.m}×${tiles.n}`,
    threads,
    bindings: init.bindings,
    parameters: packedParameters,
    declarations: `${packedDeclarations(init, true)}\nvar<workgroup> tile_x: array<vec4<f32>, ${DEPTH * quadsM}>;\nvar<workgroup> tile_w: array<vec4<f32>, ${DEPTH * quadsN}>;`,
    body,
    launch: launchFor(init, takes, (m) => Math.ceil(m / tiles.m) * Math.ceil(init.n / tiles.n)),
  });
}
