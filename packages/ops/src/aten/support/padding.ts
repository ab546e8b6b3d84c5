import { type Dim, dimAdd, type HostTensor, type ShapeEnv, type TensorType, tensorType } from '@qfuse/ir';
import { type Fail, shapeText } from '../../shapes.js';
import { axesOf, OUTSIDE, pick } from './pick.js';

/** What stands around a padded tensor. */
export type PadMode = 'constant' | 'reflect' | 'replicate' | 'circular';

/** Positions added (or with negative numbers removed) before and after each axis, from `pad`, which starts with the last axis. */
const sidesOf = <D extends Dim>(pad: readonly D[], rank: number): readonly (readonly [D | 0, D | 0])[] =>
  Array.from({ length: rank }, (_, axis) => {
    const at = 2 * (rank - 1 - axis);
    return [pad[at] ?? 0, pad[at + 1] ?? 0] as const;
  });

/** Refuses pads that a mode does not define. */
function checkMode(self: TensorType, pad: readonly Dim[], mode: PadMode, env: ShapeEnv, fail: Fail): void {
  const { shape } = self;
  const axes = pad.length / 2;
  if (!Number.isInteger(axes) || axes > shape.length)
    fail(`pad is ${shapeText(pad)}, expected two numbers for each of at most ${shape.length} axes`);
  if (mode !== 'constant') checkAround(self, pad, axes, mode, env, fail);
  sidesOf(pad, shape.length).forEach(([before, after], axis) => {
    // Negative pads are removed first; a circle goes around what they leave.
    const left = [before, after].reduce((size: Dim, side) => (env.lessEqual(side, 0) === 'yes' ? dimAdd(size, side) : size), shape[axis]!);
    if (mode === 'constant' && env.lessEqual(0, left) === 'no')
      fail(`pad is ${shapeText(pad)}, which removes more of axis ${axis} than ${shapeText(shape)} has`);
    const most = mode === 'reflect' ? dimAdd(shape[axis]!, -1) : left;
    const wraps = mode === 'reflect' || mode === 'circular';
    if (wraps && (before !== 0 || after !== 0) && (env.lessEqual(before, most) === 'no' || env.lessEqual(after, most) === 'no'))
      fail(`pad is ${shapeText(pad)}: mode "${mode}" adds at most ${shapeText([most])} positions to axis ${axis} of ${shapeText(shape)}`);
  });
}

/** Refuses operands that the modes other than `constant` do not pad. */
function checkAround({ shape, dtype }: TensorType, pad: readonly Dim[], axes: number, mode: PadMode, env: ShapeEnv, fail: Fail): void {
  if (axes < 1 || axes > 3 || shape.length < axes + 1 || shape.length > axes + 2)
    fail(`pad is ${shapeText(pad)} and self has rank ${shape.length}; mode "${mode}" pads 1 to 3 last axes behind one or two others`);
  if (dtype === 'bool' && mode !== 'circular') fail(`self is bool, which mode "${mode}" does not pad`);
  const fixed = shape.slice(shape.length === axes + 2 ? 1 : 0);
  if (mode !== 'circular' && fixed.some((d) => env.equal(d, 0) === 'yes'))
    fail(`self has shape ${shapeText(shape)}, expected only the batch axis to be empty`);
}

/** The type of `self` padded by `pad`. @throws through `fail` when the mode does not define it or nothing would be left */
export function paddedType(self: TensorType, pad: readonly Dim[], mode: PadMode, env: ShapeEnv, fail: Fail): TensorType {
  checkMode(self, pad, mode, env, fail);
  const least = mode === 'reflect' || mode === 'replicate' ? 1 : 0;
  const shape = sidesOf(pad, self.shape.length).map(([before, after], axis) => {
    const size = env.simplify(dimAdd(dimAdd(self.shape[axis]!, before), after));
    const touched = before !== 0 || after !== 0;
    return touched && env.lessEqual(least, size) === 'no'
      ? fail(`pad is ${shapeText(pad)}: axis ${axis} of ${shapeText(self.shape)} would have size ${shapeText([size])}`)
      : size;
  });
  return tensorType(self.dtype, shape);
}

const wrap = (i: number, n: number): number => ((i % n) + n) % n;

/** The position of an axis of size `n` that stands at `i`, which may lie before 0 or behind the end. */
function sourceOf(i: number, n: number, before: number, after: number, mode: PadMode): number {
  if (mode === 'circular') {
    const [first, size] = [Math.max(0, -before), n + Math.min(0, before) + Math.min(0, after)];
    return first + wrap(i - first, size);
  }
  if (i >= 0 && i < n) return i;
  if (mode === 'constant') return OUTSIDE;
  if (mode === 'replicate') return i < 0 ? 0 : n - 1;
  return i < 0 ? -i : 2 * (n - 1) - i;
}

/** `self` padded by `pad`. */
export function padded(
  self: HostTensor,
  pad: readonly number[],
  mode: PadMode,
  shape: readonly number[],
  fill: number | bigint,
): HostTensor {
  const sides = sidesOf(pad, self.shape.length);
  const axes = axesOf(self.shape).map((offsets, axis) => {
    const [before, after] = sides[axis]!;
    return Array.from({ length: shape[axis]! }, (_, k) => {
      const from = sourceOf(k - before, self.shape[axis]!, before, after, mode);
      return from === OUTSIDE ? OUTSIDE : offsets[from]!;
    });
  });
  return pick(self, shape, axes, { fill });
}
