import type { Dispatch } from '../kernel.js';
import { ROWS_PER_BLOCK } from '../packing.js';
import { decoders, launchFor, packedDeclarations, type PackedLinear, packedParameters, range } from './packed-weights.js';
import { groupsFor, shader } from './shader.js';

/**
 * A thread makes `rows` × 4 results without workgroup memory, for software adapters: barriers are slow there, and so is
 * compiling, hence loops where a GPU's kernel is unrolled.
 */
export function packedTile(init: PackedLinear, rows: 1 | 4, takes: (m: number) => boolean): Dispatch {
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
      `  let q${v} = mat4x4<f32>(${range(columns)
        .map((c) => `${decode}(w${c})`)
        .join(', ')});`,
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
    launch: launchFor(init, takes, (m) => groupsFor(Math.ceil(m / rows) * Math.ceil(init.n / columns), 64)),
  });
}
