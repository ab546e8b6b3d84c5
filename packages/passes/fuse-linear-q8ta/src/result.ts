import { defineRule, namedOperands, no, type Node, oneOf, op, type Rule, through } from '@qfuse/plugin';
import { aten, clampedAgain, clampedBounds, clampOps, fused, limitsRange, quant, viewedAs } from '@qfuse/ops';
import { numberOf, single, singleScale } from './single.js';

const linear = oneOf(op(fused.LinearQ8taQ8csw).as('q8csw'), op(fused.LinearQ8taQ4csw).as('q4csw'));
const passages = [aten.View, ...clampOps.map((clamp) => ({ op: clamp, where: limitsRange }))];

const viewsOf = (between: readonly Node[]): readonly Node[] => between.filter((n) => n.op === aten.View);
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
  root: op(quant.Quantize, { input: through(passages, linear, 'between') }),
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
        output_scale: singleScale(root.operand('scale'), b),
        input_zero_point: from.operandOrNone('input_zero_point'),
        output_zero_point: zero === undefined || numberOf(zero) === 0 ? undefined : single(zero, 'i32', b),
        bias: from.operandOrNone('bias'),
        zero_points: from.operandOrNone('zero_points'),
      },
      { qmin: bounds.qmin, qmax: bounds.qmax, dtype: root.attrs.dtype },
    );
    return viewedAs(made.result, viewsOf(m.between), b);
  },
});

/**
 * quantize(clamp(dequantize(q8ta_linear(q, …), s, z)), s, z) ⇒ q8ta_linear(q, …) with narrower bounds
 *
 * Quantizers give the clamp behind a linear the grid of the linear: then it clamps integers, as trying each of them shows.
 */
export const clampedResult: Rule = defineRule({
  name: 'fuse-linear-q8ta/clamped-result',
  summary: 'a clamp of a quantized result that stays on its grid is a bound of the linear',
  root: op(quant.Quantize, {
    input: through(passages, op(quant.Dequantize, { input: op(fused.Q8taLinear).as('linear') }).as('dequantize'), 'between'),
  }),
  numerics: 'exact',
  // The other rule first: where neither applies, its reason says more.
  benefit: 1,
  where: ({ linear: from, dequantize, between }, { root }) =>
    clampedAgain(dequantize, clampsOf(between), root, [from.attrs.qmin, from.attrs.qmax]),
  rewrite: ({ linear: from, dequantize, between }, b, { root }) => {
    const bounds = clampedAgain(dequantize, clampsOf(between), root, [from.attrs.qmin, from.attrs.qmax]);
    if (!bounds.ok) throw new Error(bounds.why);
    const within = (q: number): number => Math.min(Math.max(q, bounds.qmin), bounds.qmax);
    const attrs = { ...from.attrs, qmin: within(from.attrs.qmin), qmax: within(from.attrs.qmax) };
    return viewedAs(b.create(fused.Q8taLinear, namedOperands(from.op, from.operands) as never, attrs).result, viewsOf(between), b);
  },
});
