import { any, constant, defineRule, op, type Rule } from '@qfuse/plugin';
import { aten, fused, quant, weightOnlyLinear, weightValues } from '@qfuse/ops';

const dequantize = op(quant.Dequantize, { input: constant().as('weight'), scale: constant().as('scales') })
  .shared()
  .as('dequantize');

/**
 * linear(x, dequantize(w, s, z), b) ⇒ linear_q4gsw(x, i4(w), s, b, z)     −8 ≤ w ≤ 7, s and z one for each group of a channel
 *                                   ⇒ linear_q8gsw(x, w, s, b, z)       −128 ≤ w ≤ 127
 *
 * Unsigned w are moved with their z: up to 15 by 8, else by 128. Σ x·((w − z)·s) becomes Σ_g s·Σ x·(w − z): each product
 * (w − z)·s was rounded once, which is all that changes.
 */
export const weightOnly: Rule = defineRule({
  name: 'fuse-linear-q4gsw/weight-only',
  summary: 'a linear whose weight is dequantized per group reads the integers itself',
  root: op(aten.Linear, { input: any().as('input'), weight: dequantize }),
  numerics: { relative: 2 ** -20 },
  where: ({ dequantize: dq }, { root }) => weightOnlyLinear(root, dq, 'group'),
  rewrite: ({ input, dequantize: dq }, b, { root }) => {
    const found = weightOnlyLinear(root, dq, 'group');
    if (!found.ok) throw new Error(found.why);
    const Linear = found.weight.bits === 8 ? fused.LinearQ8gsw : fused.LinearQ4gsw;
    return b.create(Linear, { input, ...weightValues(found.weight, dq, b), bias: root.operandOrNone('bias') }).result;
  },
});
