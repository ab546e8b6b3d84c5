import { type Builder, type Dim, type ShapeEnv, tensorType, type Value } from '@qfuse/plugin';
import { aten } from '@qfuse/ops';

/** Which elements share a scale, as the attributes of `quant.*` say it, and the shape that scales and zero points get. */
export interface Grid {
  readonly granularity: 'tensor' | 'axis' | 'row' | 'block' | 'group';
  readonly axis?: number;
  readonly group_size?: number;
  readonly block_size?: readonly Dim[];
  readonly shape: readonly Dim[];
}

/**
 * The grid of scales that broadcast to a tensor: along each axis one scale for all, or one for each.
 * One scale a row of a matrix is an axis for a weight, as for torchao's weights, and a row for anything else.
 * @returns undefined where an axis is neither
 */
export function gridOf(shape: readonly Dim[], given: readonly Dim[], weight: boolean, env: ShapeEnv): Grid | undefined {
  if (given.every((d) => d === 1)) return { granularity: 'tensor', shape: [] };
  if (given.length > shape.length) return undefined;
  const scale = [...new Array<Dim>(shape.length - given.length).fill(1), ...given];
  const own = scale.map((d, i) => d !== 1 && env.equal(d, shape[i]!) === 'yes');
  if (scale.some((d, i) => d !== 1 && !own[i])) return undefined;
  const last = shape.length - 1;
  const axes = own.flatMap((one, i) => (one ? [i] : []));
  const perRow = !own[last] && scale.slice(0, last).every((d, i) => own[i] || shape[i] === 1 || d === shape[i]);
  if (axes.length === 1 && (weight || !perRow)) return { granularity: 'axis', axis: axes[0]!, shape: [shape[axes[0]!]!] };
  if (perRow) return { granularity: 'row', shape: [...shape.slice(0, -1), 1] };
  return { granularity: 'block', block_size: shape.map((d, i) => (own[i] ? 1 : d)), shape: scale };
}

/** What a value is a view of. */
export function behindViews(value: Value): Value {
  let v = value;
  while (v.producer?.op === aten.View) v = v.producer.operands[0]!;
  return v;
}

/**
 * The elements of `value` in `shape`: what it is a view of, when that has the shape, else a view; of a constant another constant,
 * unless it is to be viewed again (`passing`).
 */
export function reshaped(value: Value, shape: readonly Dim[], b: Builder, passing = false): Value {
  const source = behindViews(value);
  const type = tensorType(source.type.dtype, shape);
  if (source.type === type) return source;
  const { constant } = source;
  return constant === undefined || passing
    ? b.create(aten.View, { self: source }, { size: shape }, { types: [type] }).result
    : b.constant(
        constant.derive('view', type, (bytes) => bytes),
        `${source.name}.view`,
      );
}
