import { ROWS_PER_BLOCK } from '../packing.js';
import type { Tiles } from './packed-gemm.js';
import { divided, groupsAlong, groupSize, type PackedLinear, perQuadIndex, range, scaleWidth } from './packed-weights.js';

/** The parts of a tile kernel that bring the next K from memory into registers, and from there into workgroup memory. */
export interface TileLoads {
  readonly variables: string;
  /** Loads the K of `step`. */
  readonly load: string;
  readonly store: string;
  readonly functions: string;
  /** The quads of a row of K are rotated by K and this mask, so that threads of one subgroup write to different banks. */
  readonly rotation: number;
}

const component = 'xyzw';

/** Loads of a tile of `threads` threads: four rows by four K of x, and four rows by four K of the weight, at a time. */
export function tileLoads(init: PackedLinear, tiles: Tiles, threads: number): TileLoads {
  const [quadsM, quadsN] = [tiles.m / 4, tiles.n / 4];
  const [unitsX, unitsW] = [quadsM * 8, quadsN * 8];
  const [loadsX, loadsW] = [Math.ceil(unitsX / threads), Math.ceil(unitsW / threads)];
  const rotation = Math.min(8, quadsM) - 1;
  const { bits } = init.format;
  const width = scaleWidth(init, [4]);
  const offset = magic(bits);

  const unit = (i: number): string => (i === 0 ? 'lane' : `(lane + ${i * threads}u)`);
  /** Fewer units than threads: the others do nothing. */
  const within = (i: number, units: number): string => ((i + 1) * threads <= units ? '' : `if (${unit(i)} < ${units}u) `);
  const word = bits === 8 ? ['step * 2u + kq / 4u', 'kq % 4u'] : ['step', 'kq / 2u'];
  const perGroup = (i: number): string => {
    const lines: string[] = [];
    const lookup = (name: string, buffer: string): void => {
      if (width === 4) lines.push(`    ${name}${i} = ${buffer}_at(n, step * 8u + kq);`);
      else if (width === 1) for (const c of range(4)) lines.push(`    ${name}${i}_${c} = ${buffer}_at(n, (step * 8u + kq) * 4u + ${c}u);`);
    };
    lookup('ss', 'scales');
    if (init.zeros !== undefined) lookup('zs', 'zeros');
    return lines.join('\n');
  };
  const load = [
    ...range(loadsX).map(
      (i) => `  ${within(i, unitsX)}{ let kq = ${unit(i)} % 8u; let mq = m0 + (${unit(i)} / 8u) * 4u;
${range(4)
  .map((r) => `    xs${i}_${r} = load_x(min(mq + ${r}u, P.m - 1u), step * 8u + kq);`)
  .join('\n')} }`,
    ),
    ...range(loadsW).map(
      (
        i,
      ) => `  ${within(i, unitsW)}{ let n = min(n0 + (${unit(i)} % ${quadsN}u) * 4u, last * ${ROWS_PER_BLOCK}u + 4u); let kq = ${unit(i)} / ${quadsN}u;
    let at = (n / ${ROWS_PER_BLOCK}u * CELLS + ${word[0]}) * ${ROWS_PER_BLOCK}u + n % ${ROWS_PER_BLOCK}u;
    ws${i} = vec4<u32>(${range(4)
      .map((r) => `w[at + ${r}u][${word[1]}]`)
      .join(', ')})${bits === 8 ? '' : ' >> vec4<u32>((kq % 2u) * 4u)'};
${perGroup(i)} }`,
    ),
  ].join('\n');
  /** Four rows of the K that is byte `b` of their words, as weights. */
  const weights = (i: number, b: number): string => {
    const bytes = b === 0 ? `ws${i}` : `(ws${i} >> vec4<u32>(${8 * b}u))`;
    const zero = init.zeros === undefined ? '' : width === Infinity ? `z${i}` : width === 4 ? `zs${i}` : `zs${i}_${b}`;
    const difference = `${offset.bits(bytes)} - ${zero === '' ? offset.value : `(${zero} + ${offset.value})`}`;
    return width === Infinity ? difference : `(${difference}) * ${width === 4 ? `ss${i}` : `ss${i}_${b}`}`;
  };
  const store = [
    ...range(loadsX).map(
      (i) => `  ${within(i, unitsX)}{ let kq = ${unit(i)} % 8u; let at = kq * ${tiles.m}u + ((${unit(i)} / 8u) ^ (kq & ${rotation}u));
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
      (i) => `  ${within(i, unitsW)}{ let at = (${unit(i)} / ${quadsN}u) * ${tiles.n}u + ${unit(i)} % ${quadsN}u;
${range(4)
  .map((c) => `    tile_w[at + ${c * quadsN}u] = ${weights(i, c)};`)
  .join('\n')} }`,
    ),
  ].join('\n');
  const perUnit = (name: string): string[] =>
    width === Infinity ? [] : width === 4 ? [`var ${name}: vec4<f32>;`] : range(4).map((c) => `var ${name}_${c}: vec4<f32>;`);
  const variables = [
    ...range(loadsX).flatMap((i) => range(4).map((r) => `var xs${i}_${r}: vec4<f32>;`)),
    ...range(loadsW).flatMap((i) => [
      `var ws${i}: vec4<u32>;`,
      ...perUnit(`ss${i}`),
      ...(init.zeros === undefined ? [] : perUnit(`zs${i}`)),
      // A thread's columns are the same in every step.
      ...(init.zeros !== undefined && width === Infinity
        ? [`let z${i} = vec4<f32>(zeros[min(n0 + (${unit(i)} % ${quadsN}u) * 4u, last * ${ROWS_PER_BLOCK}u + 4u) / 4u]);`]
        : []),
    ]),
  ].join('\n');
  return { variables, load, store, functions: lookups(init, width), rotation };
}

/**
 * Integers as floats without a conversion: put into the last bits of 2^23 they are the last units of a float, from which
 * 2^23 and what stored integers are too large by is subtracted.
 */
const magic = (bits: 4 | 8): { readonly bits: (bytes: string) => string; readonly value: string } =>
  bits === 8
    ? { bits: (bytes) => `bitcast<vec4<f32>>((${bytes} & vec4<u32>(255u)) ^ vec4<u32>(0x4b000080u))`, value: '8388736.0' }
    : { bits: (bytes) => `bitcast<vec4<f32>>((${bytes} & vec4<u32>(15u)) | vec4<u32>(0x4b000000u))`, value: '8388616.0' };

/** `CELLS`, and `scales_at(n, i)` and `zeros_at`: those of rows n … n+3 for the i-th run of K that has one scale for sure. */
function lookups(init: PackedLinear, width: number): string {
  const cells = `const CELLS = ${(Math.ceil(init.k / 32) * 32) / init.format.perCell}u;`;
  if (width === Infinity) return cells;
  const at = perQuadIndex('n', divided('i', groupSize(init) / width), `${groupsAlong(init)}u`);
  const lookup = (name: string): string => `fn ${name}_at(n: u32, i: u32) -> vec4<f32> { return vec4<f32>(${name}[${at}]); }`;
  return [cells, lookup('scales'), ...(init.zeros === undefined ? [] : [lookup('zeros')])].join('\n');
}
