import { any, constant, defineRule, op, type Rule } from '@qfuse/plugin';
import { aten, fused, quant, weightOnlyLinear, weightValues } from '@qfuse/ops';

const dequantize = op(quant.Dequantize, { input: constant().as('weight'), scale: constant().as('scales') })
  .shared()
  .as('dequantize');

/**
 * linear(x, dequantize(w, s, z), b) ⇒ linear_qcs8w(x, w, s, b, z)       −128 ≤ w ≤ 127
 *                                   ⇒ linear_qcs4w(x, i4(w), s, b, z)     −8 ≤ w ≤ 7
 *
 * Unsigned w are moved with their z: by 128 or, up to 15, by 8. Σ x·((w − z)·s) becomes s·Σ x·(w − z): each product
 * (w − z)·s was rounded once, which is all that changes.
 */
export const weightOnly: Rule = defineRule({
  name: 'fuse-linear-qcsnw/weight-only',
  summary: 'a linear whose weight is dequantized per output channel reads the integers itself',
  root: op(aten.Linear, { input: any().as('input'), weight: dequantize }),
  numerics: { relative: 2 ** -20 },
  where: ({ dequantize: dq }, { root }) => weightOnlyLinear(root, dq, 'channel'),
  rewrite: ({ input, dequantize: dq }, b, { root }) => {
    const found = weightOnlyLinear(root, dq, 'channel');
    if (!found.ok) throw new Error(found.why);
    const Linear = found.weight.bits === 8 ? fused.LinearQcs8w : fused.LinearQcs4w;
    return b.create(Linear, { input, ...weightValues(found.weight, dq, b), bias: root.operandOrNone('bias') }).result;
  },
});
