import {
  type DType,
  dtypeInfo,
  type Elements,
  type HostTensor,
  hostTensor,
  integerRange,
  isFloat,
  isInteger,
  newElements,
  type Scalar,
  scalarText,
  storer,
} from '@qfuse/ir';
import { broadcastStrides, type Fail, forEachOffset } from '../../shapes.js';

/** Dtype and static shape of a result. */
export interface ResultType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** What a kernel may return for an element; `storer` writes it. */
export type Element = number | bigint | boolean;

/** `tensor` with its elements cast to `dtype`; itself when it has that dtype. */
export function castTensor(tensor: HostTensor, dtype: DType): HostTensor {
  if (tensor.dtype === dtype) return tensor;
  const out = hostTensor(dtype, tensor.shape);
  const store = storer(dtype);
  const { data } = tensor;
  if (isFloat(tensor.dtype) && isInteger(dtype))
    for (let i = 0; i < out.data.length; i++) store(out.data, i, truncated(data[i] as number, dtypeInfo(dtype).bits));
  else for (let i = 0; i < out.data.length; i++) store(out.data, i, data[i]!);
  return out;
}

/**
 * The integer that a float is cast to. C leaves open what NaN and numbers out of range become; here it is what x86 makes
 * of them, as in torch: the smallest number of the 64 or 32 bits that the processor converts to (narrower dtypes wrap that).
 */
function truncated(x: number, bits: number): number | bigint {
  const limit = 2 ** (bits === 64 ? 63 : 31);
  if (!(x > -limit - 1 && x < limit)) return bits === 64 ? -(2n ** 63n) : -limit;
  return bits === 64 ? BigInt(Math.trunc(x)) : Math.trunc(x);
}

/** A Python scalar as a 0-d tensor: floats are rounded to `dtype`, integers wrap, as torch does with the numbers of an expression. */
export function scalarTensor(scalar: Scalar, dtype: DType): HostTensor {
  const data = newElements(dtype, 1);
  storer(dtype)(data, 0, scalar.value);
  return { dtype, shape: [], data };
}

/** The number that an op of `dtype` computes with for a Python scalar. */
export const scalarIn = (scalar: Scalar, dtype: DType): number => Number(scalarTensor(scalar, dtype).data[0]);

/** A function that rounds a number to a float dtype. */
export function rounder(dtype: DType): (x: number) => number {
  const cell = newElements(dtype, 1);
  const store = storer(dtype);
  return (x) => {
    store(cell, 0, x);
    return cell[0] as number;
  };
}

const largest: Partial<Record<DType, number>> = {
  f64: Number.MAX_VALUE,
  f32: (2 - 2 ** -23) * 2 ** 127,
  bf16: (2 - 2 ** -7) * 2 ** 127,
  f16: 65504,
};

/** The largest finite value of a dtype. */
export const largestOf = (dtype: DType): number => largest[dtype] ?? Number(integerRange(dtype)[1]);

/**
 * Refuses a scalar that `dtype` cannot hold, where torch does (fills and bounds). Negative integers may wrap in unsigned
 * dtypes; infinities and NaN are floats.
 */
export function checkScalar(name: string, { value, ...rest }: Scalar, dtype: DType, fail: Fail): void {
  const { kind } = dtypeInfo(dtype);
  if (kind === 'bool' || typeof value === 'boolean') return;
  let fits: boolean;
  if (kind === 'float') fits = !Number.isFinite(Number(value)) || Math.abs(Number(value)) <= largestOf(dtype);
  else if (typeof value === 'number' && (!Number.isFinite(value) || (rest.kind === 'float' && kind === 'uint' && value < 0))) fits = false;
  else {
    const whole = typeof value === 'bigint' ? value : BigInt(Math.trunc(value));
    const [low, high] = integerRange(dtype);
    fits = whole <= high && whole >= (kind === 'uint' ? -high : low);
  }
  if (!fits) fail(`${name} is ${scalarText({ value, ...rest } as Scalar)}, which ${dtype} cannot hold`);
}

/** The elements of a tensor as bigints. */
const bigints = (data: Elements): ArrayLike<bigint> =>
  data instanceof BigInt64Array || data instanceof BigUint64Array ? data : Array.from(data, BigInt);

/**
 * A tensor of type `result` whose elements are `f` of the elements of `operands`, which broadcast to the result's shape.
 * `f` gets elements as they are held: bigints for `i64` and `u64`, else numbers.
 */
export const mapElements = (result: ResultType, operands: readonly HostTensor[], f: (...xs: (number | bigint)[]) => Element): HostTensor =>
  broadcastMap<number | bigint>(result, operands, (t) => t.data, f);

/** As {@link mapElements} for operands that hold numbers (floats, bools, integers below 64 bits). */
export const mapNumbers = (result: ResultType, operands: readonly HostTensor[], f: (...xs: number[]) => Element): HostTensor =>
  broadcastMap<number>(result, operands, (t) => t.data as Float64Array, f);

/** As {@link mapElements} with all elements as bigints. */
const mapBigints = (result: ResultType, operands: readonly HostTensor[], f: (...xs: bigint[]) => Element): HostTensor =>
  broadcastMap<bigint>(result, operands, (t) => bigints(t.data), f);

function broadcastMap<T>(
  result: ResultType,
  operands: readonly HostTensor[],
  elements: (t: HostTensor) => ArrayLike<T>,
  f: (...xs: T[]) => Element,
): HostTensor {
  const out = hostTensor(result.dtype, result.shape);
  const store = storer(result.dtype);
  const data = operands.map(elements);
  const [a, b, c] = data;
  const count = out.data.length;
  const plain = operands.every((o) => o.shape.length === result.shape.length && o.shape.every((d, i) => d === result.shape[i]));
  // One loop an arity: argument lists that are built per element are several times slower.
  if (plain && data.length === 1) for (let i = 0; i < count; i++) store(out.data, i, f(a![i]!));
  else if (plain && data.length === 2) for (let i = 0; i < count; i++) store(out.data, i, f(a![i]!, b![i]!));
  else if (plain && data.length === 3) for (let i = 0; i < count; i++) store(out.data, i, f(a![i]!, b![i]!, c![i]!));
  else {
    const strides = operands.map((o) => broadcastStrides(o.shape, result.shape));
    forEachOffset(result.shape, strides, (i, o) => store(out.data, i, f(...data.map((d, k) => d[o[k]!]!))));
  }
  return out;
}

/**
 * How an elementwise op computes an element: floats in float64, integers (and bools as 0 and 1) exactly. One that is
 * missing must be refused by the shape rule.
 */
export interface Kernel {
  readonly float?: ((...xs: number[]) => Element) | undefined;
  readonly integer?: ((...xs: bigint[]) => Element) | undefined;
}

/** Applies `kernel` to `operands` after they are cast to `dtype`. */
export function applyKernel(kernel: Kernel, result: ResultType, dtype: DType, operands: readonly HostTensor[]): HostTensor {
  const cast = operands.map((o) => castTensor(o, dtype));
  return isFloat(dtype) ? mapNumbers(result, cast, kernel.float!) : mapBigints(result, cast, kernel.integer!);
}
