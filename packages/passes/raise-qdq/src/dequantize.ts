import {
  any,
  type Builder,
  constantOf,
  defineRule,
  type Dim,
  type DType,
  isStatic,
  maybe,
  type Node,
  oneOf,
  op,
  type Rule,
  type ShapeEnv,
  tensorOf,
  type Value,
  yes,
} from '@qfuse/plugin';
import { aten, quant, shapeText } from '@qfuse/ops';
import { behindViews, type Grid, gridOf, reshaped } from './boxes.js';
import { type Refusal, refuse } from './refusal.js';
import { dtypeRange, type Range, rangeOf, storedRange } from './range.js';
import { repeated } from './repeats.js';
import { isKnown, readAsWeight } from './weights.js';
import { type Difference, subtractsExactly, zeroOf } from './zero-points.js';

const integers = any('i8', 'u8', 'i4', 'u4', 'i16', 'u16', 'i32').as('q');
const factor = maybe(op(aten.ToCopy).shared().as('cast'), 'self', integers);
const difference = oneOf(
  op(aten.SubTensor, { self: factor, other: any().as('z') })
    .shared()
    .as('sub'),
  op(aten.SubScalar, { self: factor }).shared().as('less'),
  factor,
);

/** The parts of a dequantize that arithmetic stands for. */
interface Found {
  readonly ok: true;
  readonly grid: Grid;
  readonly scale: Value;
  readonly range: Range;
  /** Zero points as they are given, or one number for all. */
  readonly zero: Value | number | undefined;
  readonly compute: DType;
  readonly difference: DType | undefined;
}

/**
 * (cast(q) − cast(z)) · s ⇒ dequantize(q, s, z)     q and z integers, s and z one for each box of q
 *
 * Also without z, with a number for z, and with the integers subtracted before they are cast. Without z, q is constant, computed from
 * constants or made by a quantize: any product with a cast looks alike. The range that a dequantize declares is that of
 * what integers are computed by or, with `recover`, of their data.
 */
export const dequantizeRule = (recover: boolean): Rule =>
  defineRule({
    name: 'raise-qdq/dequantize',
    summary: 'a difference of integers times a scale is a dequantize',
    root: op(aten.MulTensor, { self: difference, other: any('f32', 'f16', 'bf16').as('s') }),
    numerics: 'exact',
    where: (m, { root, env }) => {
      const found = find(m, root, env, recover);
      return found.ok ? yes : found;
    },
    rewrite: (m, b, { root, env }) => {
      const found = find(m, root, env, recover);
      if (!found.ok) throw new Error(found.why);
      const { grid, scale, compute } = found;
      const { granularity, axis, group_size, block_size } = grid;
      const [qmin, qmax] = found.range;
      return b.create(
        quant.Dequantize,
        { input: m.q, scale: reshaped(scale, grid.shape, b, hasGroupAxis(m.q)), zero_point: zeroPoint(found, m, b) },
        { granularity, axis, group_size, block_size, qmin, qmax, dtype: root.result.type.dtype, compute, difference: found.difference },
        { types: [root.result.type] },
      ).result;
    },
  });

function find(m: Difference, root: Node<typeof aten.MulTensor>, env: ShapeEnv, recover: boolean): Found | Refusal {
  const { q, s } = m;
  const { type } = root.result;
  const known = isKnown(q);
  const wide = q.type.dtype === 'i32';
  // Integers that are cast and less others are codes, wherever they come from.
  if (!known && behindViews(q).producer?.op !== quant.Quantize && (m.sub === undefined || m.cast === undefined || wide))
    return refuse('the integers are neither known at compile time nor quantized here, and nothing is subtracted from them');
  if (known && wide) {
    const readers = readAsWeight(root.result);
    if (!readers.ok) return readers;
  }
  if (type.shape.length !== q.type.shape.length || type.dtype !== s.type.dtype)
    return refuse('the product is not one number for each integer');
  const own = rangeOf(q, recover);
  const range = known ? (storedRange(own) ?? (wide ? undefined : dtypeRange(q.type.dtype))) : own;
  if (range === undefined) return refuse(`the integers are ${q.type.dtype} and reach from ${own[0]} to ${own[1]}, expected at most 8 bits`);
  const given = zeroOf(m);
  if (typeof given === 'object' && 'ok' in given) return given;
  const spread = boxes(q.type.shape, s, given, known, env);
  if ('ok' in spread) return spread;
  const { grid, scale, zero } = spread;
  if (typeof zero === 'number' && !isStatic(grid.shape)) return refuse('the number of zero points is not known');
  const exact = subtractsExactly(m, own, zero);
  if (!exact.ok) return exact;
  const narrow = type.dtype === 'f32' ? undefined : type.dtype;
  return { ok: true, grid, scale, range, zero, compute: type.dtype, difference: zero === undefined ? undefined : narrow };
}

/** Scales and zero points as they are, or what they repeat for every element of a group. */
interface Boxes {
  readonly grid: Grid;
  readonly scale: Value;
  readonly zero: Value | number | undefined;
}

function boxes(shape: readonly Dim[], s: Value, zero: Value | number | undefined, weight: boolean, env: ShapeEnv): Boxes | Refusal {
  const each = s.type.shape.length === shape.length && s.type.shape.every((d, i) => d === shape[i]);
  if (!each || shape.every((d) => d === 1)) {
    const grid = gridOf(shape, s.type.shape, weight, env);
    return grid === undefined
      ? refuse(
          `scales ${shapeText(s.type.shape)} of integers ${shapeText(shape)} are neither one, one a row, one along an axis nor one a block`,
        )
      : { grid, scale: s, zero };
  }
  const found = repeated(s);
  const other = typeof zero === 'object' ? repeated(zero) : undefined;
  // More scales than that would take as much room as the floats do.
  if (found === undefined || found.shape.some((d, i) => i !== found.axis && d !== shape[i]))
    return refuse(`scales ${shapeText(s.type.shape)} of integers ${shapeText(shape)} are one for each of them`);
  const { axis, times, shape: own } = found;
  if (typeof zero === 'object' && (other?.axis !== axis || other.times !== times))
    return refuse('scales and zero points are not repeated alike');
  return { grid: { granularity: 'group', axis, group_size: times, shape: own }, scale: found.source, zero: other?.source ?? zero };
}

/** Whether integers have an axis more than a weight: it goes, and scales are viewed once more, when `groups` follows. */
const hasGroupAxis = (q: Value): boolean => q.type.shape.length > 2;

function zeroPoint({ zero, grid }: Found, { q, s }: Difference, b: Builder): Value | undefined {
  if (typeof zero !== 'number') return zero === undefined ? undefined : reshaped(zero, grid.shape, b, hasGroupAxis(q));
  const count = grid.shape.reduce((n: number, d) => n * (d as number), 1);
  return b.constant(
    constantOf(tensorOf('i32', grid.shape as readonly number[], new Array<number>(count).fill(zero))),
    `${s.name ?? 'weight'}.zero`,
  );
}
