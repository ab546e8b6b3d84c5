import { type DType, dtypeInfo, newElements, storer } from '@qfuse/ir';

/** A function that rounds a number as arithmetic in a float dtype does: 16-bit floats are computed in f32 first. */
export function arithmeticRounder(dtype: DType): (x: number) => number {
  if (dtype === 'f64') return (x) => x;
  if (dtype === 'f32') return Math.fround;
  const cell = newElements(dtype, 1);
  const store = storer(dtype);
  return (x) => {
    store(cell, 0, dtypeInfo(dtype).bits === 16 ? Math.fround(x) : x);
    return cell[0] as number;
  };
}
