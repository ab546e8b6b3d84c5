import {
  any,
  type AnyOp,
  type Builder,
  constant,
  decodeElements,
  defineRule,
  integerRange,
  no,
  type Node,
  numel,
  op,
  type Rule,
  tensorType,
  through,
  type Value,
  type Verdict,
  yes,
} from '@qfuse/plugin';
import { aten, behindViews, fused, quant } from '@qfuse/ops';

const scale = constant().as('scale');

type Dequantize = Node<typeof quant.Dequantize>;
type Quantize = Node<typeof quant.Quantize>;

const axisOf = ({ attrs, result }: Quantize | Dequantize): number | undefined =>
  attrs.axis !== undefined && attrs.axis < 0 ? attrs.axis + result.type.shape.length : attrs.axis;

/** Whether two q/dq nodes have the same grid: scale and zero point are the same values, granularity and range agree. */
function sameGrid(q: Quantize, dq: Dequantize): Verdict {
  for (const name of ['granularity', 'group_size', 'block_size', 'qmin', 'qmax'] as const) {
    const [a, b] = [q.attrs[name], dq.attrs[name]];
    if (String(a) !== String(b)) return no(`${name} is ${String(a)} in quantize and ${String(b)} in dequantize`);
  }
  if (axisOf(q) !== axisOf(dq)) return no(`axis is ${String(q.attrs.axis)} in quantize and ${String(dq.attrs.axis)} in dequantize`);
  if (q.operandOrNone('zero_point') !== dq.operandOrNone('zero_point')) return no('quantize and dequantize have different zero points');
  return yes;
}

/** With scales in [1/LIMIT, LIMIT] neither 1/s nor (q − z)·s leaves the normal numbers of f32. */
const LIMIT = 2 ** 100;

/** |q| and |q − z| up to which the roundings of scale, product, reciprocal, quotient and sum (2⁻²⁴ each) stay below half a step. */
const STEPS = 2 ** 20;

/** Whether arithmetic in a dtype rounds no more than {@link STEPS} takes into account. */
const isPrecise = (dtype: string): boolean => dtype === 'f32' || dtype === 'f64';

const elements = ({ type, constant: data }: Value): readonly number[] | undefined =>
  data?.resolved === true
    ? Array.from(decodeElements(type.dtype, data.bytes(), numel(type) as number) as ArrayLike<number | bigint>, Number)
    : undefined;

/** Whether every integer of [qmin, qmax] comes back when it is dequantized and quantized. */
function comesBack(q: Quantize, scale: Value): Verdict {
  const scales = elements(scale);
  if (scales === undefined) return no('the data of the scales are not known');
  const odd = scales.find((s) => !(s >= 1 / LIMIT && s <= LIMIT));
  if (odd !== undefined) return no(`the scale ${odd} is not a positive number in the range where rounding is exact`);
  const { qmin, qmax } = q.attrs;
  const zeroPoint = q.operandOrNone('zero_point');
  const zeros = zeroPoint === undefined ? [0] : elements(zeroPoint);
  if (zeros === undefined) return no('the zero points are not constant');
  const far = zeros.find((z) => !Number.isInteger(z) || Math.max(...[qmin, qmax, qmin - z, qmax - z].map(Math.abs)) > STEPS);
  return far === undefined ? yes : no(`with the zero point ${far} not every integer of [${qmin}, ${qmax}] comes back`);
}

/** Ops that keep their first result within `qmin` and `qmax`. */
const bounded: readonly AnyOp[] = [quant.Quantize, fused.DynamicQuantize, fused.Q8taLinear];

/** Whether `integers` hold only numbers of the range of `q`: by their dtype, or because they were quantized to it. */
function inRange(integers: Value, { attrs: { qmin, qmax } }: Quantize): Verdict {
  const [low, high] = integerRange(integers.type.dtype).map(Number) as [number, number];
  if (qmin <= low && qmax >= high) return yes;
  const source = behindViews(integers);
  const made = source.producer !== undefined && bounded.includes(source.producer.op) && source === source.producer.results[0];
  const range = made ? (source.producer.attrs as Quantize['attrs']) : undefined;
  return range !== undefined && range.qmin >= qmin && range.qmax <= qmax
    ? yes
    : no(`the integers are not known to lie in [${qmin}, ${qmax}]`);
}

/** The integers as views and permutes (outermost first) arrange the numbers that they stand for. */
function arranged(integers: Value, moves: readonly Node[], b: Builder): Value {
  return moves.reduceRight((self, node) => {
    const types = [tensorType(self.type.dtype, node.result.type.shape)];
    return node.op === aten.Permute
      ? b.create(aten.Permute, { self }, { dims: (node as Node<typeof aten.Permute>).attrs.dims }, { types }).result
      : b.create(aten.View, { self }, { size: node.result.type.shape }, { types }).result;
  }, integers);
}

/**
 * quantize(dequantize(q, s, z), s, z) ⇒ q
 *
 * Also with views and permutes between, which then arrange q, where one grid holds for the whole tensor. Exact when both have one grid, q holds only numbers of [qmin, qmax], and s and z are constants for which every such
 * number comes back: (q − z)·s lies within half a step of its grid point.
 */
export const requantizeSame: Rule = defineRule({
  name: 'fold-qdq/quantize-dequantize',
  summary: 'quantizing what was just dequantized with the same parameters changes nothing',
  root: op(quant.Quantize, {
    input: through(
      [aten.View, aten.Permute],
      op(quant.Dequantize, { input: any().as('integers'), scale })
        .shared()
        .as('dequantize'),
      'moves',
      'shared',
    ),
    scale,
  }),
  numerics: 'exact',
  where: ({ integers, dequantize, scale: s, moves }, { root }) => {
    if (moves.length > 0 && root.attrs.granularity !== 'tensor')
      return no(`${moves[0]!.op.name} moves elements away from their scales (granularity "${root.attrs.granularity}")`);
    if (integers.type.dtype !== root.result.type.dtype)
      return no(`the integers are ${integers.type.dtype} and become ${root.result.type.dtype}`);
    const grid = sameGrid(root, dequantize);
    if (!grid.ok) return grid;
    for (const [what, dtype] of [
      ['the numbers in between are', dequantize.attrs.dtype],
      ['the scales are', s.type.dtype],
      ['dequantize computes in', dequantize.attrs.compute],
      ['dequantize subtracts in', dequantize.attrs.difference ?? 'f64'],
      ['quantize computes in', root.attrs.compute],
    ] as const)
      if (!isPrecise(dtype)) return no(`${what} ${dtype}, which cannot tell all integers of the range apart`);
    const back = comesBack(root, s);
    return back.ok ? inRange(integers, root) : back;
  },
  rewrite: ({ integers, moves }, b) => arranged(integers, moves, b),
});

/**
 * dequantize(quantize(x, s, z), s, z) ⇒ x        only when asked for: |x − result| ≤ s/2, and values are no longer clamped
 */
export const dropFakeQuantize: Rule = defineRule({
  name: 'fold-qdq/dequantize-quantize',
  summary: 'takes out a rounding to the grid that no integer kernel uses',
  root: op(quant.Dequantize, {
    input: op(quant.Quantize, { input: any().as('x'), scale: any().as('scale') }).as('quantize'),
    scale: any().as('scale'),
  }),
  // 8 bits over the range of the values: half a step is 1/510 of it.
  numerics: { relative: 1 / 255 },
  where: ({ x, quantize }, { root }) =>
    x.type.dtype === root.result.type.dtype
      ? sameGrid(quantize, root)
      : no(`the floats are ${x.type.dtype} and become ${root.result.type.dtype}`),
  rewrite: ({ x }) => x,
});
