import { type Dim, dimText, type ShapeEnv } from '@qfuse/ir';

/** Refuses operands with a reason; never returns. */
export type Fail = (why: string) => never;

/** Text of a shape for messages. */
export const shapeText = (shape: readonly Dim[]): string => `[${shape.map(dimText).join(', ')}]`;

/**
 * The shape that `shapes` broadcast to. Of two symbolic dims that may be equal the first is taken, as torch does
 * once it has specialised on "neither is 1"; dims that provably differ are refused.
 */
export function broadcastShapes(env: ShapeEnv, shapes: readonly (readonly Dim[])[], fail: Fail): readonly Dim[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  const out: Dim[] = [];
  for (let axis = 0; axis < rank; axis++) {
    let dim: Dim = 1;
    for (const s of shapes) {
      const at = axis - (rank - s.length);
      if (at < 0 || s[at] === 1) continue;
      const d = s[at]!;
      if (dim === 1) dim = d;
      else if (env.equal(dim, d) === 'no' && env.equal(d, 1) !== 'unknown' && env.equal(dim, 1) !== 'unknown')
        fail(`shapes ${shapes.map(shapeText).join(' and ')} do not broadcast`);
      else if (typeof dim !== 'number' && typeof d === 'number') dim = d;
    }
    out.push(dim);
  }
  return out;
}

/** A dim index brought into `[0, rank)`; a 0-d tensor has the axes -1 and 0. */
export function wrapAxis(axis: number, rank: number, fail: Fail): number {
  const size = Math.max(rank, 1);
  if (axis < -size || axis >= size) return fail(`dim ${axis} is out of range for rank ${rank}`);
  return axis < 0 ? axis + size : axis;
}

/** Axes brought into `[0, rank)`; none given means all. A repeated axis is refused. */
export function wrapAxes(axes: readonly number[] | undefined, rank: number, fail: Fail): readonly number[] {
  if (axes === undefined || axes.length === 0) return Array.from({ length: rank }, (_, i) => i);
  const out = axes.map((a) => wrapAxis(a, rank, fail));
  if (new Set(out).size < out.length) fail(`dims [${axes.join(', ')}] repeat one`);
  return rank === 0 ? [] : out;
}

/** Shape after a reduction over `axes`. */
export const reducedShape = (shape: readonly Dim[], axes: readonly number[], keepdim: boolean): readonly Dim[] =>
  keepdim ? shape.map((d, i) => (axes.includes(i) ? 1 : d)) : shape.filter((_, i) => !axes.includes(i));

/** Row-major strides of a static shape, in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const out = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) out[i] = out[i + 1]! * shape[i + 1]!;
  return out;
}

/** Strides with which `shape` is read as `target`: 0 on broadcast axes. */
export function broadcastStrides(shape: readonly number[], target: readonly number[]): number[] {
  const own = stridesOf(shape);
  const lead = target.length - shape.length;
  return target.map((_, i) => (i < lead || shape[i - lead] === 1 ? 0 : own[i - lead]!));
}

/** Calls `visit` for each index of `shape` in row-major order with the offsets that each list of strides gives. */
export function forEachOffset(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (position: number, offsets: readonly number[]) => void,
): void {
  const count = shape.reduce((a, b) => a * b, 1);
  const index = new Array<number>(shape.length).fill(0);
  const offsets = strides.map(() => 0);
  for (let position = 0; position < count; position++) {
    visit(position, offsets);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      for (let s = 0; s < strides.length; s++) offsets[s]! += strides[s]![axis]!;
      if (index[axis]! < shape[axis]!) break;
      for (let s = 0; s < strides.length; s++) offsets[s]! -= strides[s]![axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
}
