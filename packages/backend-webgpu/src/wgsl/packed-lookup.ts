import type { Constant, Value } from '@qfuse/plugin';
import type { Binding, Dispatch, Sizes } from '../kernel.js';
import { cellsAlong, type PackedFormat, ROWS_PER_BLOCK } from '../packing.js';
import { bindValue } from './elements.js';
import { mathFor } from './math.js';
import { decodeFunctions, decoders, divided, groupsAlong, groupSize, offsetOf, perRowIndex, range, scaleWidth } from './packed-weights.js';
import { groupsFor, shader } from './shader.js';

/** `y[t, k] = (w[i, k] − zeros[i, g(k)]) · scales[i, g(k)]` with `i = indices[t] − first`, for those t whose i is a row of this shard. */
export interface PackedLookup {
  readonly format: PackedFormat;
  readonly k: number;
  readonly groups: number;
  /** Rows of this shard, the first of them in the whole table, and the rows of that. */
  readonly n: number;
  readonly first: number;
  readonly rows: number;
  readonly w: Constant;
  readonly scales: Constant;
  readonly zeros: Constant | undefined;
  readonly indices: Value;
  readonly y: Value;
  /** The dtype that products are rounded to before they are stored. */
  readonly round: Rounded;
}

/** Dtypes that products may be rounded to. */
export type Rounded = 'f32' | 'f16' | 'bf16';

/**
 * Numbers rounded to 16 bits, ties to even, in f32: WGSL leaves the direction of its conversions open. Half precision is a grid of 2^-24 below
 * 2^-14, and infinite from 65520 on.
 */
const roundings: Readonly<Record<Rounded, string>> = {
  f32: '',
  bf16: `fn rounded(x: vec4<f32>) -> vec4<f32> {
  let u = bitcast<vec4<u32>>(x);
  return bitcast<vec4<f32>>((u + 0x7fffu + ((u >> vec4<u32>(16u)) & vec4<u32>(1u))) & vec4<u32>(0xffff0000u));
}`,
  f16: `fn rounded(x: vec4<f32>) -> vec4<f32> {
  let u = bitcast<vec4<u32>>(x);
  let normal = bitcast<vec4<f32>>((u + 0xfffu + ((u >> vec4<u32>(13u)) & vec4<u32>(1u))) & vec4<u32>(0xffffe000u));
  let infinite = bitcast<vec4<f32>>((u & vec4<u32>(0x80000000u)) | vec4<u32>(0x7f800000u));
  let small = round(x * 16777216.0) * 5.9604644775390625e-8;
  return select(select(normal, infinite, abs(normal) > vec4<f32>(65504.0)), small, abs(x) < vec4<f32>(6.103515625e-5));
}`,
};

/**
 * Rows of a packed table by index, a thread for each word of a row. An index that is no row of the table gives NaN, since a shader
 * cannot raise an error; the first shard writes it.
 */
export function packedLookup(init: PackedLookup): Dispatch {
  const { format, k, indices, y } = init;
  const functions = decoders(format);
  const perWord = 4 * functions.length;
  const words = Math.ceil(k / perWord);
  const read = (name: string, type: string, from: Binding['from']): Binding => ({ name, type, access: 'read', from });
  const vectors = k % 4 === 0;
  const body = `let t = group * 64u + lane;
if (t >= P.count * ${words}u) { return; }
let token = t / ${words}u;
let j = t % ${words}u;
let index = bitcast<u32>(indices[token]);
let row = index - P.first;
if (row >= P.n) {
  if (P.first == 0u && index >= P.rows) {
${functions.map((_, v) => `    put(token, j * ${functions.length}u + ${v}u, vec4<f32>(nan()));`).join('\n')}
  }
  return;
}
let word = w[(row / ${ROWS_PER_BLOCK}u * ${cellsAlong(format, k)}u + j / 4u) * ${ROWS_PER_BLOCK}u + row % ${ROWS_PER_BLOCK}u][j % 4u];
${functions.map((decode, v) => vectorOf(init, decode, v)).join('\n')}`;
  const put = vectors
    ? `fn put(token: u32, v: u32, value: vec4<f32>) { if (4u * v < ${k}u) { y[token * ${k / 4}u + v] = value; } }`
    : `fn put(token: u32, v: u32, value: vec4<f32>) {
  for (var e = 0u; e < 4u && 4u * v + e < ${k}u; e++) { y[token * ${k}u + 4u * v + e] = value[e]; }
}`;
  const launch: Dispatch['launch'] = (sizes: Sizes) => {
    const count = sizes.count(indices);
    return { groups: groupsFor(count * words), parameters: { count, n: init.n, first: init.first, rows: init.rows } };
  };
  return shader({
    label: 'packed rows',
    bindings: [
      read('indices', 'array<i32>', indices),
      read('w', 'array<vec4<u32>>', init.w),
      read('scales', 'array<f32>', init.scales),
      ...(init.zeros === undefined ? [] : [read('zeros', 'array<i32>', init.zeros)]),
      { ...bindValue('y', y, 'read_write'), type: vectors ? 'array<vec4<f32>>' : 'array<f32>' },
    ],
    parameters: { count: 'u32', n: 'u32', first: 'u32', rows: 'u32' },
    declarations: [mathFor('nan()'), decodeFunctions(format), roundings[init.round], put].join('\n'),
    body,
    launch,
  });
}

/** The vector `v` of the word `word`, scaled and stored. */
function vectorOf(init: PackedLookup, decode: string, v: number): string {
  const functions = decoders(init.format);
  const width = scaleWidth(init, [4]);
  const offset = offsetOf(init.format);
  const vector = functions.length === 1 ? 'j' : `(j * ${functions.length}u + ${v}u)`;
  const at = (g: string): string => perRowIndex('row', g, `${groupsAlong(init)}u`);
  const places =
    width === Infinity
      ? [at('0u')]
      : width === 4
        ? [at(divided(vector, groupSize(init) / 4))]
        : range(4).map((e) => at(divided(`(4u * ${vector} + ${e}u)`, groupSize(init))));
  const all = (buffer: string): string => `vec4<f32>(${places.map((place) => `f32(${buffer}[${place}])`).join(', ')})`;
  const zero = init.zeros === undefined ? '' : ` - ${all('zeros')}`;
  const product = `(${decode}(word)${offset === 0 ? '' : ` - ${offset}.0`}${zero}) * ${all('scales')}`;
  return `put(token, ${vector}, ${init.round === 'f32' ? product : `rounded(${product})`});`;
}
