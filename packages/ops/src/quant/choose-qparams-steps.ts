import { type Builder, type Dim, dimFloorDiv, type DType, floatScalar, intScalar, type Value } from '@qfuse/ir';
import { AddScalar, AddTensor, DivScalar, DivTensor, RsubScalar, SubTensor } from '../aten/arithmetic.js';
import { Maximum } from '../aten/binary-functions.js';
import { ToCopy } from '../aten/casts.js';
import { Clamp, ClampMax, ClampMin } from '../aten/clamp.js';
import { GtScalar, GtTensor } from '../aten/comparison.js';
import { Amax, Amin } from '../aten/extremes.js';
import { Full } from '../aten/fills.js';
import { View } from '../aten/reshape.js';
import { Round } from '../aten/rounding.js';
import { Neg } from '../aten/signs.js';
import { WhereSelf } from '../aten/where.js';
import type { GranularityAttrs } from './granularity.js';

/** What scales and zero points follow from: the attributes of `quant.choose_qparams`. */
export interface Formula {
  readonly mapping: 'asymmetric' | 'symmetric' | 'symmetric_no_clipping_err';
  readonly qmin: number;
  readonly qmax: number;
  readonly zero_point: number | undefined;
  readonly zero_point_rule: 'minimum' | 'smaller_error';
}

/** The zero point of a symmetric mapping. */
export const middleOf = ({ zero_point: given, qmin, qmax }: Formula): number => given ?? Math.trunc((qmax + qmin + 1) / 2);

/** The smallest and largest elements that share a scale, and 0, as nodes; in row-major order of the scales. */
export function rangeNodes(input: Value, g: GranularityAttrs, b: Builder): readonly [low: Value, high: Value] {
  const { shape } = input.type;
  const rank = shape.length;
  const own = g.axis === undefined ? -1 : g.axis < 0 ? g.axis + rank : g.axis;
  let x = input;
  let axes: readonly number[] = shape.map((_, i) => i);
  if (g.granularity === 'row') axes = [rank - 1];
  else if (g.granularity === 'axis') axes = axes.filter((i) => i !== own);
  else if (g.granularity !== 'tensor') {
    // Every axis in two: which block, and where in it.
    const block = g.granularity === 'block' ? g.block_size! : shape.map((_, i) => (i === own ? g.group_size! : 1));
    x = b.create(View, { self: input }, { size: shape.flatMap((d, i): Dim[] => [dimFloorDiv(d, block[i]!), block[i]!]) }).result;
    axes = shape.map((_, i) => 2 * i + 1);
  }
  // An empty list of axes would mean all of them.
  const [smallest, largest] = axes.length === 0 ? [x, x] : [Amin, Amax].map((op) => b.create(op, { self: x }, { dim: axes }).result);
  const zero = intScalar(0);
  return [b.create(ClampMax, { self: smallest! }, { max: zero }).result, b.create(ClampMin, { self: largest! }, { min: zero }).result];
}

/** The scale before it is bounded. */
export function rawScaleNodes(low: Value, high: Value, { mapping, qmin, qmax }: Formula, b: Builder): Value {
  const divide = (self: Value, by: number): Value => b.create(DivScalar, { self }, { other: floatScalar(by) }).result;
  if (mapping === 'asymmetric') return divide(b.create(SubTensor, { self: high, other: low }).result, qmax - qmin);
  if (mapping === 'symmetric')
    return divide(b.create(Maximum, { self: b.create(Neg, { self: low }).result, other: high }).result, (qmax - qmin) / 2);
  const [self, other] = [divide(low, qmin), divide(high, qmax)];
  return b.create(WhereSelf, { condition: b.create(GtTensor, { self, other }).result, self, other }).result;
}

/** Zero points as floats, or of a symmetric mapping in `dtype`. */
export function zeroPointNodes(low: Value, high: Value, scale: Value, formula: Formula, dtype: DType, b: Builder): Value {
  const [qmin, qmax] = [intScalar(formula.qmin), intScalar(formula.qmax)];
  if (formula.mapping !== 'asymmetric')
    return b.create(Full, {}, { size: scale.type.shape, fill_value: intScalar(middleOf(formula)), dtype }).result;
  const clamp = (self: Value): Value => b.create(Clamp, { self }, { min: qmin, max: qmax }).result;
  const from = (self: Value, other: typeof qmin): Value => b.create(RsubScalar, { self }, { other }).result;
  const [first, last] = [low, high].map((self) => b.create(DivTensor, { self, other: scale }).result) as [Value, Value];
  if (formula.zero_point_rule === 'minimum') return clamp(from(b.create(Round, { self: first }).result, qmin));
  const [below, above] = [
    b.create(AddScalar, { self: first }, { other: qmin }).result,
    b.create(AddScalar, { self: last }, { other: qmax }).result,
  ];
  const condition = b.create(GtScalar, { self: b.create(AddTensor, { self: below, other: above }).result }, { other: intScalar(0) }).result;
  return b.create(Round, { self: clamp(b.create(WhereSelf, { condition, self: from(first, qmin), other: from(last, qmax) }).result) })
    .result;
}

/** `self` cast to `dtype`. */
export const castNode = (self: Value, dtype: DType, b: Builder): Value =>
  self.type.dtype === dtype ? self : b.create(ToCopy, { self }, { dtype }).result;
