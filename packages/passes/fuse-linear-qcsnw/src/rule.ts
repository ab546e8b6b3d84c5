import { any, constant, defineRule, no, op, type Node, type Rule, type Verdict, yes } from '@qfuse/plugin';
import { aten, fused, quant, quantizedWeight, readAsWeight, weightValues } from '@qfuse/ops';

const dequantize = op(quant.Dequantize, { input: constant().as('weight'), scale: constant().as('scales') })
  .shared()
  .as('dequantize');

/**
 * linear(x, dequantize(w, s, z), b) ⇒ linear_qcs8w(x, w, s, b, z)       −128 ≤ w ≤ 127
 *                                   ⇒ linear_qcs4w(x, i4(w), s, b, z)     −8 ≤ w ≤ 7
 *
 * Σ x·((w − z)·s) becomes s·Σ x·(w − z): each product (w − z)·s was rounded to f32 once, which is all that changes.
 */
export const weightOnly: Rule = defineRule({
  name: 'fuse-linear-qcsnw/weight-only',
  summary: 'a linear whose weight is dequantized per output channel reads the integers itself',
  root: op(aten.Linear, { input: any().as('input'), weight: dequantize }),
  numerics: { relative: 2 ** -20 },
  where: ({ input, dequantize: dq }, { root }) => {
    const found = quantizedWeight(dq);
    if (!found.ok) return found;
    const { granularity, groupSize } = found.weight;
    if (granularity === 'group')
      return no(`the weight has one scale for every ${groupSize} elements of a channel, expected one an output channel`);
    if (input.producer?.op === quant.Dequantize) return no('the activation is quantized: this is not a weight-only linear');
    const readers = readAsWeight(dq);
    return readers.ok ? operandsOf(root, dq) : readers;
  },
  rewrite: ({ input, dequantize: dq }, b, { root }) => {
    const found = quantizedWeight(dq);
    if (!found.ok) throw new Error(found.why);
    const Linear = found.weight.bits === 8 ? fused.LinearQcs8w : fused.LinearQcs4w;
    return b.create(Linear, { input, ...weightValues(found.weight, dq, b), bias: root.operandOrNone('bias') }).result;
  },
});

function operandsOf(root: Node<typeof aten.Linear>, dq: Node<typeof quant.Dequantize>): Verdict {
  const input = root.operand('input').type.dtype;
  if (dq.attrs.dtype !== input) return no(`the weight is dequantized to ${dq.attrs.dtype}, the activation is ${input}`);
  const scales = dq.operand('scale').type.dtype;
  if (scales !== 'f32') return no(`the scales are ${scales}, expected f32`);
  const bias = root.operandOrNone('bias');
  if (bias === undefined) return yes;
  if (bias.constant === undefined) return no('the bias is computed, expected a constant');
  return bias.type.shape.length === 1 && bias.type.shape[0] === root.operand('weight').type.shape[0]
    ? yes
    : no('the bias has not one element an output channel');
}
