import { type DType, fromBFloatBits, fromHalfBits, roundTiesToEven, toBFloatBits, toHalfBits } from '@qfuse/ir';
import { cubicWeights } from './resample.js';

/** ATen's numbers for how values between elements are found: bilinear, nearest, bicubic. */
export const interpolations = ['linear', 'nearest', 'cubic'] as const;

/** ATen's numbers for positions outside: zeros, the nearest end, mirrored at the ends. */
export const paddings = ['zeros', 'border', 'reflection'] as const;

/** Rounding of coordinates: torch computes them in the dtype of the grid. */
export function coordinateRounding(dtype: DType): (x: number) => number {
  if (dtype === 'f16') return (x) => fromHalfBits(toHalfBits(x));
  if (dtype === 'bf16') return (x) => fromBFloatBits(toBFloatBits(x));
  return dtype === 'f64' ? (x) => x : Math.fround;
}

/** How positions along one axis of `size` are read. */
export interface Axis {
  readonly size: number;
  readonly interpolation: (typeof interpolations)[number];
  readonly padding: (typeof paddings)[number];
  readonly alignCorners: boolean;
  /** Where a position that is not a number ends when it is brought inside: torch's 2-D kernel takes the start, its 3-D one the end. */
  readonly nanToStart: boolean;
  readonly round: (x: number) => number;
}

/** Elements and weights of one position; an element outside is -1. */
export interface Reading {
  readonly at: readonly number[];
  readonly weight: readonly number[];
}

function inside(x: number, axis: Axis): number {
  if (Number.isNaN(x)) return axis.nanToStart ? 0 : axis.size - 1;
  return Math.min(Math.max(x, 0), axis.size - 1);
}

function mirrored(x: number, { size, alignCorners, round }: Axis): number {
  const low = alignCorners ? 0 : -0.5;
  const span = alignCorners ? size - 1 : size;
  if (span === 0) return 0;
  const from = Math.abs(round(x - low));
  const flips = Math.floor(round(from / span));
  const rest = round(from - flips * span);
  return round((flips % 2 === 0 ? rest : span - rest) + low);
}

function padded(x: number, axis: Axis): number {
  if (axis.padding === 'zeros') return x;
  return inside(axis.padding === 'border' ? x : mirrored(x, axis), axis);
}

/** What is read at grid coordinate `g`, where -1 and 1 are the ends: of the corner elements' centers with `alignCorners`, else of their outer edges. */
export function readAt(g: number, axis: Axis): Reading {
  const { size, round } = axis;
  const shifted = round(g + 1);
  const raw = axis.alignCorners ? round((shifted / 2) * (size - 1)) : round(round((shifted * size) / 2) - 0.5);
  const bound = (i: number): number => (i >= 0 && i < size ? i : -1);
  if (axis.interpolation === 'cubic') {
    const from = Math.floor(raw);
    // The four elements are brought inside one by one.
    return { at: [-1, 0, 1, 2].map((k) => bound(padded(from + k, axis))), weight: cubicWeights(round(raw - from)) };
  }
  const x = padded(raw, axis);
  if (axis.interpolation === 'nearest') return { at: [bound(roundTiesToEven(x))], weight: [1] };
  const from = Math.floor(x);
  const t = round(x - from);
  return { at: [bound(from), bound(from + 1)], weight: [1 - t, t] };
}
