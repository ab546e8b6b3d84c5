import { type Constant, countOf, decodeElements, no, tensorType, type Verdict, yes } from '@qfuse/plugin';

/**
 * How integer weights [N, K] lie on the device, the same for all kernels that read them: cells of 16 bytes hold
 * consecutive K of one row; cells of `rowsPerBlock` rows stand together, then the next K of the same rows. K is padded
 * to 32 and N to whole blocks, with weights that stand for zero.
 *
 * 8 bits: 16 signed bytes in order. 4 bits: 32 values as q + 8; the low nibbles of word j are K 8j … 8j+3, the high
 * ones K 8j+4 … 8j+7, so that a mask and a shift give four consecutive K as bytes.
 */
export interface PackedFormat {
  readonly bits: 4 | 8;
  /** K in a cell. */
  readonly perCell: 16 | 32;
}

/** Rows of a block. */
export const ROWS_PER_BLOCK = 8;
const PADDED_K = 32;

/** The format of weights of 4 or 8 bits. */
export const packedFormat = (bits: 4 | 8): PackedFormat => (bits === 8 ? { bits, perCell: 16 } : { bits, perCell: 32 });

/** Cells along K of a packed row. */
export const cellsAlong = ({ perCell }: PackedFormat, k: number): number => (Math.ceil(k / PADDED_K) * PADDED_K) / perCell;

/** What shares a scale along K: `groups` runs of `K / groups` weights, 1 per channel. */
export const groupsOf = (scales: Constant): number => (scales.type.shape[1] as number | undefined) ?? 1;

/**
 * Groups of a packed row: those of K, then those that begin in the padding of K, whose scale is 0. So the group of every
 * weight of a cell can be read. One group is one, whatever the padding.
 */
export function packedGroups(k: number, groups: number): number {
  return groups === 1 || k === 0 ? Math.max(1, groups) : Math.ceil((Math.ceil(k / PADDED_K) * PADDED_K) / (k / groups));
}

/** Bytes of `n` packed rows of `k` weights. */
export const packedBytes = (format: PackedFormat, n: number, k: number): number =>
  Math.ceil(n / ROWS_PER_BLOCK) * ROWS_PER_BLOCK * cellsAlong(format, k) * 16;

/**
 * Rows `from` to `to` of a weight [N, K] of dtype i8 or i4, packed. Made once for all readers; the weight itself is not changed.
 */
export function packWeight(weight: Constant, format: PackedFormat, from = 0, to = (weight.type.shape as readonly number[])[0]!): Constant {
  const [n, k] = weight.type.shape as readonly [number, number];
  const type = tensorType('u32', [packedBytes(format, to - from, k) / 4]);
  const part = from === 0 && to === n ? '' : ` rows ${from}:${to}`;
  return weight.derive(`q${format.bits} cells${part}`, type, (bytes) => (format.bits === 8 ? pack8 : pack4)(bytes, k, from, to));
}

function pack8(bytes: Uint8Array, k: number, from: number, to: number): Uint8Array {
  const out = new Uint8Array(packedBytes(packedFormat(8), to - from, k));
  const cells = cellsAlong(packedFormat(8), k);
  const wordwise = k % 4 === 0 && bytes.byteOffset % 4 === 0;
  const source = wordwise ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4) : undefined;
  const words = new Uint32Array(out.buffer);
  for (let n = from; n < to; n++) {
    const row = n - from;
    const cell = Math.floor(row / ROWS_PER_BLOCK) * cells * ROWS_PER_BLOCK + (row % ROWS_PER_BLOCK);
    if (source !== undefined)
      for (let v = 0; v < k / 4; v++) words[(cell + (v >>> 2) * ROWS_PER_BLOCK) * 4 + (v & 3)] = source[(n * k) / 4 + v]!;
    else for (let i = 0; i < k; i++) out[(cell + (i >>> 4) * ROWS_PER_BLOCK) * 16 + (i & 15)] = bytes[n * k + i]!;
  }
  return out;
}

/** Four nibbles of the low half of a word, one to a byte. */
function spread(x: number): number {
  const two = (x | (x << 8)) & 0x00ff00ff;
  return (two | (two << 4)) & 0x0f0f0f0f;
}

/** Eight signed nibbles in order as one word of a cell: the sign bit flipped is the value plus 8. */
const nibbleWord = (x: number): number => (spread(x & 0xffff) | (spread(x >>> 16) << 4)) ^ 0x88888888;

function pack4(bytes: Uint8Array, k: number, from: number, to: number): Uint8Array {
  const out = new Uint8Array(packedBytes(packedFormat(4), to - from, k));
  const words = new Uint32Array(out.buffer);
  const cells = cellsAlong(packedFormat(4), k);
  words.fill(0x88888888);
  const whole = k % 8 === 0 && bytes.byteOffset % 4 === 0;
  const source = whole ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4) : undefined;
  for (let n = from; n < to; n++) {
    const row = n - from;
    const cell = Math.floor(row / ROWS_PER_BLOCK) * cells * ROWS_PER_BLOCK + (row % ROWS_PER_BLOCK);
    for (let w = 0; w < Math.ceil(k / 8); w++) {
      const nibbles = source === undefined ? gatherNibbles(bytes, n * k + 8 * w, Math.min(8, k - 8 * w)) : source[(n * k) / 8 + w]!;
      words[(cell + (w >>> 2) * ROWS_PER_BLOCK) * 4 + (w & 3)] = nibbleWord(nibbles);
    }
  }
  return out;
}

function gatherNibbles(bytes: Uint8Array, start: number, count: number): number {
  let word = 0;
  for (let i = 0; i < count; i++) word |= ((bytes[(start + i) >>> 1]! >>> (((start + i) & 1) * 4)) & 15) << (4 * i);
  return word;
}

/** Bytes of the packed scales (or zero points) of `n` rows. */
export const packedScaleBytes = (n: number, k: number, groups: number): number =>
  Math.ceil(n / ROWS_PER_BLOCK) * packedGroups(k, groups) * ROWS_PER_BLOCK * 4;

/**
 * Scales `[N]` or `[N, G]` of rows `from` to `to` of a weight with `k` columns, as f32 `[blocks, G', 8]`: element
 * `((n / 8) · G' + g) · 8 + n mod 8`, with `G'` = {@link packedGroups}. Scales of padded rows and groups are 0, so whatever is
 * summed there adds nothing.
 */
export const packScales = (scales: Constant, k: number, from = 0, to = scales.type.shape[0] as number): Constant =>
  packPerGroup(scales, 'f32', k, from, to);

/**
 * Zero points in the order of {@link packScales}, as i32; 0 in the padding. They must fit, see {@link zeroPointsFit}.
 */
export const packZeroPoints = (zeros: Constant, k: number, from = 0, to = zeros.type.shape[0] as number): Constant =>
  packPerGroup(zeros, 'i32', k, from, to);

/**
 * For each packed row a power of two that is at least as large as all its scales, 1 where they are 0: kernels in half precision scale weights
 * relative to it, so that the scales of a row may be of any magnitude. `scales` is what {@link packScales} gave.
 */
export function packTops(scales: Constant): Constant {
  const [blocks, groups] = scales.type.shape as readonly number[] as readonly [number, number];
  return scales.derive('powers of two', tensorType('f32', [blocks * ROWS_PER_BLOCK]), (bytes) => {
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    const tops = new Float32Array(blocks * ROWS_PER_BLOCK);
    for (let i = 0; i < values.length; i++) {
      const row = Math.floor(i / (ROWS_PER_BLOCK * groups)) * ROWS_PER_BLOCK + (i % ROWS_PER_BLOCK);
      tops[row] = Math.max(tops[row]!, Math.abs(values[i]!));
    }
    // Within the exponents that have a reciprocal.
    const power = (top: number): number => (top === 0 ? 1 : 2 ** Math.min(Math.max(Math.ceil(Math.log2(top)), -126), 126));
    return new Uint8Array(tops.map(power).buffer);
  });
}

/** Kernels add up to 2^23 + 128 to zero points, and subtract the sum from integers as large: exact in f32 up to this. */
const LARGEST_ZERO = 2 ** 22;

/** The zero point of the largest magnitude. */
export function largestZero(zeros: Constant): number {
  const { dtype, shape } = zeros.type;
  const values = decodeElements(dtype, zeros.bytes(), countOf(shape as readonly number[])) as ArrayLike<number | bigint>;
  let largest = 0;
  for (let i = 0; i < values.length; i++) if (Math.abs(Number(values[i])) > Math.abs(largest)) largest = Number(values[i]);
  return largest;
}

/** Whether all zero points are small enough for exact differences in f32. */
export function zeroPointsFit(zeros: Constant): Verdict {
  const far = largestZero(zeros);
  return Math.abs(far) <= LARGEST_ZERO ? yes : no(`the weight has the zero point ${far}, expected at most 2^22 in magnitude`);
}

function packPerGroup(source: Constant, dtype: 'f32' | 'i32', k: number, from: number, to: number): Constant {
  const [rows, groups] = [source.type.shape[0] as number, groupsOf(source)];
  const padded = packedGroups(k, groups);
  const blocks = Math.ceil((to - from) / ROWS_PER_BLOCK);
  const part = from === 0 && to === rows ? '' : ` rows ${from}:${to}`;
  const type = tensorType(dtype, [blocks, padded, ROWS_PER_BLOCK]);
  return source.derive(`groups of ${dtype} by 8 rows, K ${k}${part}`, type, (bytes) => {
    const values = decodeElements(source.type.dtype, bytes, rows * groups) as ArrayLike<number | bigint>;
    const out = dtype === 'f32' ? new Float32Array(blocks * padded * ROWS_PER_BLOCK) : new Int32Array(blocks * padded * ROWS_PER_BLOCK);
    for (let n = from; n < to; n++) {
      const row = n - from;
      const at = Math.floor(row / ROWS_PER_BLOCK) * padded * ROWS_PER_BLOCK + (row % ROWS_PER_BLOCK);
      for (let g = 0; g < groups; g++) out[at + g * ROWS_PER_BLOCK] = Number(values[n * groups + g]);
    }
    return new Uint8Array(out.buffer);
  });
}

/** Floats of any dtype as f32, padded with zeros to a multiple of `multiple`. */
export function floatConstant(constant: Constant, multiple = 1): Constant {
  const count = countOf(constant.type.shape as readonly number[]);
  const padded = Math.ceil(count / multiple) * multiple;
  if (constant.type.dtype === 'f32' && padded === count) return constant;
  return constant.derive(`f32 by ${multiple}`, tensorType('f32', [padded]), (bytes) => {
    const out = new Float32Array(padded);
    out.set(Float32Array.from(decodeElements(constant.type.dtype, bytes, count) as Float64Array, Number));
    return new Uint8Array(out.buffer);
  });
}
