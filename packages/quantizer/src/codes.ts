import { type Constant, constantOf, encodeElements, type HostTensor, hostTensor, QfuseError, tensorFrom, tensorType } from '@qfuse/plugin';
import type { Grid, QParams } from './observer.js';
import { eachRun, layoutOf } from './observers/extremes.js';
import { quantizeTensor } from './observers/index.js';

/**
 * The integers of a constant on a grid, computed when they are read.
 * @throws QfuseError `quantizer/quantize` when the parameters do not fit
 */
export function codesOf(constant: Constant, parameters: QParams, grid: Grid): Constant {
  const { granularity, dtype, qmin, qmax } = grid;
  const shape = constant.type.shape as readonly number[];
  const wanted = layoutOf(shape, granularity).shape;
  const keys = Object.entries({ scale: parameters.scale, zeroPoint: parameters.zeroPoint }).map(([name, tensor]) => {
    if (tensor.shape.join() !== wanted.join())
      throw new QfuseError('quantizer/quantize', `${name} has shape [${tensor.shape.join(', ')}], expected [${wanted.join(', ')}]`);
    return constantOf(tensor).key;
  });
  const format = `codes ${JSON.stringify([granularity, dtype, qmin, qmax])} ${keys.join(' ')}`;
  const quantize = (): Uint8Array => encodeElements(dtype, codesOfTensor(tensorFrom(constant), parameters, grid).data);
  return constant.derive(format, tensorType(dtype, shape), quantize);
}

const { fround } = Math;
/** Adding and subtracting it rounds f32 numbers to integers, ties to even. */
const ROUND = 1.5 * 2 ** 52;

/** As {@link quantizeTensor}; f32 numbers, which weights nearly always are, take a tenth of the time. */
export function codesOfTensor(tensor: HostTensor, parameters: QParams, grid: Grid): HostTensor {
  const { scale, zeroPoint } = parameters;
  if (tensor.dtype !== 'f32' || scale.dtype !== 'f32' || grid.dtype === 'i32') return quantizeTensor(tensor, parameters, grid);
  const out = hostTensor(grid.dtype, tensor.shape);
  const [x, codes] = [tensor.data as Float32Array, out.data as Int8Array];
  const { qmin, qmax } = grid;
  eachRun(layoutOf(tensor.shape, grid.granularity), (index, start, count) => {
    const inverse = fround(1 / (scale.data[index] as number));
    const zero = Number(zeroPoint.data[index]);
    for (let i = start; i < start + count; i++) {
      const q = fround(fround(x[i]! * inverse) + ROUND - ROUND + zero);
      codes[i] = q < qmin ? qmin : q > qmax ? qmax : q;
    }
  });
  return out;
}
