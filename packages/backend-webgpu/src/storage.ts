import {
  type Constant,
  countOf,
  type DType,
  decodeElements,
  dtypeInfo,
  type Elements,
  encodeElements,
  type HostTensor,
  hostTensor,
  newElements,
  QfuseError,
  tensorType,
} from '@qfuse/plugin';

/** The WGSL types that elements have in computations. */
export type ScalarType = 'f32' | 'i32' | 'u32' | 'bool';

/**
 * How a dtype lies in a storage buffer, an array of 32-bit words. i64 is held as i32 (values are range-checked on
 * their way in), bool as the u32 0 or 1, i8 and u8 four to a word, i4 and u4 eight to a word, lowest bits first.
 * A thread that writes packed elements owns whole words.
 */
export interface Layout {
  /** The type of an element in computations. */
  readonly scalar: ScalarType;
  /** The type of the array's elements. */
  readonly word: 'f32' | 'i32' | 'u32';
  /** Elements in a word: 1, 4 or 8. */
  readonly perWord: number;
}

const layouts: Partial<Record<DType, Layout>> = {
  f32: { scalar: 'f32', word: 'f32', perWord: 1 },
  i32: { scalar: 'i32', word: 'i32', perWord: 1 },
  i64: { scalar: 'i32', word: 'i32', perWord: 1 },
  u32: { scalar: 'u32', word: 'u32', perWord: 1 },
  bool: { scalar: 'bool', word: 'u32', perWord: 1 },
  i8: { scalar: 'i32', word: 'u32', perWord: 4 },
  u8: { scalar: 'u32', word: 'u32', perWord: 4 },
  i4: { scalar: 'i32', word: 'u32', perWord: 8 },
  u4: { scalar: 'u32', word: 'u32', perWord: 8 },
};

/** The device layout of a dtype; undefined for those that WebGPU kernels cannot hold (f64, f16, bf16, 16-bit and unsigned 64-bit integers). */
export const layoutOf = (dtype: DType): Layout | undefined => layouts[dtype];

/** As {@link layoutOf}, for a dtype that was checked before. */
export function knownLayout(dtype: DType): Layout {
  const layout = layouts[dtype];
  if (layout === undefined) throw new Error(`${dtype} has no device layout`);
  return layout;
}

/** Bytes that `count` elements take on the device: whole words. */
export const storageBytes = (dtype: DType, count: number): number => Math.ceil(count / knownLayout(dtype).perWord) * 4;

/**
 * Elements as the device holds them, little endian.
 * @throws QfuseError `webgpu/value-range` when an i64 value does not fit into 32 bits; `what` names it
 */
export function toDevice(dtype: DType, elements: Elements, what: string): Uint8Array {
  if (dtype === 'i64') return new Uint8Array(narrow(elements as BigInt64Array, what).buffer);
  if (dtype === 'bool') return new Uint8Array(Uint32Array.from(elements as Uint8Array, (v) => (v === 0 ? 0 : 1)).buffer);
  return padded(encodeElements(dtype, elements), storageBytes(dtype, elements.length));
}

function narrow(values: BigInt64Array, what: string): Int32Array {
  const out = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const v = Number(values[i]);
    out[i] = v;
    if (out[i] !== v)
      throw new QfuseError(
        'webgpu/value-range',
        `${what} holds ${values[i]} at element ${i}; WebGPU has 32-bit integers, so an i64 must be within ±2^31`,
        {
          help: 'run on the reference interpreter (--device reference), which has 64-bit integers',
        },
      );
  }
  return out;
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.byteLength === length) return bytes;
  const out = new Uint8Array(length);
  out.set(bytes);
  return out;
}

/** The host tensor that device bytes stand for; `bytes` must start at a multiple of 4 and is not kept. */
export function fromDevice(dtype: DType, shape: readonly number[], bytes: Uint8Array): HostTensor {
  const count = countOf(shape);
  const words = bytes.slice(0, storageBytes(dtype, count));
  if (dtype === 'i64') return hostTensor(dtype, shape, BigInt64Array.from(new Int32Array(words.buffer, 0, count), BigInt));
  if (dtype === 'bool') return hostTensor(dtype, shape, Uint8Array.from(new Uint32Array(words.buffer, 0, count)));
  const own = words.subarray(0, Math.ceil((count * dtypeInfo(dtype).bits) / 8));
  return hostTensor(dtype, shape, count === 0 ? newElements(dtype, 0) : decodeElements(dtype, own, count));
}

/**
 * `constant` in its device layout: made once, shared by all readers, read when it is uploaded.
 * Its type is that of words: i64 becomes i32, bool becomes u32, packed ones become words.
 */
export function deviceConstant(constant: Constant): Constant {
  const { dtype, shape } = constant.type;
  if (dtype === 'f32' || dtype === 'i32' || dtype === 'u32') return constant;
  const count = countOf(shape as readonly number[]);
  const type = dtype === 'i64' ? tensorType('i32', [count]) : tensorType('u32', [storageBytes(dtype, count) / 4]);
  return constant.derive('webgpu', type, (bytes) => toDevice(dtype, decodeElements(dtype, bytes, count), `constant (${constant.source})`));
}
