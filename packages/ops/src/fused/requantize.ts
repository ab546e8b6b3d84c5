import { type HostTensor, roundTiesToEven } from '@qfuse/ir';
import { arithmeticRounder } from '../quant/rounders.js';

/**
 * `clamp(round(y · (1 / scale)) + zero_point, qmin, qmax)`, ties to even, of a y in float64. The reciprocal is rounded to f32 (or to the
 * scale's own dtype first) as in `quant.quantize`; the product is not rounded.
 */
export function requantizer(
  scale: HostTensor,
  zeroPoint: HostTensor | undefined,
  { qmin, qmax }: { readonly qmin: number; readonly qmax: number },
): (y: number) => number {
  const inverse = Math.fround(arithmeticRounder(scale.dtype)(1 / Number(scale.data[0])));
  const zero = zeroPoint === undefined ? 0 : Number(zeroPoint.data[0]);
  return (y) => Math.min(Math.max(roundTiesToEven(y * inverse) + zero, qmin), qmax);
}
