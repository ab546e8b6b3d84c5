import { any, defineRule, no, type Node, op, type Rule, type Verdict, yes } from '@qfuse/plugin';
import { quant } from '@qfuse/ops';

const scale = any().as('scale');

type Dequantize = Node<typeof quant.Dequantize>;
type Quantize = Node<typeof quant.Quantize>;

/** Whether two q/dq nodes have the same grid: scale and zero point are the same values, granularity and range agree. */
function sameGrid(q: Quantize, dq: Dequantize): Verdict {
  for (const name of ['granularity', 'axis', 'group_size', 'block_size', 'qmin', 'qmax'] as const) {
    const [a, b] = [q.attrs[name], dq.attrs[name]];
    if (a !== b && JSON.stringify(a) !== JSON.stringify(b)) return no(`${name} is ${String(a)} in quantize and ${String(b)} in dequantize`);
  }
  if (q.operandOrNone('zero_point') !== dq.operandOrNone('zero_point')) return no('quantize and dequantize have different zero points');
  return yes;
}

/**
 * quantize(dequantize(q, s, z), s, z) ⇒ q
 *
 * Exact when both have one grid and q holds only numbers of [qmin, qmax], which its producer must show: then
 * (q − z)·s is a multiple of s that rounds back to q, because |q − z| < 2²² keeps the product's error below s/2.
 */
export const requantizeSame: Rule = defineRule({
  name: 'fold-qdq/quantize-dequantize',
  summary: 'quantizing what was just dequantized with the same parameters changes nothing',
  root: op(quant.Quantize, { input: op(quant.Dequantize, { input: any().as('integers'), scale }).shared().as('dequantize'), scale }),
  numerics: 'exact',
  where: ({ integers, dequantize }, { root }) => {
    if (integers.type.dtype !== root.result.type.dtype) return no(`the integers are ${integers.type.dtype} and become ${root.result.type.dtype}`);
    const grid = sameGrid(root, dequantize);
    if (!grid.ok) return grid;
    if (dequantize.attrs.dtype !== 'f32' && dequantize.attrs.dtype !== 'f64') return no(`the numbers in between are ${dequantize.attrs.dtype}, which cannot hold every integer of the range`);
    const producer = integers.producer;
    const range = producer?.op === quant.Quantize ? (producer as Quantize).attrs : undefined;
    const full = { i8: [-128, 127], u8: [0, 255] }[integers.type.dtype as 'i8' | 'u8'];
    const whole = full !== undefined && root.attrs.qmin <= full[0]! && root.attrs.qmax >= full[1]!;
    const inRange = whole || (range !== undefined && range.qmin >= root.attrs.qmin && range.qmax <= root.attrs.qmax);
    return inRange ? yes : no(`the integers are not known to lie in [${root.attrs.qmin}, ${root.attrs.qmax}]`);
  },
  rewrite: ({ integers }) => integers,
});

/**
 * dequantize(quantize(x, s, z), s, z) ⇒ x        only when asked for: |x − result| ≤ s/2, and values are no longer clamped
 */
export const dropFakeQuantize: Rule = defineRule({
  name: 'fold-qdq/dequantize-quantize',
  summary: 'takes out a rounding to the grid that no integer kernel uses',
  root: op(quant.Dequantize, { input: op(quant.Quantize, { input: any().as('x'), scale }).as('quantize'), scale }),
  // 8 bits over the range of the values: half a step is 1/510 of it.
  numerics: { relative: 1 / 255 },
  where: ({ x, quantize }, { root }) => (x.type.dtype === root.result.type.dtype ? sameGrid(quantize, root) : no(`the floats are ${x.type.dtype} and become ${root.result.type.dtype}`)),
  rewrite: ({ x }) => x,
});
