import { any, defineRule, no, op, type Passage, type Rule, tensorType, through, yes } from '@qfuse/plugin';
import { aten, quant } from '@qfuse/ops';

const widening: Passage = {
  op: aten.ToCopy,
  where: (node) => (node.result.type.dtype === 'f64' ? yes : no(`${node.op.name} casts to ${node.result.type.dtype}, expected f64`)),
};

/**
 * quantize(x, cast(s, f64), z) {compute = f64} ⇒ quantize(x, s, z) {compute = f32}        x, s f32; 8 bits
 *
 * torch quantizes per token in f64, because it keeps the f32 scales in f64. In f32 1/s, x·(1/s) and, where it is added before, the sum
 * with z are rounded by 2⁻²⁴ of themselves, so an integer is a step off where that crosses a tie. A program computes so everywhere.
 */
export const quantizeInF32: Rule = defineRule({
  name: 'fuse-linear-dq8ca/quantize-in-f32',
  summary: 'floats and scales of 32 bits are quantized in 32 bits',
  root: op(quant.Quantize, {
    input: any('f32').as('input'),
    scale: through([aten.View, widening], any('f32').as('narrow'), 'passed', 'shared'),
  }),
  numerics: { relative: 2 ** -24, steps: 1 },
  where: ({ passed }, { root }) => {
    const { compute, dtype } = root.attrs;
    if (compute !== 'f64') return no(`it is quantized in ${compute}, expected f64`);
    if (!passed.some((n) => n.op === aten.ToCopy)) return no('the scale is not cast to f64');
    return dtype === 'i8' || dtype === 'u8' ? yes : no(`it is quantized to ${dtype}, expected i8 or u8`);
  },
  rewrite: ({ input, narrow }, b, { root }) => {
    const { shape } = root.operand('scale').type;
    const scale = b.create(aten.View, { self: narrow }, { size: shape }, { types: [tensorType('f32', shape)] }).result;
    return b.create(quant.Quantize, { input, scale, zero_point: root.operandOrNone('zero_point') }, { ...root.attrs, compute: 'f32' })
      .result;
  },
});
