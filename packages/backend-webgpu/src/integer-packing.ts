import { type Constant, countOf, decodeElements, tensorType } from '@qfuse/plugin';
import { groupsOf, packedGroups, ROWS_PER_BLOCK } from './packing.js';

/** Which numbers of each group a kernel of integers needs beside its scale. */
export interface CorrectionKinds {
  /** `Σ_k (weight − zero point)`, which the zero point of the input is multiplied with. */
  readonly sums: boolean;
  /** The zero point of the weight. */
  readonly zeros: boolean;
}

/** How many numbers a group has. */
export const correctionsPerGroup = ({ sums, zeros }: CorrectionKinds): number => Number(sums) + Number(zeros);

/** What a correction is made from. */
export interface CorrectionSource {
  /** i8 or i4, `[N, K]`. */
  readonly weight: Constant;
  readonly scales: Constant;
  readonly zeros: Constant | undefined;
}

/**
 * Sums and zero points of rows `from` to `to` as i32 in the order of `packScales`, by four rows: number `kind` of row n and group g is element
 * `((((n / 8) · G' + g) · 2 + (n mod 8) / 4) · kinds + kind) · 4 + n mod 4`, sums first. Padding is 0.
 */
export function packCorrections({ weight, scales, zeros }: CorrectionSource, kinds: CorrectionKinds, from: number, to: number): Constant {
  const [, k] = weight.type.shape as readonly [number, number];
  const groups = groupsOf(scales);
  const along = packedGroups(k, groups);
  const per = correctionsPerGroup(kinds);
  const blocks = Math.ceil((to - from) / ROWS_PER_BLOCK);
  const type = tensorType('i32', [blocks * along * ROWS_PER_BLOCK * per]);
  const name = `${kinds.sums ? 'sums ' : ''}${kinds.zeros ? 'zeros ' : ''}of ${groups} groups, rows ${from}:${to}, zeros ${zeros?.key ?? ''}`;
  return weight.derive(name, type, (bytes) => {
    const w = kinds.sums ? (decodeElements(weight.type.dtype, bytes, countOf(weight.type.shape as number[])) as Int8Array) : undefined;
    const z = numbersOf(zeros);
    const size = k / groups;
    const out = new Int32Array(type.shape[0] as number);
    for (let n = from; n < to; n++)
      for (let g = 0; g < groups; g++) {
        const row = n - from;
        const quad = (Math.floor(row / ROWS_PER_BLOCK) * along + g) * 2 + Math.floor((row % ROWS_PER_BLOCK) / 4);
        const at = quad * per * 4 + (row % 4);
        const zero = z?.[n * groups + g] ?? 0;
        if (w !== undefined) {
          let sum = 0;
          for (let i = g * size; i < (g + 1) * size; i++) sum += w[n * k + i]!;
          out[at] = sum - size * zero;
        }
        if (kinds.zeros) out[at + 4 * (per - 1)] = zero;
      }
    return new Uint8Array(out.buffer);
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
