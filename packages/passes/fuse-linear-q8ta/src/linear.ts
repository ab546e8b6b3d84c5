import { any, constant, defineRule, no, op, type Rule, through, yes } from '@qfuse/plugin';
import { aten, fused, integerLinear, isStaticInput, quant, viewedAs, weightValues } from '@qfuse/ops';
import { single } from './single.js';

const linears = {
  channel: { 8: fused.LinearQ8taQ8csw, 4: fused.LinearQ8taQ4csw },
  group: { 8: fused.LinearQ8taQ8gsw, 4: fused.LinearQ8taQ4gsw },
} as const;

const activation = op(quant.Dequantize, { input: any().as('input'), scale: constant().as('scale') })
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
