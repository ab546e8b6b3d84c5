import { hostTensor, type HostTensor, QfuseError, roundTiesToEven } from '@qfuse/plugin';
import type { Grid, QParams } from '../observer.js';

/** The default of the smallest scale: the distance from 1 to the next f32. torch: `torch.finfo(torch.float32).eps`. */
export const EPSILON = 2 ** -23;

const { fround } = Math;

/**
 * Scales and zero points from the smallest and largest elements that share one. Every step is rounded to f32, so that the results
 * equal torch's `UniformQuantizationObserverBase._calculate_qparams` bit for bit:
 *
 * - `low = min(min, 0)`, `high = max(max, 0)`;
 * - affine: `scale = max((high - low) / (qmax - qmin), eps)`, `zero_point = clamp(qmin - round(low / scale), qmin, qmax)`, where
 *   the difference wraps around in i32 and the cast of what i32 does not hold gives -2^31, as on x86;
 * - symmetric: `scale = max(max(-low, high) / ((qmax - qmin) / 2), eps)`; the zero point is `floor((qmin + qmax) / 2)` for u8
 *   (128 when the range is the dtype's own), 2^15 for u16 and 0 otherwise.
 *
 * An infinite minimum or maximum gives an infinite scale, as in torch.
 * @param min - f32, in the shape that the scales shall have
 * @param max - f32, of the same shape
 * @param eps - the smallest scale
 * @throws QfuseError `quantizer/nan` where a minimum or maximum is NaN or they are in the wrong order
 */
export function qparamsOf(min: HostTensor, max: HostTensor, grid: Grid, eps: number = EPSILON): QParams {
  const { qmin, qmax } = grid;
  const [scale, zeroPoint] = [hostTensor('f32', min.shape), hostTensor('i32', min.shape)];
  const levels = fround(grid.mapping === 'symmetric' ? (qmax - qmin) / 2 : qmax - qmin);
  const middle = middleOf(grid);
  for (let i = 0; i < scale.data.length; i++) {
    const [first, last] = [min.data[i] as number, max.data[i] as number];
    checkOrder(first, last);
    const [low, high] = [Math.min(first, 0), Math.max(last, 0)];
    const width = grid.mapping === 'symmetric' ? Math.max(-low, high) : fround(high - low);
    const s = Math.max(fround(width / levels), fround(eps));
    scale.data[i] = s;
    zeroPoint.data[i] = grid.mapping === 'symmetric' ? middle : affineZero(fround(low / s), qmin, qmax);
  }
  return { scale, zeroPoint };
}

/** @throws QfuseError `quantizer/nan` unless `min <= max` */
export function checkOrder(min: number, max: number): void {
  if (min <= max) return;
  throw new QfuseError('quantizer/nan', `the observed range is [${min}, ${max}], expected numbers in order`, {
    help: 'Calibration met NaN: look for the first node whose result has one.',
  });
}

function middleOf({ dtype, qmin, qmax, customRange = true }: Grid): number {
  if (dtype === 'u8') return customRange ? Math.floor((qmin + qmax) / 2) : 128;
  return dtype === 'u16' ? 2 ** 15 : 0;
}

function affineZero(quotient: number, qmin: number, qmax: number): number {
  const rounded = roundTiesToEven(quotient);
  const fits = rounded >= -(2 ** 31) && rounded < 2 ** 31;
  return Math.min(Math.max((qmin - (fits ? rounded : -(2 ** 31))) | 0, qmin), qmax);
}
