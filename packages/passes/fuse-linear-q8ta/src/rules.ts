import {
  any,
  type Builder,
  constant,
  defineRule,
  no,
  type Node,
  oneOf,
  op,
  type Rule,
  tensorFrom,
  through,
  type Value,
  yes,
} from '@qfuse/plugin';
import {
  aten,
  clampedBounds,
  clampOps,
  fused,
  integerLinear,
  isStaticInput,
  limitsRange,
  quant,
  singleConstant,
  viewedAs,
  weightValues,
} from '@qfuse/ops';

const linears = {
  channel: { 8: fused.LinearQ8taQ8csw, 4: fused.LinearQ8taQ4csw },
  group: { 8: fused.LinearQ8taQ8gsw, 4: fused.LinearQ8taQ4gsw },
} as const;

/** A constant for the whole tensor as one number `[]`: its value, or another constant with that number in `dtype`. */
function single(value: Value, dtype: 'f32' | 'i32', b: Builder): Value {
  const made = singleConstant(value.constant!, dtype);
  return made === value.constant ? value : b.constant(made, `${value.name}.${dtype}`);
}

const activation = op(quant.Dequantize, { input: any().as('input'), scale: any().as('scale') })
  .where((dq) => (isStaticInput(dq) ? yes : no('scale and zero point of the activation are not both constants for the whole tensor')))
  .shared()
  .as('activation');
const weight = op(quant.Dequantize, { input: constant().as('weight'), scale: constant().as('scales') })
  .shared()
  .as('dequantize');

/**
 * linear(dequantize(q, s, z), dequantize(w, t, u), b) ⇒ linear_q8ta_q[84][cg]sw(q, s, w, t, z, b, u)        s, z constants
 *
 * Σ ((q − z)·s)·((w − u)·t) becomes s·Σ_g t·Σ (q − z)·(w − u) with exact inner sums. Before, each of the two factors of a product was
 * rounded twice at most (its scale, when that is f64, and itself), so a product is off by at most 4·2⁻²⁴ of itself and, with the
 * rounding of both results, the sum by 6·2⁻²⁴ < 2⁻²¹ of Σ |products| + |b|.
 */
export const staticLinear: Rule = defineRule({
  name: 'fuse-linear-q8ta/linear',
  summary: 'a linear of statically quantized activations and quantized weights reads the integers of both',
  root: op(aten.Linear, { input: through([aten.View], activation, 'views', 'shared'), weight }),
  numerics: { relative: 2 ** -21 },
  where: (m, { root, env }) => integerLinear({ linear: root, ...m }, env),
  rewrite: (m, b, { root, env }) => {
    const found = integerLinear({ linear: root, ...m }, env);
    if (!found.ok) throw new Error(found.why);
    const { input, scale, zeroPoint } = found.activation;
    const { granularity, bits } = found.weight;
    const operands = {
      input: viewedAs(input, m.views, b),
      input_scale: single(scale, 'f32', b),
      ...weightValues(found.weight, m.dequantize, b),
      input_zero_point: zeroPoint && single(zeroPoint, 'i32', b),
      bias: root.operandOrNone('bias'),
    };
    const { type } = root.result;
    return b.create(linears[granularity][bits], operands, { dtype: type.dtype }, { types: [type] }).result;
  },
});

const linear = oneOf(op(fused.LinearQ8taQ8csw).as('q8csw'), op(fused.LinearQ8taQ4csw).as('q4csw'));
const between = through([aten.View, ...clampOps.map((clamp) => ({ op: clamp, where: limitsRange }))], linear, 'between');

const clampsOf = (between: readonly Node[]): readonly Node[] => between.filter((n) => n.op !== aten.View).toReversed();

/**
 * quantize(clamp(linear_q8ta(q, …)), s, z) ⇒ q8ta_linear(q, …, s, z) {qmin = Q(low), qmax = Q(high)}        s, z constants
 *
 * The clamp is any number of relu, relu6, hardtanh, clamp, also none, with views between. Quantizing is monotone, so it may clamp
 * instead. The number that is rounded to an integer is no longer rounded to f32 twice before (the linear's result and
 * its product with 1/s): it moves by at most 2·2⁻²⁴ of itself, and the integer by one step where that crosses a tie.
 */
export const quantizedLinear: Rule = defineRule({
  name: 'fuse-linear-q8ta/quantize',
  summary: 'a linear of integers quantizes its result itself, activations that clamp included',
  root: op(quant.Quantize, { input: between }),
  numerics: { relative: 2 ** -23, steps: 1 },
  where: (m, { root }) => {
    const { compute, round_last, dtype } = root.attrs;
    const result = (m.q8csw ?? m.q4csw)!.result.type.dtype;
    if (result !== 'f32') return no(`the linear's result is rounded to ${result} before it is quantized, expected f32`);
    if (dtype !== 'i8' && dtype !== 'u8') return no(`the result is quantized to ${dtype}, expected i8 or u8`);
    if (compute !== 'f32') return no(`the result is quantized in ${compute}, expected f32: other integers are nearest at ties`);
    if (round_last) return no('the zero point of the result is added before it is rounded, expected after: other integers are even');
    return clampedBounds(root, clampsOf(m.between));
  },
  rewrite: (m, b, { root }) => {
    const bounds = clampedBounds(root, clampsOf(m.between));
    if (!bounds.ok) throw new Error(bounds.why);
    const from = (m.q8csw ?? m.q4csw) as Node<typeof fused.LinearQ8taQ8csw>;
    const zero = root.operandOrNone('zero_point');
    const made = b.create(
      fused.Q8taLinear,
      {
        input: from.operand('input'),
        input_scale: from.operand('input_scale'),
        weight: from.operand('weight'),
        scales: from.operand('scales'),
        output_scale: exactSingle(root.operand('scale'), b),
        input_zero_point: from.operandOrNone('input_zero_point'),
        output_zero_point: zero === undefined || numberOf(zero) === 0 ? undefined : single(zero, 'i32', b),
        bias: from.operandOrNone('bias'),
        zero_points: from.operandOrNone('zero_points'),
      },
      { qmin: bounds.qmin, qmax: bounds.qmax, dtype: root.attrs.dtype },
    );
    return viewedAs(
      made.result,
      m.between.filter((n) => n.op === aten.View),
      b,
    );
  },
});

const numberOf = (value: Value): number => Number(tensorFrom(value.constant!).data[0]);

/** The scale as one f32, where that keeps its reciprocal: a 16-bit scale has one that is rounded to 16 bits. */
const exactSingle = (value: Value, b: Builder): Value =>
  Math.fround(numberOf(value)) === numberOf(value) && (value.type.dtype === 'f32' || value.type.dtype === 'f64')
    ? single(value, 'f32', b)
    : value;
