import {
  any,
  type Constant,
  constant,
  decodeElements,
  defineRule,
  isInteger,
  no,
  type Node,
  numel,
  oneOf,
  op,
  type Rule,
  scalarNumber,
  type Value,
  type Verdict,
  yes,
} from '@qfuse/plugin';
import { aten, quant } from '@qfuse/ops';
import { inShape } from './grid.js';

const x = any('f32').as('x');
const zero = oneOf(op(aten.FullLike).shared(), op(aten.ZerosLike).shared(), op(aten.Full).shared(), constant());
const low = op(aten.Minimum, { self: op(aten.Amin, { self: x }).shared().as('amin'), other: zero })
  .shared()
  .as('low');
const high = op(aten.Maximum, { self: op(aten.Amax, { self: x }).shared().as('amax'), other: zero })
  .shared()
  .as('high');
const range = op(aten.SubTensor, { self: high, other: low }).shared().as('range');
const scale = op(aten.Clamp, { self: op(aten.DivScalar, { self: range }).shared().as('quotient') }).exposed('scale');
const difference = op(aten.SubTensor, {
  self: constant('f32').as('first'),
  other: op(aten.Round, { self: op(aten.DivTensor, { self: low, other: scale }) }),
});

/** The number that a constant of one element holds. */
function numberOf(value: Constant): number | undefined {
  return numel(value.type) === 1 && value.resolved ? Number(decodeElements(value.type.dtype, value.bytes(), 1)[0]) : undefined;
}

/** Whether a value is 0 everywhere. */
function isZero({ constant: known, producer }: Value): boolean {
  if (known !== undefined) return numberOf(known) === 0;
  if (producer?.op === aten.ZerosLike) return true;
  const fills = producer?.op === aten.FullLike || producer?.op === aten.Full;
  return fills && scalarNumber((producer as Node<typeof aten.Full>).attrs.fill_value) === 0;
}

/** Axes of a reduction, from the front. */
const axesOf = ({ attrs }: Node<typeof aten.Amin>, rank: number): readonly number[] =>
  (attrs.dim ?? []).length === 0
    ? Array.from({ length: rank }, (_, i) => i)
    : attrs.dim!.map((d) => (d < 0 ? d + rank : d)).toSorted((a, b) => a - b);

function granularityOf(axes: readonly number[], rank: number): 'row' | 'tensor' | undefined {
  if (axes.length === 1 && axes[0] === rank - 1) return 'row';
  return axes.length === rank ? 'tensor' : undefined;
}

/**
 * low = min(amin(x), 0), high = max(amax(x), 0), s = max((high − low) / (qmax − qmin), eps), z = clamp(qmin − round(low / s), qmin, qmax)
 *   ⇒ choose_qparams(x), results s and z
 *
 * The op computes the same roundings in f32.
 */
export const chooseQparams: Rule = defineRule({
  name: 'raise-qdq/choose-qparams',
  summary: 'scale and zero point from the range of elements are a choose_qparams',
  root: op(aten.ToCopy, { self: op(aten.Clamp, { self: difference }).as('clamp') }),
  numerics: 'exact',
  where: (m, { root }): Verdict => {
    const { amin, amax, clamp } = m;
    const rank = m.x.type.shape.length;
    const axes = axesOf(amin, rank);
    if (axes.join() !== axesOf(amax, rank).join()) return no('smallest and largest elements are taken along different axes');
    if (granularityOf(axes, rank) === undefined)
      return no(`the range is taken along axes ${axes.join(', ')}, expected the last one or all`);
    if (!isZero(m.low.operand('other')) || !isZero(m.high.operand('other'))) return no('the range is not extended to contain 0');
    if (!isInteger(root.result.type.dtype)) return no(`the zero points become ${root.result.type.dtype}, expected integers`);
    for (const node of [m.range, clamp.operand('self').producer as Node<typeof aten.SubTensor>])
      if (scalarNumber(node.attrs.alpha) !== 1) return no(`alpha is ${scalarNumber(node.attrs.alpha)}, expected 1`);
    if (clamp.attrs.min === undefined || clamp.attrs.max === undefined) return no('the zero points are not bounded on both sides');
    const [qmin, qmax] = [scalarNumber(clamp.attrs.min), scalarNumber(clamp.attrs.max)];
    if (!Number.isInteger(qmin) || !Number.isInteger(qmax) || qmin >= qmax)
      return no(`the zero points are bounded by ${qmin} and ${qmax}, expected two integers`);
    if (numberOf(m.first.constant!) !== qmin) return no(`the zero points count from ${numberOf(m.first.constant!)}, expected ${qmin}`);
    const steps = scalarNumber(m.quotient.attrs.other);
    if (steps !== qmax - qmin) return no(`the range is divided by ${steps}, expected ${qmax - qmin}`);
    const { min: eps, max } = m.scale.attrs;
    return max === undefined && eps !== undefined && scalarNumber(eps) > 0
      ? yes
      : no('the scales are not bounded from below by a positive number alone');
  },
  rewrite: (m, b, { root }) => {
    const [qmin, qmax] = [m.clamp.attrs.min!, m.clamp.attrs.max!].map(scalarNumber) as [number, number];
    const rank = m.x.type.shape.length;
    const { results } = b.create(
      quant.ChooseQparams,
      { input: m.x },
      {
        granularity: granularityOf(axesOf(m.amin, rank), rank)!,
        mapping: 'asymmetric',
        qmin,
        qmax,
        eps: scalarNumber(m.scale.attrs.min!),
        zero_point_dtype: root.result.type.dtype,
      },
    );
    const [s, z] = results.map((v) => inShape(v, root.result.type.shape, b)) as [Value, Value];
    return { results: [z], exposed: { scale: s } };
  },
});
