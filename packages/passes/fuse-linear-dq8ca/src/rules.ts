import { any, constant, defineRule, no, oneOf, op, type Rule, tensorType, through, yes } from '@qfuse/plugin';
import { aten, fused, integerLinear, isStaticInput, quant, viewedAs, weightValues } from '@qfuse/ops';
import { chooser, dynamicChooser, quantizeOf, quantizesTo, roundsAs } from './grids.js';

/**
 * s, z = choose_qparams(x)   ⇒   _, s, z = dynamic_quantize(x)        where quantize(x, s, z) follows
 *
 * The integers are a result too; {@link takeIntegers} gives them to the readers of that quantize. Every reader of s and z, a
 * dequantize or a second linear, reads the same numbers as before.
 */
export const chooseAndQuantize: Rule = defineRule({
  name: 'fuse-linear-dq8ca/choose-and-quantize',
  summary: 'choosing a grid and quantizing to it is one op',
  root: op(quant.ChooseQparams, { input: any().as('input') }),
  numerics: 'exact',
  where: (_, { root }) => {
    const found = quantizeOf(chooser(root));
    return typeof found === 'string' ? no(found) : yes;
  },
  rewrite: ({ input }, b, { root }) => {
    const found = quantizeOf(chooser(root));
    if (typeof found === 'string') throw new Error(found);
    const { dtype, compute: quantize_compute, round_last } = found.attrs;
    const types = [tensorType(dtype, input.type.shape), ...root.results.map((r) => r.type)];
    return b.create(fused.DynamicQuantize, { input }, { ...root.attrs, dtype, quantize_compute, round_last }, { types }).results.slice(1);
  },
});

const input = any().as('input');
// A grid that is chosen still is here only to say why it is.
const grid = oneOf(op(fused.DynamicQuantize, { input }).result(1).shared().as('dynamic'), op(quant.ChooseQparams).shared().as('choose'));

/**
 * quantize(x, s, z)   ⇒   q        where q, s, z = dynamic_quantize(x)
 */
export const takeIntegers: Rule = defineRule({
  name: 'fuse-linear-dq8ca/take-integers',
  summary: 'what is quantized with its own grid was quantized when the grid was chosen',
  root: op(quant.Quantize, { input, scale: through([aten.View], grid, 'views', 'shared') }),
  numerics: 'exact',
  where: ({ dynamic, choose }, { root }) => {
    if (dynamic !== undefined) {
      const verdict = roundsAs(dynamic, root);
      return verdict.ok ? quantizesTo(dynamicChooser(dynamic), root) : verdict;
    }
    const verdict = quantizesTo(chooser(choose!), root);
    return verdict.ok ? no('the grid and these integers were not computed by one op yet') : verdict;
  },
  rewrite: ({ dynamic }) => dynamic!.results[0]!,
});

const linears = {
  channel: { 8: fused.LinearDq8caQ8csw, 4: fused.LinearDq8caQ4csw },
  group: { 8: fused.LinearDq8caQ8gsw, 4: fused.LinearDq8caQ4gsw },
} as const;

const activation = op(quant.Dequantize, { input: any().as('input'), scale: any().as('scale') })
  .where((dq) => (isStaticInput(dq) ? no('scale and zero point of the activation are constant: it is quantized statically') : yes))
  .shared()
  .as('activation');
const weight = op(quant.Dequantize, { input: constant().as('weight'), scale: constant().as('scales') })
  .shared()
  .as('dequantize');

/**
 * linear(dequantize(q, s, z), dequantize(w, t, u), b) ⇒ linear_dq8ca_q[84][cg]sw(q, s, w, t, z, b, u)
 *
 * Σ ((q − z)·s)·((w − u)·t) becomes s·Σ_g t·Σ (q − z)·(w − u) with exact inner sums. Before, each of the two factors of a product was
 * rounded twice at most (its scale, when that is f64, and itself), so a product is off by at most 4·2⁻²⁴ of itself and, with the
 * rounding of both results, the sum by 6·2⁻²⁴ < 2⁻²¹ of Σ |products| + |b|.
 */
export const dynamicLinear: Rule = defineRule({
  name: 'fuse-linear-dq8ca/linear',
  summary: 'a linear of dynamically quantized activations and quantized weights reads the integers of both',
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
      input_scale: scale,
      ...weightValues(found.weight, m.dequantize, b),
      input_zero_point: zeroPoint,
      bias: root.operandOrNone('bias'),
    };
    const { type } = root.result;
    return b.create(linears[granularity][bits], operands, { dtype: type.dtype }, { types: [type] }).result;
  },
});
