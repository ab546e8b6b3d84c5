import { type Dim, dimAdd, dimCeilDiv, dimFloorDiv, dimMin, dimMul, dimSub, type ShapeEnv } from '@qfuse/ir';
import { type Fail, shapeText } from '../../shapes.js';

/** A list attribute over `count` spatial axes; a list of one stands for all of them, as in `kernel_size=3`. */
function perAxis(name: string, given: readonly number[], count: number, fail: Fail): readonly number[] {
  if (given.length === count) return given;
  if (given.length === 1) return new Array<number>(count).fill(given[0]!);
  return fail(`${name} is [${given.join(', ')}], expected 1 or ${count} numbers`);
}

/** As {@link perAxis}, with each number at least `least`. */
export function perAxisFrom(least: number, name: string, given: readonly number[], count: number, fail: Fail): readonly number[] {
  const out = perAxis(name, given, count, fail);
  return out.some((n) => n < least) ? fail(`${name} is [${given.join(', ')}], expected numbers of at least ${least}`) : out;
}

/** The geometry of a window that slides over one axis. */
export interface Window {
  readonly kernel: number | Dim;
  readonly stride: number;
  readonly dilation: number;
  /** Positions added before and after the axis. */
  readonly before: number;
  readonly after: number;
}

/** Positions that a window spans: `dilation · (kernel - 1) + 1`. */
export const spanOf = (w: Window): Dim => dimAdd(dimMul(dimSub(w.kernel, 1), w.dilation), 1);

/**
 * How many places a window has on an axis of `size`: `floor((size + padding - span) / stride) + 1`.
 * With `ceil` a last window may overhang the end, unless it would start in the padding after the axis.
 */
export function placesOf(size: Dim, w: Window, ceil: boolean, env: ShapeEnv, fail: Fail): Dim {
  const room = dimSub(dimAdd(size, w.before + w.after), spanOf(w));
  if (!ceil) {
    if (env.lessEqual(0, room) === 'no')
      fail(
        `a window that spans ${shapeText([spanOf(w)])} does not fit an axis of size ${shapeText([size])} with padding ${w.before} and ${w.after}`,
      );
    return env.simplify(dimAdd(dimFloorDiv(room, w.stride), 1));
  }
  const all = dimAdd(dimCeilDiv(room, w.stride), 1);
  // The last window has to start before `size + before`.
  const starting = dimCeilDiv(dimAdd(size, w.before), w.stride);
  const places = env.simplify(dimMin(all, starting));
  if (env.lessEqual(1, places) === 'no')
    fail(
      `a window that spans ${shapeText([spanOf(w)])} does not fit an axis of size ${shapeText([size])} with padding ${w.before} and ${w.after}`,
    );
  return places;
}

/** The taps of one window place that lie on the axis: offsets on the axis and in the kernel. */
export interface Taps {
  readonly at: readonly number[];
  readonly tap: readonly number[];
  /** How many undilated positions lie on the axis or in its padding. */
  readonly padded: number;
}

/** The taps of each of `places` windows on an axis of `size`. */
export function tapsOf(size: number, places: number, w: Window): readonly Taps[] {
  return Array.from({ length: places }, (_, place) => {
    const at: number[] = [];
    const tap: number[] = [];
    for (let k = 0; k < (w.kernel as number); k++) {
      const position = place * w.stride - w.before + k * w.dilation;
      if (position < 0 || position >= size) continue;
      at.push(position);
      tap.push(k);
    }
    const start = place * w.stride - w.before;
    return { at, tap, padded: Math.min(start + (w.kernel as number), size + w.after) - start };
  });
}

/**
 * Calls `visit` for each place of a box of windows in row-major order, with the offsets of the box's taps within one
 * plane of `sizes` and within a kernel of `kernels`, and how many positions lie in the plane or its padding.
 */
export function forEachBox(
  axes: readonly (readonly Taps[])[],
  sizes: readonly number[],
  kernels: readonly number[],
  visit: (place: number, at: readonly number[], tap: readonly number[], padded: number) => void,
): void {
  let place = 0;
  const go = (axis: number, at: readonly number[], tap: readonly number[], padded: number): void => {
    if (axis === axes.length) return visit(place++, at, tap, padded);
    for (const taps of axes[axis]!) {
      const nextAt: number[] = [];
      const nextTap: number[] = [];
      for (let i = 0; i < at.length; i++)
        for (let k = 0; k < taps.at.length; k++) {
          nextAt.push(at[i]! * sizes[axis]! + taps.at[k]!);
          nextTap.push(tap[i]! * kernels[axis]! + taps.tap[k]!);
        }
      go(axis + 1, nextAt, nextTap, padded * taps.padded);
    }
  };
  go(0, [0], [0], 1);
}
