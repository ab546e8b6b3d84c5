import { type Constant, countOf, decodeElements, tensorType } from '@qfuse/plugin';
import { groupsOf, packedGroups, ROWS_PER_BLOCK } from './packing.js';

/** Which numbers of each group a kernel of integers needs beside its scale. */
export interface GridKinds {
  /** `Σ_k (weight − zero point)`, which the zero point of the input is multiplied with. */
  readonly sums: boolean;
  /** The zero point of the weight. */
  readonly zeros: boolean;
}

/** Words of a group: its scale; and its sum; and its zero point, filled up to four. */
export const wordsPerGrid = ({ sums, zeros }: GridKinds): 1 | 2 | 4 => (zeros ? 4 : sums ? 2 : 1);

/** What grids are made from. */
export interface GridSource {
  /** i8 or i4, `[N, K]`. */
  readonly weight: Constant;
  readonly scales: Constant;
  readonly zeros: Constant | undefined;
}

/** What integers of the weight are multiplied with on their way through dot products: nibbles stand in the upper half of bytes. */
export const integerFactor = (bits: 4 | 8): 1 | 16 => (bits === 8 ? 1 : 16);

/**
 * Scales with what goes with them, rows `from` to `to` of a weight: words of row n and group g begin at `(((n / 8) · G' + g) · 8 + n mod 8) · words`.
 * The integers are {@link integerFactor} times as large, the scale as many times smaller. Padding is 0.
 */
export function packGrids(source: GridSource, bits: 4 | 8, kinds: GridKinds, from: number, to: number): Constant {
  const { weight, scales, zeros } = source;
  const [, k] = weight.type.shape as readonly [number, number];
  const groups = groupsOf(scales);
  const along = packedGroups(k, groups);
  const per = wordsPerGrid(kinds);
  const blocks = Math.ceil((to - from) / ROWS_PER_BLOCK);
  const type = tensorType('u32', [blocks * along * ROWS_PER_BLOCK * per]);
  const name = `grids of ${per}, rows ${from}:${to}, K ${k}, ${kinds.sums ? weight.key : ''} ${zeros?.key ?? ''} ${bits}`;
  return scales.derive(name, type, () => {
    const words = new Int32Array(type.shape[0] as number);
    const floats = new Float32Array(words.buffer);
    const [s, z] = [numbersOf(scales), numbersOf(zeros)];
    const w = kinds.sums
      ? (decodeElements(weight.type.dtype, weight.bytes(), countOf(weight.type.shape as number[])) as Int8Array)
      : undefined;
    const size = k / groups;
    const factor = integerFactor(bits);
    for (let n = from; n < to; n++)
      for (let g = 0; g < groups; g++) {
        const row = n - from;
        const at = ((Math.floor(row / ROWS_PER_BLOCK) * along + g) * ROWS_PER_BLOCK + (row % ROWS_PER_BLOCK)) * per;
        const zero = z?.[n * groups + g] ?? 0;
        floats[at] = Math.fround(s[n * groups + g]!) / factor;
        if (w !== undefined) {
          let sum = 0;
          for (let i = g * size; i < (g + 1) * size; i++) sum += w[n * k + i]!;
          words[at + 1] = (sum - size * zero) * factor;
        }
        if (kinds.zeros) words[at + 2] = zero * factor;
      }
    return new Uint8Array(words.buffer);
  });
}

/** The elements of a constant as numbers. */
export function numbersOf(constant: Constant): Float64Array;
export function numbersOf(constant: Constant | undefined): Float64Array | undefined;
export function numbersOf(constant: Constant | undefined): Float64Array | undefined {
  if (constant === undefined) return undefined;
  const { dtype, shape } = constant.type;
  return Float64Array.from(
    decodeElements(dtype, constant.bytes(), countOf(shape as readonly number[])) as ArrayLike<number | bigint>,
    Number,
  );
}
