import { type Dim, type HostTensor, type ShapeEnv, type TensorType } from '@qfuse/ir';
import { type Fail, forEachOffset, shapeText, stridesOf, wrapAxis } from '../../shapes.js';

/** A shape in which a 0-d tensor is a vector of one element, as gather and scatter see it. */
export const atLeastVector = <D extends Dim>(shape: readonly D[]): readonly (D | 1)[] => (shape.length === 0 ? [1] : shape);

/** Refuses index tensors that are neither i64 nor i32. */
export function checkIndexType(index: TensorType, fail: Fail): void {
  if (index.dtype !== 'i64' && index.dtype !== 'i32') fail(`index is ${index.dtype}, expected i64 or i32`);
}

/** Whether a shape has no elements for certain; such an index may have any shape and dtype. */
export const isEmpty = (shape: readonly Dim[]): boolean => shape.includes(0);

/** Refuses an `index` that is larger than `other` along an axis other than `except`. */
export function checkWithin(
  index: TensorType,
  other: TensorType,
  name: string,
  except: number | undefined,
  env: ShapeEnv,
  fail: Fail,
): void {
  const [small, large] = [atLeastVector(index.shape), atLeastVector(other.shape)];
  const fits = small.length === large.length && small.every((d, i) => i === except || env.lessEqual(d, large[i]!) !== 'no');
  if (!fits)
    fail(
      `index has shape ${shapeText(index.shape)}, expected the rank of ${name} ${shapeText(other.shape)} and no larger dims${except === undefined ? '' : ` except along axis ${except}`}`,
    );
}

/** Position `at` of an axis of `size`; negative positions are out of range here. */
export function position(at: number | bigint, size: number, fail: Fail): number {
  const n = Number(at);
  return n >= 0 && n < size ? n : fail(`index ${n} is out of range for an axis of size ${size}`);
}

/**
 * Calls `visit` for each element of `index` with the offset in `self` that it means along `dim`, and with the
 * offset of the element of the same place in a tensor of shape `beside`.
 */
export function forEachIndexed(
  self: HostTensor,
  dim: number,
  index: HostTensor,
  beside: readonly number[],
  fail: Fail,
  visit: (position: number, inSelf: number, besides: number) => void,
): void {
  if (index.data.length === 0) return;
  const shape = atLeastVector(self.shape) as readonly number[];
  const axis = wrapAxis(dim, self.shape.length, fail);
  const strides = stridesOf(shape);
  const others = strides.with(axis, 0);
  const along = stridesOf(atLeastVector(beside) as readonly number[]);
  forEachOffset(atLeastVector(index.shape) as readonly number[], [others, along], (at, [rest, besides]) => {
    visit(at, rest! + position(index.data[at]!, shape[axis]!, fail) * strides[axis]!, besides!);
  });
}
