import { type Dim, dimProduct, dimText, type HostTensor, type ShapeEnv, tensorOf, type TensorType } from '@qfuse/ir';
import { broadcastShapes, broadcastStrides, type Fail, forEachOffset, shapeText, stridesOf } from '../../shapes.js';
import { type AxisOffsets, axesOf } from './pick.js';

/** Whether an index is a mask: it stands for the positions of its true elements, one list for each of its axes. */
const isMask = (t: TensorType | HostTensor): boolean => t.dtype === 'bool' || t.dtype === 'u8';

/** What the indices of an advanced indexing are about: which axes they index and where the result keeps them. */
export interface IndexPlan {
  /** Axes of `self` that an index covers, in order. */
  readonly indexed: readonly number[];
  /** Shape of the result; undefined when masks make it depend on data. */
  readonly shape: readonly Dim[] | undefined;
}

/** Where the result has the axes of the broadcast indices: in the place of the first when they are neighbours, else in front. */
const placeOf = (indexed: readonly number[]): number => (indexed.every((axis, i) => axis === indexed[0]! + i) ? (indexed[0] ?? 0) : 0);

/**
 * Checks the indices of an advanced indexing: integers, masks, or undefined for a whole axis.
 * @throws through `fail` when an index is of another dtype, there are too many, masks do not fit, or shapes do not broadcast
 */
export function planIndex(self: TensorType, indices: readonly (TensorType | undefined)[], env: ShapeEnv, fail: Fail): IndexPlan {
  if (!indices.some((t) => t !== undefined)) fail('indices names no index, expected at least one');
  const indexed: number[] = [];
  let axis = 0;
  for (const index of indices) {
    if (index !== undefined && !isMask(index) && index.dtype !== 'i64' && index.dtype !== 'i32')
      fail(`an index is ${index.dtype}, expected i64, i32, or bool for a mask`);
    const covered = index === undefined || !isMask(index) ? 1 : index.shape.length;
    if (index !== undefined && isMask(index)) checkMask(self.shape.slice(axis, axis + covered), index.shape, env, fail);
    for (let i = 0; i < covered; i++, axis++) if (index !== undefined) indexed.push(axis);
  }
  if (axis > self.shape.length) fail(`indices cover ${axis} axes, but self has shape ${shapeText(self.shape)}`);
  const given = indices.filter((t) => t !== undefined);
  if (given.some(isMask)) return { indexed, shape: undefined };
  const common = broadcastShapes(
    env,
    given.map((t) => t.shape),
    fail,
  );
  if (indexed.some((i) => self.shape[i] === 0) && dimProduct(common) !== 0)
    fail(`an axis of size 0 is indexed: self has shape ${shapeText(self.shape)}`);
  const rest = self.shape.filter((_, i) => !indexed.includes(i));
  return { indexed, shape: rest.toSpliced(placeOf(indexed), 0, ...common) };
}

function checkMask(covered: readonly Dim[], mask: readonly Dim[], env: ShapeEnv, fail: Fail): void {
  const fits = covered.length === mask.length && mask.every((d, i) => env.equal(d, covered[i]!) !== 'no');
  if (mask.length === 0 || !fits)
    fail(`a mask has shape ${shapeText(mask)}, expected the sizes ${shapeText(covered)} of the axes that it covers`);
}

/** Positions of the true elements of a mask, a list for each axis. */
function positionsOf(mask: HostTensor): readonly HostTensor[] {
  const found: number[] = [];
  mask.data.forEach((v: number | bigint, i: number) => {
    if (Number(v) !== 0) found.push(i);
  });
  return stridesOf(mask.shape).map((stride, axis) =>
    tensorOf(
      'i64',
      [found.length],
      found.map((i) => Math.floor(i / stride) % mask.shape[axis]!),
    ),
  );
}

/** How an advanced indexing reads `self`: offsets for {@link AxisOffsets | pick} and the result's shape. */
export interface IndexReading {
  readonly shape: readonly number[];
  readonly axes: readonly AxisOffsets[];
}

/** @throws through `fail` when an index is out of range or the indices, after masks are resolved, do not broadcast */
export function readIndex(self: HostTensor, indices: readonly (HostTensor | undefined)[], env: ShapeEnv, fail: Fail): IndexReading {
  const lists = indices.flatMap((t): readonly (HostTensor | undefined)[] => (t !== undefined && isMask(t) ? positionsOf(t) : [t]));
  const indexed = [...lists.keys()].filter((axis) => lists[axis] !== undefined);
  const common = broadcastShapes(
    env,
    indexed.map((axis) => lists[axis]!.shape),
    fail,
  ) as readonly number[];
  const strides = stridesOf(self.shape);
  const offsets = new Array<number>(dimProduct(common) as number).fill(0);
  for (const axis of indexed) {
    const { shape, data } = lists[axis]!;
    const size = self.shape[axis]!;
    forEachOffset(common, [broadcastStrides(shape, common)], (position, [at]) => {
      const given = Number(data[at!]);
      if (given < -size || given >= size) fail(`index ${given} is out of range for axis ${axis}, which has size ${dimText(size)}`);
      offsets[position]! += (given < 0 ? given + size : given) * strides[axis]!;
    });
  }
  const keeps = (axis: number): boolean => !indexed.includes(axis);
  const rest = self.shape.filter((_, axis) => keeps(axis));
  const place = placeOf(indexed);
  return {
    shape: rest.toSpliced(place, 0, ...common),
    axes: axesOf(self.shape)
      .filter((_, axis) => keeps(axis))
      .toSpliced(place, 0, offsets),
  };
}
