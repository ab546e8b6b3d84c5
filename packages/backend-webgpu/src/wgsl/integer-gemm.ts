import type { Binding, Dispatch, Scratch, Sizes } from '../kernel.js';
import { wordsPerGrid } from '../integer-packing.js';
import { cellsAlong, ROWS_PER_BLOCK } from '../packing.js';
import { chunksOf, gridsOf, storeFunctions, sumFunctions } from './integer-sums.js';
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
import { groupsFor, shader } from './shader.js';

/** Rows of x in a tile; workgroups that a device should have of such tiles. */
export interface IntegerTiles {
  readonly rows: 16 | 32 | 64;
  readonly enough: number;
}

/** Rows of the weight in a tile; threads make 4 × 4 results each. */
const COLUMNS = 64;
/** K that goes through workgroup memory at a time, and words of it. */
const DEPTH = 64;
const WORDS = DEPTH / 4;
/** Parts of K are no shorter than this many depths, and no more than this many. */
const LEAST_STEPS = 2;
const MOST_SPLITS = 16;

/** How K may be cut into parts for different workgroups: at the ends of chunks, of whose sums each is kept; without groups, anywhere. */
interface Parts {
  /** Steps of a part are multiples of this. */
  readonly unit: number;
  readonly most: number;
}

function partsOf(init: IntegerLinear): Parts {
  const steps = Math.ceil(init.k / DEPTH);
  if (init.groups === 1) return { unit: 1, most: Math.max(1, Math.min(MOST_SPLITS, Math.floor(steps / LEAST_STEPS))) };
  const { perChunk } = chunksOf(init);
  const length = perChunk * groupSize(init);
  const unit = length % DEPTH === 0 ? length / DEPTH : (2 * length) / DEPTH;
  return { unit, most: Math.min(MOST_SPLITS, Math.ceil(steps / unit)) };
}

const tilesOf = ({ n }: IntegerLinear, { rows }: IntegerTiles, m: number): number => Math.ceil(m / rows) * Math.ceil(n / COLUMNS);

/** Parts into which K is cut for `m` rows, and steps of each. */
function cut(init: IntegerLinear, tiles: IntegerTiles, m: number): { readonly splits: number; readonly each: number } {
  const { unit, most } = partsOf(init);
  const steps = Math.ceil(init.k / DEPTH);
  const wanted = Math.max(1, Math.min(most, Math.floor(tiles.enough / tilesOf(init, tiles, m))));
  const each = Math.ceil(steps / wanted / unit) * unit;
  return { splits: Math.ceil(steps / each), each };
}

/** Sums that parts keep of a result: one a chunk, or one a part. */
const keptOf = (init: IntegerLinear, splits: number): number => (init.groups === 1 ? splits : chunksOf(init).chunks);

/**
 * Many rows: words of x and of the weight, whose nibbles become bytes on the way, go through workgroup memory, four rows (or columns) of
 * the same K as a vector; integer dot products of each thread's tile stay in registers. At the end of a group they become floats, at the
 * end of a chunk these are added to the result, as `integer-sums.ts` says. The next K are loaded while the present ones are multiplied.
 * Where there are few tiles, K is cut into parts, whose sums go through scratch memory and are added by a second dispatch, in the same order.
 */
export function integerGemm(init: IntegerLinear, tiles: IntegerTiles, takes: (m: number) => boolean): readonly Dispatch[] {
  const partial: Scratch = {
    scratch: 'partial sums',
    bytes: (sizes: Sizes) => {
      const m = init.rows(sizes);
      const { splits } = m > 0 && takes(m) ? cut(init, tiles, m) : { splits: 1 };
      return splits === 1 ? 0 : 16 * keptOf(init, splits) * m * Math.ceil(init.n / 4);
    },
  };
  const whole = init.staticRows !== undefined && cut(init, tiles, init.staticRows).splits === 1;
  const kept = whole ? undefined : partial;
  return [tileDispatch(init, tiles, kept, takes), ...(kept === undefined ? [] : [joinDispatch(init, tiles, kept, takes)])];
}

const bindPartial = (init: IntegerLinear, from: Scratch, access: Binding['access']): Binding => ({
  name: 'partial',
  type: `array<vec4<${init.groups === 1 ? 'i32' : 'f32'}>>`,
  access,
  from,
});

const rows = range(4);
/** Row i of a thread's tile; rows beyond the end are the last. Not kept in a register. */
const rowOf = (i: number): string => `min(mine + ${i}u, P.m - 1u)`;
const each = (text: (i: number) => string): string => rows.map(text).join(' ');

function tileDispatch(init: IntegerLinear, tiles: IntegerTiles, partial: Scratch | undefined, takes: (m: number) => boolean): Dispatch {
  const { k, groups } = init;
  const threads = 4 * tiles.rows;
  const loads = COLUMNS / tiles.rows;
  const cells = cellsAlong(init.format, k);
  const access: Access = { x: k % 16 === 0 ? 'vector' : 'word', rows: 4 };
  const { perChunk } = chunksOf(init);
  const grouped = groups > 1;
  const steps = Math.ceil(k / DEPTH);
  const mask = tiles.rows / 4 - 1;
  const own = (i: number): string => (i === 0 ? 'lane' : `(lane + ${i * threads}u)`);
  const loadX = (step: string): string =>
    access.x === 'vector' ? `load_vector(own_m, (${step}) * 4u + part)` : `load_four(own_m, (${step}) * 16u + part * 4u)`;
  const loadW = (step: string, i: number): string => `load_w(block${i}, ${step}, part, lane % ${ROWS_PER_BLOCK}u)`;
  // Grids of the groups of a depth, four words at a time; threads beyond them load some too, and drop them.
  const items = gridItems(init);
  const gridLoads = range(Math.ceil(items / threads)).map((i) => (step: string) => `load_grid(side, ${own(i)}, ${step})`);
  const gridItem = (i: number): string => ((i + 1) * threads <= items ? '' : `if (lane + ${i * threads}u < ${items}u) { `);
  const start = partial === undefined ? '0u' : 'split * P.steps';
  const end = partial === undefined ? `${steps}u` : `min((split + 1u) * P.steps, ${steps}u)`;
  const place = (m: string, kept: string): string => `partial[(${kept} * P.m + ${m}) * ((P.n + 3u) / 4u) + n / 4u]`;
  const lines = [
    `let tiles_n = (P.n + ${COLUMNS - 1}u) / ${COLUMNS}u;`,
    `let tiles = tiles_n * ((P.m + ${tiles.rows - 1}u) / ${tiles.rows}u);`,
    ...(partial === undefined
      ? ['if (group >= tiles) { return; }', 'let tile = group;']
      : ['if (group >= tiles * P.splits) { return; }', 'let tile = group % tiles;', 'let split = group / tiles;']),
    `let side = (tile % tiles_n) * ${COLUMNS}u;`,
    `let top = (tile / tiles_n) * ${tiles.rows}u;`,
    'let tx = lane % 16u;',
    'let ty = lane / 16u;',
    'let n = side + tx * 4u;',
    'let inside = min(n, (P.n - 1u) / 4u * 4u);',
    'let mine = top + ty * 4u;',
    ...(grouped ? [each((i) => `let z${i} = row_zero(${rowOf(i)});`)] : []),
    each((i) => `var d${i} = vec4<i32>(); var a${i} = 0;`),
    ...(grouped ? [each((i) => `var c${i} = vec4<f32>(); var y${i} = start(n);`)] : []),
    // What a thread brings: four words of a row of x, and of some rows of the weight.
    'let part = (lane / 8u) % 4u;',
    `let own_m = min(top + (lane / 32u) * ${ROWS_PER_BLOCK}u + lane % ${ROWS_PER_BLOCK}u, P.m - 1u);`,
    `let quad_of = lane / 32u * 2u + lane % ${ROWS_PER_BLOCK}u / 4u;`,
    `let x_at = part * ${tiles.rows}u + (quad_of ^ ((part << 1u) & ${mask}u));`,
    ...range(loads).map(
      (i) => `let block${i} = min(side / ${ROWS_PER_BLOCK}u + ${own(i)} / 32u, (P.n - 1u) / ${ROWS_PER_BLOCK}u) * CELLS;`,
    ),
    ...range(loads).map((i) =>
      tiles.rows === COLUMNS
        ? `let w_at${i} = x_at;`
        : `let w_at${i} = part * ${COLUMNS}u + ((quad_of + ${(i * threads) / 16}u) ^ (part << 1u));`,
    ),
    `let first = ${start};`,
    `let end = ${end};`,
    ...(grouped ? [`var g = first * ${DEPTH}u / ${groupSize(init)}u;`] : []),
    ...gridLoads.map((l, i) => `var next_g${i} = ${l('first')};`),
    `var next_x = ${loadX('first')};`,
    ...range(loads).map((i) => `var next_w${i} = ${loadW('first', i)};`),
    'for (var step = first; step < end; step++) {',
    ...rows.flatMap((i) => [
      `  tile_x[x_at + ${(i * tiles.rows) / 4}u][lane % 4u] = next_x[${i}];`,
      ...range(loads).map((l) => `  tile_w[w_at${l} + ${(i * COLUMNS) / 4}u][lane % 4u] = next_w${l}[${i}];`),
    ]),
    ...gridLoads.map((_, i) => `  ${gridItem(i)}tile_g[lane + ${i * threads}u] = next_g${i};${gridItem(i) === '' ? '' : ' }'}`),
    '  workgroupBarrier();',
    `  if (step + 1u < end) { ${gridLoads.map((l, i) => `next_g${i} = ${l('step + 1u')};`).join(' ')} next_x = ${loadX('step + 1u')}; ${range(
      loads,
    )
      .map((i) => `next_w${i} = ${loadW('step + 1u', i)};`)
      .join(' ')} }`,
    ...[0, 1].flatMap((h) => half(init, tiles, h, partial, place)),
    '  workgroupBarrier();',
    '}',
    'if (n >= P.n) { return; }',
    ...(grouped && groups % perChunk !== 0 ? [`if (g == ${groups}u) {`, ...endChunk(partial, place), '}'] : []),
    ...(grouped
      ? [
          ...(partial === undefined ? [] : ['if (P.splits > 1u) { return; }']),
          ...rows.map((i) => `if (mine + ${i}u < P.m) { store(mine + ${i}u, n, y${i}); }`),
        ]
      : [
          ...(partial === undefined
            ? []
            : [
                'if (P.splits > 1u) {',
                ...(init.kinds.zeros ? ['  let grid = grids_at(n, 0u);'] : []),
                ...rows.map(
                  (i) =>
                    `  if (mine + ${i}u < P.m) { ${place(`(mine + ${i}u)`, 'split')} = d${i}${init.kinds.zeros ? ` - grid.zeros * a${i}` : ''}; }`,
                ),
                '  return;',
                '}',
              ]),
          ...rows.map((i) => `if (mine + ${i}u < P.m) { finish(mine + ${i}u, n, d${i}, row_zero(mine + ${i}u), a${i}); }`),
        ]),
  ];
  return shader({
    label: `integer gemm ${tiles.rows}×${COLUMNS}`,
    threads,
    bindings: [...integerBindings(init, access), ...(partial === undefined ? [] : [bindPartial(init, partial, 'read_write')])],
    parameters: { ...integerParameters, ...(partial === undefined ? {} : ({ splits: 'u32', steps: 'u32' } as const)) },
    declarations: [
      `const CELLS = ${cells}u;`,
      dotFunctions(init),
      inputFunctions(init, access, literalSizes(init)),
      loadFunctions(init, access, cells),
      rowFunctions(init),
      sumFunctions(init, access, literalSizes(init)),
      ...(items > 0 ? [gridLoad(init), `var<workgroup> tile_g: array<vec4<u32>, ${items}>;`] : []),
      `var<workgroup> tile_x: array<vec4<u32>, ${(WORDS * tiles.rows) / 4}>;`,
      `var<workgroup> tile_w: array<vec4<u32>, ${(WORDS * COLUMNS) / 4}>;`,
    ].join('\n'),
    body: lines.join('\n'),
    launch: launchFor(
      init,
      takes,
      (m) => tilesOf(init, tiles, m) * (partial === undefined ? 1 : cut(init, tiles, m).splits),
      (m): Record<string, number> => {
        const { splits, each: steps } = cut(init, tiles, m);
        return partial === undefined ? {} : { splits, steps };
      },
    ),
  });
}

/** The sums of a chunk are added to the result, or kept for the dispatch that does it. `g` is the group behind the chunk. */
function endChunk(partial: Scratch | undefined, place: (m: string, kept: string) => string): readonly string[] {
  const add = each((i) => `y${i} = fma(c${i}, vec4<f32>(row_scale(${rowOf(i)})), y${i});`);
  const clear = each((i) => `c${i} = vec4<f32>();`);
  if (partial === undefined) return [add, clear];
  return [
    'if (P.splits > 1u) {',
    ...rows.map((i) => `  if (n < P.n && mine + ${i}u < P.m) { ${place(`(mine + ${i}u)`, '((g - 1u) / PER_CHUNK)')} = c${i}; }`),
    `} else { ${add} }`,
    clear,
  ];
}

/** Half of a depth: groups are multiples of that, and may end after it. */
function half(
  init: IntegerLinear,
  tiles: IntegerTiles,
  h: number,
  partial: Scratch | undefined,
  place: (m: string, kept: string) => string,
): readonly string[] {
  const { kinds, groups, k } = init;
  const { perChunk } = chunksOf(init);
  const size = groupSize(init);
  const mask = tiles.rows / 4 - 1;
  const vectors = wordsPerGrid(kinds);
  const grid =
    size === 32
      ? `  let grid = ${gridsOf(kinds, (c) => `tile_g[${h * 16 * vectors}u + tx * ${vectors}u + ${c}u]`)};`
      : '  let grid = grids_at(inside, g);';
  const endGroup = [
    ...rows.map((i) => `c${i} = add_groups(c${i}, d${i}, grid, z${i}, a${i}); d${i} = vec4<i32>();${kinds.zeros ? ` a${i} = 0;` : ''}`),
    'g += 1u;',
    `if (g % ${perChunk}u == 0u) {`,
    ...endChunk(partial, place),
    '}',
  ];
  return [
    `  for (var v = ${(h * WORDS) / 2}u; v < ${((h + 1) * WORDS) / 2}u; v++) {`,
    '    let turn = (v >> 2u) << 1u;',
    `    let p = tile_x[v * ${tiles.rows / 4}u + (ty ^ (turn & ${mask}u))];`,
    `    let q = tile_w[v * ${COLUMNS / 4}u + (tx ^ turn)];`,
    ...rows.map((j) => `    let q${j} = quad(q[${j}]);`),
    ...rows.map(
      (i) =>
        `    { let x = quad(p[${i}]); d${i} += vec4<i32>(${rows.map((j) => `dot4(q${j}, x)`).join(', ')});${kinds.zeros ? ` a${i} += dot4(quad(0x01010101u), x);` : ''} }`,
    ),
    '  }',
    ...(groups === 1 || (size === 64 && h === 0)
      ? []
      : [
          // The last depth may have one half only.
          size === 32
            ? h === 1 && k % DEPTH !== 0
              ? `  if (g < ${groups}u) {`
              : '  {'
            : size === 64
              ? '  {'
              : `  if ((step * 2u + ${h + 1}u) % ${size / 32}u == 0u) {`,
          grid,
          ...endGroup,
          '  }',
        ]),
  ];
}

/** Vectors of four words of grids that go through workgroup memory for a depth: those of two groups, where these are so small. */
const gridItems = (init: IntegerLinear): number =>
  init.groups === 1 || groupSize(init) !== DEPTH / 2 ? 0 : (2 * COLUMNS * wordsPerGrid(init.kinds)) / 4;

/** `load_grid(side, item, step)`: vector `item` of the grids of a step, of the columns from `side` on. */
function gridLoad(init: IntegerLinear): string {
  const perGroup = (COLUMNS * wordsPerGrid(init.kinds)) / 4;
  const perBlock = (ROWS_PER_BLOCK * wordsPerGrid(init.kinds)) / 4;
  return `fn load_grid(side: u32, item: u32, step: u32) -> vec4<u32> {
  let block = min(side / ${ROWS_PER_BLOCK}u + item % ${perGroup}u / ${perBlock}u, (P.n - 1u) / ${ROWS_PER_BLOCK}u);
  let g = min(step * 2u + item / ${perGroup}u, ${init.groups - 1}u);
  return grids[(block * ${literalSizes(init).along} + g) * ${perBlock}u + item % ${perBlock}u];
}`;
}

/** Adds what the parts of K kept, in order. */
function joinDispatch(init: IntegerLinear, tiles: IntegerTiles, partial: Scratch, takes: (m: number) => boolean): Dispatch {
  const access: Access = { x: 'word', rows: 4 };
  const single = init.groups === 1;
  const unused = new Set(['x', 'w', ...(single ? [] : ['grids', 'input_zero'])]);
  return shader({
    label: 'join',
    bindings: [...integerBindings(init, access).filter(({ name }) => !unused.has(name)), bindPartial(init, partial, 'read')],
    parameters: { ...integerParameters, splits: 'u32' },
    declarations: single
      ? `${rowFunctions(init)}\n${sumFunctions(init, access, literalSizes(init))}`
      : `${rowFunctions({ ...init, inputZero: undefined })}\n${storeFunctions(init)}`,
    body: `let t = group * 64u + lane;
let quads = (P.n + 3u) / 4u;
if (t >= P.m * quads) { return; }
let m = t / quads;
let n = t % quads * 4u;
${
  single
    ? `var d = vec4<i32>();
for (var i = 0u; i < P.splits; i++) { d += partial[i * P.m * quads + t]; }
finish(m, n, d, row_zero(m), 0);`
    : `var y = start(n);
let scale = vec4<f32>(row_scale(m));
for (var i = 0u; i < ${chunksOf(init).chunks}u; i++) { y = fma(partial[i * P.m * quads + t], scale, y); }
store(m, n, y);`
}`,
    launch: launchFor(
      init,
      (m) => takes(m) && cut(init, tiles, m).splits > 1,
      (m) => groupsFor(m * Math.ceil(init.n / 4), 64),
      (m) => ({ splits: cut(init, tiles, m).splits }),
    ),
  });
}

/** Four words of x, and four words of signed bytes of the weight: those of a cell, or of half of one. Beyond the last cell they are 0. */
function loadFunctions(init: IntegerLinear, { x }: Access, cells: number): string {
  const { format } = init;
  const inside = cells % (DEPTH / format.perCell) === 0;
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
  return `const PER_CHUNK = ${chunksOf(init).perChunk}u;
fn load_w(block: u32, step: u32, part: u32, row: u32) -> vec4<u32> {
  ${text}
}${x === 'vector' ? '' : '\nfn load_four(m: u32, v: u32) -> vec4<u32> { return vec4<u32>(load_x(m, v), load_x(m, v + 1u), load_x(m, v + 2u), load_x(m, v + 3u)); }'}`;
}
