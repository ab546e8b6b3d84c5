import { attr, type Dim, dimFloorDiv, type ShapeEnv, type TensorType } from '@qfuse/ir';
import { broadcastStrides, type Fail, shapeText, stridesOf, wrapAxis } from '../shapes.js';

/**
 * Which elements share one scale and zero point:
 * `tensor` all of them; `axis` those of one index of `axis`; `row` those of one row along the last axis;
 * `group` runs of `group_size` along `axis`; `block` boxes of `block_size`.
 */
export const granularities = ['tensor', 'axis', 'row', 'group', 'block'] as const;

/** One of {@link granularities}. */
export type Granularity = (typeof granularities)[number];

/** Attributes that `quant.quantize`, `quant.dequantize` and `quant.choose_qparams` share. */
export const granularityAttrs = {
  granularity: attr.oneOf(...granularities),
  /** For `axis` and `group`. */
  axis: attr.optional(attr.int()),
  /** For `group`. */
  group_size: attr.optional(attr.int({ min: 1 })),
  /** For `block`: one size an axis. */
  block_size: attr.optional(attr.dims()),
} as const;

/** Values of {@link granularityAttrs}. */
export interface GranularityAttrs {
  readonly granularity: Granularity;
  readonly axis: number | undefined;
  readonly group_size: number | undefined;
  readonly block_size: readonly Dim[] | undefined;
}

/** Shape that scales and zero points have for a tensor of `shape`; `tensor` also allows `[1]`. */
export function qparamsShape(shape: readonly Dim[], g: GranularityAttrs, env: ShapeEnv, fail: Fail): readonly Dim[] {
  switch (g.granularity) {
    case 'tensor':
      return [];
    case 'row':
      if (shape.length === 0) return fail('granularity "row" needs a tensor with at least one axis');
      return [...shape.slice(0, -1), 1];
    case 'axis':
      return [shape[axisOf(shape, g, fail)]!];
    case 'group': {
      const axis = axisOf(shape, g, fail);
      if (g.group_size === undefined) return fail('granularity "group" needs group_size');
      return divided(
        shape,
        shape.map((_, i) => (i === axis ? g.group_size! : 1)),
        env,
        fail,
      );
    }
    case 'block':
      if (g.block_size?.length !== shape.length)
        return fail(`block_size ${shapeText(g.block_size ?? [])} does not fit shape ${shapeText(shape)}`);
      return divided(shape, g.block_size, env, fail);
  }
}

function axisOf(shape: readonly Dim[], g: GranularityAttrs, fail: Fail): number {
  if (g.axis === undefined) return fail(`granularity "${g.granularity}" needs axis`);
  if (shape.length === 0) return fail(`granularity "${g.granularity}" needs a tensor with at least one axis`);
  return wrapAxis(g.axis, shape.length, fail);
}

function divided(shape: readonly Dim[], block: readonly Dim[], env: ShapeEnv, fail: Fail): readonly Dim[] {
  return shape.map((d, i) => {
    const b = block[i]!;
    if (b === 1 || d === b) return b === 1 ? d : 1;
    if (typeof b !== 'number')
      return fail(`block size ${shapeText([b])} of axis ${i} is neither a number nor the whole axis ${shapeText([d])}`);
    if (env.divides(b, d) === 'no') return fail(`${b} does not divide axis ${i} of shape ${shapeText(shape)}`);
    return dimFloorDiv(d, b);
  });
}

/** Refuses scales or zero points whose shape does not fit. */
export function checkQparams(name: string, type: TensorType, shape: readonly Dim[], g: GranularityAttrs, env: ShapeEnv, fail: Fail): void {
  const wanted = qparamsShape(shape, g, env, fail);
  const flat = g.granularity === 'tensor' && type.shape.length === 1 && type.shape[0] === 1;
  // a row's parameters may come without the trailing 1
  const bare = g.granularity === 'row' && type.shape.length === wanted.length - 1 ? [...type.shape, 1] : type.shape;
  const fits = flat || (bare.length === wanted.length && bare.every((d, i) => env.equal(d, wanted[i]!) !== 'no'));
  if (!fits)
    fail(
      `${name} has shape ${shapeText(type.shape)}, expected ${shapeText(wanted)} for granularity "${g.granularity}" of shape ${shapeText(shape)}`,
    );
}

/**
 * For a static shape: the index of the scale of each element, as a function of the row-major element offset. Refuses
 * blocks that do not divide the shape, which the shape rule cannot know of symbolic dims.
 */
export function qparamsIndex(shape: readonly number[], g: GranularityAttrs, fail: Fail): (offset: number) => number {
  const strides = stridesOf(shape);
  const along = (axis: number): ((o: number) => number) => {
    const stride = strides[axis]!;
    const size = shape[axis]!;
    return (o) => Math.floor(o / stride) % size;
  };
  switch (g.granularity) {
    case 'tensor':
      return () => 0;
    case 'row': {
      const row = shape.at(-1)!;
      return (o) => Math.floor(o / row);
    }
    case 'axis':
      return along(g.axis! < 0 ? g.axis! + shape.length : g.axis!);
    default: {
      const axis = g.axis === undefined ? -1 : g.axis < 0 ? g.axis + shape.length : g.axis;
      const block = g.granularity === 'group' ? shape.map((_, i) => (i === axis ? g.group_size! : 1)) : (g.block_size as readonly number[]);
      if (shape.some((d, i) => d % block[i]! !== 0)) return fail(`blocks of ${shapeText(block)} do not divide shape ${shapeText(shape)}`);
      const counts = shape.map((d, i) => d / block[i]!);
      const step = broadcastStrides(counts, counts).map((s, i) => (counts[i] === 1 ? 0 : s));
      const at = shape.map((_, i) => along(i));
      return (o) => at.reduce((sum, index, i) => sum + Math.floor(index(o) / block[i]!) * step[i]!, 0);
    }
  }
}
