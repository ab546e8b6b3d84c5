import { type Builder, type Dim, no, type ShapeEnv, type TensorType, type Value, type Verdict, yes } from '@qfuse/plugin';
import { aten } from '@qfuse/ops';

/** How scales of a shape that broadcasts to a tensor lie on it. */
export interface BroadcastGrid {
  readonly granularity: 'tensor' | 'row' | 'axis';
  readonly axis: number | undefined;
  /** The shape that `quant.*` wants of scales and zero points. */
  readonly shape: readonly Dim[];
}

/**
 * The granularity that scales of shape `scale` have for a tensor of shape `shape` by broadcasting; undefined for blocks, which no single
 * broadcast gives.
 */
export function broadcastGrid(shape: readonly Dim[], scale: readonly Dim[], env: ShapeEnv): BroadcastGrid | undefined {
  const equal = (a: Dim | undefined, b: Dim | undefined): boolean => a !== undefined && b !== undefined && env.equal(a, b) === 'yes';
  const last = shape.length - 1;
  if (scale.length === shape.length && last >= 0 && scale[last] === 1 && scale.slice(0, last).every((d, i) => equal(d, shape[i])))
    return { granularity: 'row', axis: undefined, shape: scale };
  const lead = shape.length - scale.length;
  if (lead < 0) return undefined;
  const own = scale.flatMap((d, i) => (d === 1 ? [] : [i + lead]));
  if (own.length === 0) return { granularity: 'tensor', axis: undefined, shape: [] };
  const [axis] = own as [number];
  return own.length === 1 && equal(scale[axis - lead], shape[axis]) ? { granularity: 'axis', axis, shape: [shape[axis]!] } : undefined;
}

/** Whether zero points have the shape of the scales, or one number for all. */
export const sameGrid = (zero: TensorType, scale: TensorType, env: ShapeEnv): Verdict =>
  zero.shape.length === scale.shape.length && zero.shape.every((d, i) => env.equal(d, scale.shape[i]!) === 'yes')
    ? yes
    : no(`the zero points have shape [${zero.shape.join(', ')}], the scales [${scale.shape.join(', ')}]`);

/** `value` in another shape with as many elements. */
export const inShape = (value: Value, shape: readonly Dim[], b: Builder): Value =>
  value.type.shape.length === shape.length && value.type.shape.every((d, i) => d === shape[i])
    ? value
    : b.create(aten.View, { self: value }, { size: shape }).result;
