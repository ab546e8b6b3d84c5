import { type HostTensor, isFloat } from '@qfuse/ir';

/** How far an output may be from what was expected: `|a - b| <= atol + rtol · |b|`, as numpy's allclose. */
export interface Tolerance {
  readonly atol: number;
  readonly rtol: number;
}

/** How one output compares with what was expected. */
export interface Comparison {
  readonly maxAbsError: number;
  /** Over the elements whose expected value is not 0. */
  readonly maxRelError: number;
  readonly withinTolerance: boolean;
  /** Row-major index of the worst element; -1 when all agree or shapes differ. */
  readonly worst: number;
  /** Why the two cannot be compared; empty when they can. */
  readonly problem: string;
}

/**
 * Compares two tensors: floats within the tolerance, NaN equal to NaN and equal infinities equal; integers and
 * bools exactly. Shapes must agree, dtypes in kind.
 */
export function compareTensors(actual: HostTensor, expected: HostTensor, tolerance: Tolerance): Comparison {
  const text = (t: HostTensor): string => `${t.dtype}[${t.shape.join(', ')}]`;
  const sameShape = actual.shape.length === expected.shape.length && actual.shape.every((d, i) => d === expected.shape[i]);
  if (!sameShape || isFloat(actual.dtype) !== isFloat(expected.dtype))
    return {
      maxAbsError: Infinity,
      maxRelError: Infinity,
      withinTolerance: false,
      worst: -1,
      problem: `the output is ${text(actual)}, expected ${text(expected)}`,
    };
  const exact = !isFloat(actual.dtype);
  let maxAbsError = 0;
  let maxRelError = 0;
  let withinTolerance = true;
  let worst = -1;
  for (let i = 0; i < actual.data.length; i++) {
    const a = actual.data[i]!;
    const b = expected.data[i]!;
    if (a === b || (Number.isNaN(a as number) && Number.isNaN(b as number))) continue;
    const difference = exact ? Number(abs(BigInt(a) - BigInt(b))) : Math.abs(Number(a) - Number(b));
    const size = Math.abs(Number(b));
    const error = Number.isNaN(difference) ? Infinity : difference;
    if (!(error <= maxAbsError) || worst < 0) {
      maxAbsError = Math.max(maxAbsError, error);
      worst = i;
    }
    if (size > 0) maxRelError = Math.max(maxRelError, error / size);
    const allowed = exact ? 0 : tolerance.atol + tolerance.rtol * size;
    if (!(Number.isFinite(size) && error <= allowed)) withinTolerance = false;
  }
  return { maxAbsError, maxRelError, withinTolerance, worst, problem: '' };
}

const abs = (x: bigint): bigint => (x < 0n ? -x : x);
