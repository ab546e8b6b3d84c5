import { type Dim, dimAdd, dimCeilDiv, dimMax, dimMin, dimSub, type ShapeEnv } from '@qfuse/ir';
import { type Fail, shapeText } from '../../shapes.js';

/** Bounds of a slice, none of which is out of range: `start:end:step` as in Python. */
export interface Bounds {
  readonly start?: Dim | undefined;
  readonly end?: Dim | undefined;
  readonly step: Dim;
}

/** A bound of a slice brought into `[0, size]`: negative ones count from the end. */
function bound(at: Dim, size: Dim, env: ShapeEnv): Dim {
  // Importers write a bound of 64 bits, "without end", as the largest number.
  if (at === Number.MAX_SAFE_INTEGER) return size;
  const from = env.lessEqual(at, -1) === 'yes' ? dimAdd(at, size) : at;
  return env.simplify(dimMin(dimMax(from, 0), size));
}

/** The number of elements that a slice of an axis of `size` has. */
export function sliceLength(size: Dim, { start, end, step }: Bounds, env: ShapeEnv, fail: Fail): Dim {
  if (env.lessEqual(1, step) === 'no') fail(`step is ${shapeText([step]).slice(1, -1)}, expected at least 1`);
  const span = env.simplify(dimSub(bound(end ?? size, size, env), bound(start ?? 0, size, env)));
  return env.simplify(dimMax(dimCeilDiv(span, step), 0));
}

/** The index at which a slice begins, in `[0, size]`. */
export function sliceStart(size: number, start: number | undefined): number {
  const from = start ?? 0;
  return Math.min(Math.max(from < 0 ? from + size : from, 0), size);
}

/** Refuses an index outside `[-size, size)`. */
export function checkIndex(index: Dim, size: Dim, axis: number, env: ShapeEnv, fail: Fail): void {
  if (env.lessEqual(dimAdd(index, 1), size) === 'no' || env.lessEqual(dimSub(0, size), index) === 'no')
    fail(`index ${shapeText([index]).slice(1, -1)} is out of range for axis ${axis}, which has size ${shapeText([size]).slice(1, -1)}`);
}
