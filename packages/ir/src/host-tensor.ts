import { Constant } from './constant.js';
import { type DType, dtypeInfo } from './dtype.js';
import {
  decodeElements,
  type Elements,
  encodeElements,
  fromBFloatBits,
  fromHalfBits,
  newElements,
  toBFloatBits,
  toHalfBits,
} from './elements.js';
import { QfuseError } from './error.js';
import { tensorType } from './types.js';

/**
 * A tensor in host memory: row-major contiguous decoded elements (see {@link newElements} for the array of each
 * dtype; f16 and bf16 are held as f32 numbers that are representable in them).
 */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Elements;
}

/** Number of elements of a static shape. */
export const countOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** A host tensor over `data`, or over new zeros. @throws QfuseError `ir/tensor` when shape and data disagree */
export function hostTensor(dtype: DType, shape: readonly number[], data: Elements = newElements(dtype, countOf(shape))): HostTensor {
  if (data.length !== countOf(shape))
    throw new QfuseError('ir/tensor', `shape [${shape.join(', ')}] has ${countOf(shape)} elements, the data has ${data.length}`);
  return { dtype, shape: [...shape], data };
}

/**
 * A host tensor from JavaScript numbers, converted to `dtype`: floats are rounded to nearest even, integers wrap
 * around, bools are "not zero".
 */
export function tensorOf(dtype: DType, shape: readonly number[], values: ArrayLike<number | bigint | boolean>): HostTensor {
  const out = hostTensor(dtype, shape);
  if (values.length !== out.data.length)
    throw new QfuseError('ir/tensor', `shape [${shape.join(', ')}] has ${out.data.length} elements, ${values.length} values were given`);
  const store = storer(dtype);
  for (let i = 0; i < values.length; i++) store(out.data, i, values[i]!);
  return out;
}

/** Writes a number into decoded elements as a cast to `dtype` would: floats rounded, integers truncated and wrapped. */
export function storer(dtype: DType): (data: Elements, index: number, value: number | bigint | boolean) => void {
  const { kind, bits } = dtypeInfo(dtype);
  if (dtype === 'f16') return (data, i, v) => void (data[i] = fromHalfBits(toHalfBits(Number(v))));
  if (dtype === 'bf16') return (data, i, v) => void (data[i] = fromBFloatBits(toBFloatBits(Number(v))));
  if (kind === 'float') return (data, i, v) => void (data[i] = Number(v));
  if (kind === 'bool') return (data, i, v) => void (data[i] = Number(v) !== 0 ? 1 : 0);
  const wrap = kind === 'int' ? BigInt.asIntN : BigInt.asUintN;
  if (bits === 64) return (data, i, v) => void (data[i] = wrap(64, toBigInt(v)));
  return (data, i, v) => {
    const n = typeof v === 'bigint' ? v : Number(v);
    if (typeof n === 'number' && Math.abs(n) <= 2 ** 31 && bits === 32) data[i] = Math.trunc(n);
    else data[i] = Number(wrap(bits, toBigInt(n)));
  };
}

/** Integer part of a number; NaN and infinities, whose cast C leaves open, become the smallest i64 as on x86. */
function toBigInt(v: number | bigint | boolean): bigint {
  if (typeof v === 'bigint') return v;
  const n = Math.trunc(Number(v));
  return Number.isFinite(n) ? BigInt(n) : -(2n ** 63n);
}

/** The constant with the contents of a host tensor. */
export const constantOf = (tensor: HostTensor, source = 'memory'): Constant =>
  Constant.of(tensorType(tensor.dtype, tensor.shape), encodeElements(tensor.dtype, tensor.data), source);

/** The contents of a constant. Must not be written to. */
export function tensorFrom(constant: Constant): HostTensor {
  const shape = constant.type.shape as readonly number[];
  return { dtype: constant.type.dtype, shape, data: decodeElements(constant.type.dtype, constant.bytes(), countOf(shape)) };
}
