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
 * order); `relative` that part of the largest result. Integers are exact: those that a rule may move by a step at a tie are taken
 * from the other side before (see {@link replay} of `@qfuse/interp`).
 * @param magnitude - how large what the result was computed from is, when that is larger: a sum may have cancelled
 */
export function toleranceOf(numerics: Numerics, expected: HostTensor, magnitude = 0): Tolerance {
  if (numerics === 'exact' || !isFloat(expected.dtype)) return { atol: 0, rtol: 0 };
  const factor =
    numerics === 'reassociates' ? 2 ** 12 * unitRoundoff(expected.dtype) : Math.max(numerics.relative, unitRoundoff(expected.dtype) * 2);
  return { atol: factor * Math.max(largest(expected), magnitude), rtol: 0 };
}
