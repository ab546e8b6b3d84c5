import { type HostTensor, isFloat } from '@qfuse/ir';
import type { Numerics } from '@qfuse/rewrite';
import type { Tolerance } from './compare.js';

/** Unit roundoff of a float dtype: half the distance from 1 to the next number. */
const unitRoundoff = (dtype: HostTensor['dtype']): number =>
  ({ f64: 2 ** -53, f32: 2 ** -24, f16: 2 ** -11, bf16: 2 ** -8 })[dtype as 'f32'] ?? 0;

const largest = (t: HostTensor): number => {
  let size = 0;
  for (const x of t.data) if (Number.isFinite(Number(x))) size = Math.max(size, Math.abs(Number(x)));
  return size;
};

/**
 * The tolerance that a rule's numerics state, for a result whose expected value is `expected`:
 * `exact` none; `reassociates` 2^12 roundings of the largest result (sums of up to about 2^12 terms in another
 * order); `relative` that part of the largest result, and `steps` for integers.
 */
export function toleranceOf(numerics: Numerics, expected: HostTensor): Tolerance {
  if (!isFloat(expected.dtype) && expected.dtype !== 'bool' && typeof numerics === 'object')
    return { atol: 0, rtol: 0, steps: numerics.steps };
  if (numerics === 'exact' || !isFloat(expected.dtype)) return { atol: 0, rtol: 0 };
  const factor =
    numerics === 'reassociates' ? 2 ** 12 * unitRoundoff(expected.dtype) : Math.max(numerics.relative, unitRoundoff(expected.dtype) * 2);
  return { atol: factor * largest(expected), rtol: 0 };
}
