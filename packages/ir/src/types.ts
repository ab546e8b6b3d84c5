import { type Dim, dimProduct, dimText } from './dims.js';
import type { DType } from './dtype.js';
import { Interner } from './intern.js';

/** Element type and shape of a value. Interned: equal types are one object. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

const interner = new Interner<TensorType>();

/** The type with `dtype` and `shape`. */
export function tensorType(dtype: DType, shape: readonly Dim[]): TensorType {
  let key: string = dtype;
  for (const d of shape) key += typeof d === 'number' ? `,${d}` : `,${d.key}`;
  return interner.get(key, () => Object.freeze({ dtype, shape: Object.freeze([...shape]) }));
}

/** Text of a type, e.g. `f32[s0, 64]`; a 0-d tensor is `f32[]`. */
export const typeText = (type: TensorType): string => `${type.dtype}[${type.shape.map(dimText).join(', ')}]`;

/** Number of elements. */
export const numel = (type: TensorType): Dim => dimProduct(type.shape);

/** Whether every dim of `shape` is a number. */
export const isStatic = (shape: readonly Dim[]): shape is readonly number[] => shape.every((d) => typeof d === 'number');
