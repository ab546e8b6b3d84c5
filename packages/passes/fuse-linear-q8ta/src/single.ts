import { type Builder, tensorFrom, type Value } from '@qfuse/plugin';
import { singleConstant } from '@qfuse/ops';

/** A constant for the whole tensor as one number `[]`: its value, or another constant with that number in `dtype`. */
export function single(value: Value, dtype: 'f32' | 'i32', b: Builder): Value {
  const made = singleConstant(value.constant!, dtype);
  return made === value.constant ? value : b.constant(made, `${value.name}.${dtype}`);
}

/** The number of a constant of one element. */
export const numberOf = (value: Value): number => Number(tensorFrom(value.constant!).data[0]);

/** The scale as one f32, where that keeps its reciprocal: a 16-bit scale has one that is rounded to 16 bits. */
export const singleScale = (value: Value, b: Builder): Value =>
  Math.fround(numberOf(value)) === numberOf(value) && (value.type.dtype === 'f32' || value.type.dtype === 'f64')
    ? single(value, 'f32', b)
    : value;
