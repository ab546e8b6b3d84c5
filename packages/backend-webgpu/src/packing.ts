import { type Constant, countOf, decodeElements, tensorType } from '@qfuse/plugin';

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

export const packedFormat = (bits: 4 | 8): PackedFormat => (bits === 8 ? { bits, perCell: 16 } : { bits, perCell: 32 });

/** Cells along K of a packed row. */
export const cellsAlong = ({ perCell }: PackedFormat, k: number): number => (Math.ceil(k / PADDED_K) * PADDED_K) / perCell;

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
