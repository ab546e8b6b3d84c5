import type { Dispatch } from '../kernel.js';
import { cellsAlong, ROWS_PER_BLOCK } from '../packing.js';
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
import { shader } from './shader.js';

/** Rows of x and of the weight in a tile, which 16 × 16 threads share, 4 × 4 results each. */
const TILE = 64;
/** K that goes through workgroup memory at a time, and words of it. */
const DEPTH = 64;
const WORDS = DEPTH / 4;
const THREADS = 256;

/**
 * Many rows: words of x and of the weight, whose nibbles become bytes on the way, go through workgroup memory, four rows (or columns) of
 * the same K as a vector; integer dot products of each thread's tile stay in registers. At the end of a group they become floats, at the
 * end of a chunk these are added to the result, as `integer-sums.ts` says. The next K are loaded while the present ones are multiplied.
 */
export function integerGemm(init: IntegerLinear, takes: (m: number) => boolean): Dispatch {
  const { k, kinds, groups } = init;
  const cells = cellsAlong(init.format, k);
  const access: Access = { x: k % 16 === 0 ? 'vector' : 'word', rows: 4 };
  const { perChunk } = chunksOf(init);
  const size = groupSize(init);
  const steps = Math.ceil(k / DEPTH);
  const grouped = groups > 1;
  const rows = range(4);
  const each = (text: (i: number) => string): string => rows.map(text).join(' ');
  const endGroup = [
    ...rows.map(
      (i) => `c${i} = add_groups(c${i}, d${i}, inside, g, z${i}, a${i}); d${i} = vec4<i32>();${kinds.zeros ? ` a${i} = 0;` : ''}`,
    ),
    'g += 1u;',
  ];
  const endChunk = rows.map((i) => `y${i} = fma(c${i}, vec4<f32>(s${i}), y${i}); c${i} = vec4<f32>();`);
  /** Halves of a depth after which a group may end: groups are multiples of 32. */
  const half = (h: number): string[] => [
    `  for (var v = ${(h * WORDS) / 2}u; v < ${((h + 1) * WORDS) / 2}u; v++) {`,
    `    let at = v * ${TILE / 4}u;`,
    '    let turn = (v >> 2u) << 1u;',
    '    let p = tile_x[at + (ty ^ turn)];',
    '    let q = tile_w[at + (tx ^ turn)];',
    ...rows.map((j) => `    let q${j} = quad(q[${j}]);`),
    ...rows.map(
      (i) =>
        `    { let x = quad(p[${i}]); d${i} += vec4<i32>(${rows.map((j) => `dot4(q${j}, x)`).join(', ')});${kinds.zeros ? ` a${i} += dot4(quad(0x01010101u), x);` : ''} }`,
    ),
    '  }',
    ...(!grouped
      ? []
      : size === 32
        ? [
            // The last depth may have one half only.
            h === 1 && k % DEPTH !== 0 ? `  if (g < ${groups}u) {` : '  {',
            ...endGroup,
            `  if (g % ${perChunk}u == 0u) { ${endChunk.join(' ')} }`,
            '  }',
          ]
        : [
            `  if ((step * 2u + ${h + 1}u) % ${size / 32}u == 0u) {`,
            ...endGroup,
            `  if (g % ${perChunk}u == 0u) { ${endChunk.join(' ')} }`,
            '  }',
          ]),
  ];
  const lines = [
    `let tiles_n = (P.n + ${TILE - 1}u) / ${TILE}u;`,
    `if (group >= tiles_n * ((P.m + ${TILE - 1}u) / ${TILE}u)) { return; }`,
    `let side = (group % tiles_n) * ${TILE}u;`,
    `let top = (group / tiles_n) * ${TILE}u;`,
    'let tx = lane % 16u;',
    'let ty = lane / 16u;',
    'let n = side + tx * 4u;',
    'let inside = min(n, (P.n - 1u) / 4u * 4u);',
    each((i) => `let m${i} = min(top + ty * 4u + ${i}u, P.m - 1u); let z${i} = row_zero(m${i});`),
    each((i) => `var d${i} = vec4<i32>(); var a${i} = 0;`),
    ...(grouped ? [each((i) => `var c${i} = vec4<f32>(); var y${i} = start(n); let s${i} = row_scale(m${i});`), 'var g = 0u;'] : []),
    // What a thread brings: four words of a row of x, and of a row of the weight.
    `let own = (lane / 32u) * ${ROWS_PER_BLOCK}u + lane % ${ROWS_PER_BLOCK}u;`,
    'let part = (lane / 8u) % 4u;',
    'let own_m = min(top + own, P.m - 1u);',
    `let block = min((side + own) / ${ROWS_PER_BLOCK}u, (P.n - 1u) / ${ROWS_PER_BLOCK}u) * CELLS;`,
    `let store_at = part * ${TILE}u + ((own / 4u) ^ (part << 1u));`,
    'let lane_of = own % 4u;',
    `var next_x = ${loadX(access, '0u')};`,
    `var next_w = ${loadW('0u')};`,
    `for (var step = 0u; step < ${steps}u; step++) {`,
    ...range(4).flatMap((i) => [
      `  tile_x[store_at + ${(i * TILE) / 4}u][lane_of] = next_x[${i}];`,
      `  tile_w[store_at + ${(i * TILE) / 4}u][lane_of] = next_w[${i}];`,
    ]),
    '  workgroupBarrier();',
    ...(steps > 1 ? [`  if (step + 1u < ${steps}u) { next_x = ${loadX(access, 'step + 1u')}; next_w = ${loadW('step + 1u')}; }`] : []),
    ...half(0),
    ...half(1),
    '  workgroupBarrier();',
    '}',
    ...(grouped && groups % perChunk !== 0 ? endChunk : []),
    'if (n >= P.n) { return; }',
    ...rows.map(
      (i) => `if (top + ty * 4u + ${i}u < P.m) { ${grouped ? `store(m${i}, n, y${i});` : `finish(m${i}, n, d${i}, z${i}, a${i});`} }`,
    ),
  ];
  return shader({
    label: `integer gemm ${TILE}×${TILE}`,
    threads: THREADS,
    bindings: integerBindings(init, access),
    parameters: integerParameters,
    declarations: [
      `const CELLS = ${cells}u;`,
      dotFunctions(init),
      inputFunctions(init, access, literalSizes(init)),
      loadFunctions(init, access, cells),
      rowFunctions(init),
      sumFunctions(init, access, literalSizes(init)),
      `var<workgroup> tile_x: array<vec4<u32>, ${(WORDS * TILE) / 4}>;`,
      `var<workgroup> tile_w: array<vec4<u32>, ${(WORDS * TILE) / 4}>;`,
    ].join('\n'),
    body: lines.join('\n'),
    launch: launchFor(init, takes, (m) => Math.ceil(m / TILE) * Math.ceil(init.n / TILE)),
  });
}

const loadX = ({ x }: Access, step: string): string =>
  x === 'vector' ? `load_vector(own_m, (${step}) * 4u + part)` : `load_four(own_m, (${step}) * 16u + part * 4u)`;

const loadW = (step: string): string => `load_w(block, ${step}, part, own % ${ROWS_PER_BLOCK}u)`;

/** Four words of x, and four words of signed bytes of the weight: those of a cell, or of half of one. Beyond the last cell they are 0. */
function loadFunctions(init: IntegerLinear, { x }: Access, cells: number): string {
  const { format } = init;
  const perStep = DEPTH / format.perCell;
  const inside = cells % perStep === 0;
  const bytes = (word: string): readonly string[] => bytesOf(format, word);
  const text =
    format.bits === 8
      ? `let cell = step * 4u + part;
  let word = w[(block + ${inside ? 'cell' : 'min(cell, CELLS - 1u)'}) * ${ROWS_PER_BLOCK}u + row];
  return ${inside ? 'word' : 'select(vec4<u32>(), word, cell < CELLS)'};`
      : `let cell = step * 2u + part / 2u;
  let words = w[(block + ${inside ? 'cell' : 'min(cell, CELLS - 1u)'}) * ${ROWS_PER_BLOCK}u + row];
  let two = select(words.xy, words.zw, part % 2u == 1u);
  let result = vec4<u32>(${[...bytes('two.x'), ...bytes('two.y')].join(', ')});
  return ${inside ? 'result' : 'select(vec4<u32>(), result, cell < CELLS)'};`;
  return `fn load_w(block: u32, step: u32, part: u32, row: u32) -> vec4<u32> {
  ${text}
}${x === 'vector' ? '' : '\nfn load_four(m: u32, v: u32) -> vec4<u32> { return vec4<u32>(load_x(m, v), load_x(m, v + 1u), load_x(m, v + 2u), load_x(m, v + 3u)); }'}`;
}
