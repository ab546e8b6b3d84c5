import type { Dispatch } from '../kernel.js';
import { cellsAlong, ROWS_PER_BLOCK } from '../packing.js';
import {
  decodeFunctions,
  decoders,
  divided,
  finish,
  groupsAlong,
  groupSize,
  launchFor,
  offsetOf,
  packedBindings,
  type PackedLinear,
  packedParameters,
  perQuadIndex,
  range,
  scaleWidth,
} from './packed-weights.js';
import { groupsFor, shader } from './shader.js';

const COLUMNS = 4;

/**
 * A thread makes `rows` × 4 results without workgroup memory, for software adapters: barriers are slow there, and so is
 * compiling, hence loops where a GPU's kernel is unrolled, and sizes as parameters, so that layers share a shader.
 */
export function packedTile(init: PackedLinear, rows: 1 | 4, takes: (m: number) => boolean): Dispatch {
  const { format, k } = init;
  const perWord = 4 * decoders(format).length;
  const whole = Math.floor(k / perWord);
  const lines = [
    `let tiles = (P.n + ${COLUMNS - 1}u) / ${COLUMNS}u;`,
    'let t = group * 64u + lane;',
    `if (t >= tiles * ((P.m + ${rows - 1}u) / ${rows}u)) { return; }`,
    `let n = (t % tiles) * ${COLUMNS}u;`,
    `let m = (t / tiles) * ${rows}u;`,
    ...range(rows).map((i) => `let x${i} = min(m + ${i}u, P.m - 1u) * P.stride;`),
    ...range(rows).map((i) => `var c${i} = vec4<f32>();`),
    `let base = (n / ${ROWS_PER_BLOCK}u) * P.cells * ${ROWS_PER_BLOCK}u + n % ${ROWS_PER_BLOCK}u;`,
    `let grid = ${perQuadIndex('n', '0u', 'P.groups')};`,
    ...(init.groups === 1 && init.zeros !== undefined ? [`let z = ${zeroPoints(init, 'grid')};`] : []),
    'for (var j = 0u; j < P.words; j++) {',
    ...word(init, rows, perWord),
    '}',
    ...(k % perWord === 0 ? [] : ['{', '  let j = P.words;', ...word(init, rows, k % perWord), '}']),
    ...(init.groups === 1 ? ['let s = scales[grid];', ...range(rows).map((i) => `c${i} *= s;`)] : []),
    'for (var c = 0u; c < min(4u, P.n - n); c++) {',
    ...range(rows).map((i) => `  ${i === 0 ? '' : `if (m + ${i}u < P.m) { `}finish(m + ${i}u, n + c, c${i}[c]);${i === 0 ? '' : ' }'}`),
    '}',
  ];
  return shader({
    label: `${rows}×4 tile`,
    bindings: packedBindings(init, 'vec4'),
    parameters: { ...packedParameters, stride: 'u32', words: 'u32', cells: 'u32', groups: 'u32' },
    declarations: [decodeFunctions(format), loadFunctions(init), perWeightFunctions(init), finish(init)].filter((t) => t !== '').join('\n'),
    body: lines.join('\n'),
    launch: launchFor(
      init,
      takes,
      (m) => groupsFor(Math.ceil(m / rows) * Math.ceil(init.n / COLUMNS), 64),
      () => ({ stride: k % 4 === 0 ? k / 4 : k, words: whole, cells: cellsAlong(format, k), groups: groupsAlong(init) }),
    ),
  });
}

/** `load_x(row, v)`: K 4v … 4v+3 from where a row begins; `load_last` is the same for the last K where they are not four. */
function loadFunctions({ k }: PackedLinear): string {
  if (k % 4 === 0) return 'fn load_x(row: u32, v: u32) -> vec4<f32> { return x[row + v]; }';
  const four = (count: number): string =>
    range(4)
      .map((e) => (e < count ? `x[i + ${e}u]` : '0.0'))
      .join(', ');
  return ['load_x', 'load_last']
    .map(
      (name, last) =>
        `fn ${name}(row: u32, v: u32) -> vec4<f32> { let i = row + 4u * v; return vec4<f32>(${four(last === 0 ? 4 : k % 4)}); }`,
    )
    .join('\n');
}

/** What four rows at `index` of the scales subtract from their integers. */
const zeroPoints = ({ format }: PackedLinear, index: string): string =>
  `vec4<f32>(zeros[${index}])${offsetOf(format) === 0 ? '' : ` + ${offsetOf(format)}.0`}`;

/**
 * For groups that begin anywhere: `scales_at(n, v)` and `zeros_at(n, v)` are those of K 4v … 4v+3 of one row. They loop, because an adapter
 * that inlines every call would compile for seconds otherwise.
 */
function perWeightFunctions(init: PackedLinear): string {
  if (scaleWidth(init, [4]) !== 1) return '';
  const at = perQuadIndex('n', divided('(4u * v + e)', groupSize(init)), 'P.groups');
  const lookup = (name: string, buffer: string): string =>
    `fn ${name}(n: u32, v: u32) -> vec4<f32> {
  var r: vec4<f32>;
  for (var e = 0u; e < 4u; e++) { r[e] = f32(${buffer}[${at}][n % 4u]); }
  return r;
}`;
  return [lookup('scales_at', 'scales'), ...(init.zeros === undefined ? [] : [lookup('zeros_at', 'zeros')])].join('\n');
}

/** Statements that add the products of the first `count` K of word `j` of four rows. */
function word(init: PackedLinear, rows: number, count: number): readonly string[] {
  const { format, zeros } = init;
  const functions = decoders(format);
  const perWord = 4 * functions.length;
  const width = scaleWidth(init, [perWord, 4]);
  const offset = offsetOf(format);
  const lines = [`  let at = base + (j / 4u) * ${ROWS_PER_BLOCK}u;`, ...range(COLUMNS).map((c) => `  let w${c} = w[at + ${c}u][j % 4u];`)];
  /** Scales (and zero points) of four rows for the K that begin at `unit`, counted in widths. */
  const grid = (unit: string, suffix: string): string[] => {
    const at = `grid + ${divided(unit, groupSize(init) / width)} * ${ROWS_PER_BLOCK / 4}u`;
    return [`  let s${suffix} = scales[${at}];`, ...(zeros === undefined ? [] : [`  let z${suffix} = ${zeroPoints(init, at)};`])];
  };
  if (width === perWord) lines.push(...grid('j', ''));
  functions.slice(0, Math.ceil(count / 4)).forEach((decode, v) => {
    const vector = functions.length === 1 ? 'j' : `(j * ${functions.length}u + ${v}u)`;
    if (width === 4 && perWord !== 4) lines.push(...grid(vector, `${v}`));
    const zero = width === 4 && perWord !== 4 ? `z${v}` : 'z';
    const codes = (c: number): string => {
      const plain = `${decode}(w${c})`;
      if (width !== 1) return zeros === undefined ? `${plain}${offset === 0 ? '' : ` - ${offset}.0`}` : `${plain} - ${zero}[${c}]`;
      const difference = `${plain}${offset === 0 ? '' : ` - ${offset}.0`}${zeros === undefined ? '' : ` - zeros_at(n + ${c}u, ${vector})`}`;
      return `(${difference}) * scales_at(n + ${c}u, ${vector})`;
    };
    lines.push(`  let q${v} = mat4x4<f32>(${range(COLUMNS).map(codes).join(', ')});`);
    for (const i of range(rows)) {
      const product = `${count < 4 * v + 4 ? 'load_last' : 'load_x'}(x${i}, ${vector}) * q${v}`;
      if (width === perWord) lines.push(v === 0 ? `  var d${i} = ${product};` : `  d${i} += ${product};`);
      else lines.push(`  c${i} += ${width === 4 ? `(${product}) * s${v}` : product};`);
    }
  });
  if (width === perWord) lines.push(...range(rows).map((i) => `  c${i} += d${i} * s;`));
  return lines;
}
