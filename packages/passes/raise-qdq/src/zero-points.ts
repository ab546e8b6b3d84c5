import { type DType, isFloat, no, type Node, scalarNumber, tensorFrom, type Value, type Verdict, yes } from '@qfuse/plugin';
import { aten, shapeText } from '@qfuse/ops';
import { type Range, rangeOf } from './range.js';
import { type Refusal, refuse } from './refusal.js';

/** Integers less zero points, times scales, as a pattern captures them. */
export interface Difference {
  readonly q: Value;
  readonly s: Value;
  readonly z?: Value | undefined;
  readonly cast?: Node<typeof aten.ToCopy> | undefined;
  readonly sub?: Node<typeof aten.SubTensor> | undefined;
  readonly less?: Node<typeof aten.SubScalar> | undefined;
}

/** What is subtracted: integers before they are cast, floats that are whole, or one number. */
export function zeroOf({ z, s, sub, less }: Difference): Value | number | undefined | Refusal {
  for (const node of [sub, less])
    if (node !== undefined && scalarNumber(node.attrs.alpha) !== 1) return refuse(`alpha is ${scalarNumber(node.attrs.alpha)}, expected 1`);
  if (less !== undefined)
    return Number.isInteger(scalarNumber(less.attrs.other)) ? scalarNumber(less.attrs.other) : refuse('the zero point is not whole');
  if (z === undefined) return undefined;
  const source = z.producer?.op === aten.ToCopy && !isFloat(z.producer.operands[0]!.type.dtype) ? z.producer.operands[0]! : z;
  const { shape } = source.type;
  if (shape.length !== s.type.shape.length || shape.some((d, i) => d !== s.type.shape[i]))
    return refuse(`the zero points have shape ${shapeText(shape)}, the scales ${shapeText(s.type.shape)}`);
  if (!isFloat(source.type.dtype)) return source;
  const whole = source.constant?.resolved === true && tensorFrom(source.constant).data.every((x) => Number.isInteger(x));
  return whole ? source : refuse('the zero points are floats that are not known to be whole');
}

/** Largest integers that dtypes hold exactly with all below them. */
const exactUpTo: Partial<Record<DType, number>> = { bf16: 2 ** 8, f16: 2 ** 11, f32: 2 ** 24 };

/** Whether the difference is exact in the dtype that it is taken in. */
export function subtractsExactly({ q, s, sub, less }: Difference, [low, high]: Range, zero: Value | number | undefined): Verdict {
  const node = sub ?? less;
  if (node === undefined) return yes;
  const [least, most] = typeof zero === 'number' ? [zero, zero] : rangeOf(zero!);
  const { dtype } = node.result.type;
  const largest = Math.max(Math.abs(low), Math.abs(high), Math.abs(least), Math.abs(most), high - least, most - low);
  if (isFloat(dtype) ? dtype === s.type.dtype && largest <= exactUpTo[dtype]! : holds(dtype, low - most, high - least)) return yes;
  return no(`zero points are subtracted from ${q.type.dtype} in ${dtype}, where the difference may not be exact`);
}

const holds = (dtype: DType, low: number, high: number): boolean => {
  const bits: Partial<Record<DType, Range>> = { i8: [-128, 127], i16: [-32768, 32767], i32: [-(2 ** 31), 2 ** 31 - 1] };
  const range = bits[dtype];
  return range !== undefined && range[0] <= low && high <= range[1];
};
