import { byteLength, type DType, dtypeInfo } from './dtype.js';

/** Decoded elements: a JavaScript number per element, a bigint for `i64` and `u64`. */
export type Elements =
  | Float64Array
  | Float32Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | BigInt64Array
  | BigUint64Array;

/** A new zeroed array for `count` decoded elements: f16 and bf16 decode to Float32Array, i4 to Int8Array, u4 and bool to Uint8Array. */
export function newElements(dtype: DType, count: number): Elements {
  switch (dtype) {
    case 'f64':
      return new Float64Array(count);
    case 'f32':
    case 'f16':
    case 'bf16':
      return new Float32Array(count);
    case 'i64':
      return new BigInt64Array(count);
    case 'u64':
      return new BigUint64Array(count);
    case 'i32':
      return new Int32Array(count);
    case 'u32':
      return new Uint32Array(count);
    case 'i16':
      return new Int16Array(count);
    case 'u16':
      return new Uint16Array(count);
    case 'i8':
    case 'i4':
      return new Int8Array(count);
    case 'u8':
    case 'u4':
    case 'bool':
      return new Uint8Array(count);
  }
}

const word = new DataView(new ArrayBuffer(8));

/** The f16 number nearest to `x`, ties to even, as its 16 bits (IEEE 754 binary16). */
export function toHalfBits(x: number): number {
  word.setFloat64(0, x);
  const high = word.getUint32(0);
  const sign = (high >>> 16) & 0x8000;
  if (Number.isNaN(x)) return sign | 0x7e00;
  const size = Math.abs(x);
  if (size >= 65520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | roundTiesToEven(size * 2 ** 24);
  const exponent = ((high >>> 20) & 0x7ff) - 1023;
  // A mantissa that is rounded up to 1024 carries into the exponent, as it should.
  const mantissa = roundTiesToEven((size / 2 ** exponent - 1) * 1024);
  return sign | (((exponent + 15) << 10) + mantissa);
}

/** The number that 16 bits of binary16 stand for. */
export function fromHalfBits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** The bf16 number nearest to `x`, ties to even, as its 16 bits. `x` is rounded to f32 first, as torch does. */
export function toBFloatBits(x: number): number {
  word.setFloat32(0, x);
  const bits = word.getUint32(0);
  if (Number.isNaN(x)) return ((bits >>> 16) & 0x8000) | 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The number that 16 bits of bf16 stand for. */
export function fromBFloatBits(bits: number): number {
  word.setUint32(0, (bits << 16) >>> 0);
  return word.getFloat32(0);
}

/** `x` rounded to the nearest integer, ties to the even one: `round` of torch and WGSL. */
export function roundTiesToEven(x: number): number {
  if (!Number.isFinite(x) || Math.abs(x) >= 2 ** 52) return x;
  const floor = Math.floor(x);
  const rest = x - floor;
  const rounded = rest < 0.5 ? floor : rest > 0.5 ? floor + 1 : floor % 2 === 0 ? floor : floor + 1;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}

/** Decodes `count` little-endian elements; the result shares memory with `bytes` where the platform allows. */
export function decodeElements(dtype: DType, bytes: Uint8Array, count: number): Elements {
  if (bytes.byteLength !== byteLength(dtype, count))
    throw new RangeError(`${count} elements of ${dtype} take ${byteLength(dtype, count)} bytes, found ${bytes.byteLength}`);
  const { bits } = dtypeInfo(dtype);
  if (bits === 4) {
    const out = newElements(dtype, count) as Int8Array | Uint8Array;
    for (let i = 0; i < count; i++) {
      const nibble = (bytes[i >>> 1]! >>> ((i & 1) * 4)) & 15;
      out[i] = dtype === 'i4' ? (nibble << 28) >> 28 : nibble;
    }
    return out;
  }
  const width = bits / 8;
  // A copy: `slice` of Node's Buffer would share its memory.
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  if (dtype === 'f16' || dtype === 'bf16') {
    const raw = new Uint16Array(aligned.buffer, aligned.byteOffset, count);
    return Float32Array.from(raw, dtype === 'f16' ? fromHalfBits : fromBFloatBits);
  }
  const Make = newElements(dtype, 0).constructor as new (b: ArrayBufferLike, o: number, n: number) => Elements;
  return new Make(aligned.buffer, aligned.byteOffset, count);
}

/** Encodes decoded elements as little-endian bytes; shares memory with `elements` where the forms agree. */
export function encodeElements(dtype: DType, elements: Elements): Uint8Array {
  const count = elements.length;
  if (dtype === 'i4' || dtype === 'u4') {
    const out = new Uint8Array(byteLength(dtype, count));
    for (let i = 0; i < count; i++) out[i >>> 1]! |= (Number(elements[i]) & 15) << ((i & 1) * 4);
    return out;
  }
  if (dtype === 'f16' || dtype === 'bf16') {
    const raw = Uint16Array.from(elements as Float32Array, dtype === 'f16' ? toHalfBits : toBFloatBits);
    return new Uint8Array(raw.buffer);
  }
  return new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
}
