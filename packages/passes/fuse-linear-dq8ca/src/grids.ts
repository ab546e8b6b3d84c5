import { no, type Node, type Value, type Verdict, yes } from '@qfuse/plugin';
import { aten, behindViews, type fused, quant, zeroPointRange } from '@qfuse/ops';

type Quantize = Node<typeof quant.Quantize>;

/** A node that chooses a grid for its input: scale and zero point are two of its results. */
export interface Chooser {
  readonly node: Node<typeof quant.ChooseQparams> | Node<typeof fused.DynamicQuantize>;
  readonly scale: Value;
  readonly zeroPoint: Value;
}

export const chooser = (node: Node<typeof quant.ChooseQparams>): Chooser => ({
  node,
  scale: node.results[0]!,
  zeroPoint: node.results[1]!,
});

export const dynamicChooser = (node: Node<typeof fused.DynamicQuantize>): Chooser => ({
  node,
  scale: node.results[1]!,
  zeroPoint: node.results[2]!,
});

/** Whether a quantize rounds to the integers that a dynamic quantize has already. */
export function roundsAs({ attrs: own }: Node<typeof fused.DynamicQuantize>, { attrs: theirs }: Quantize): Verdict {
  for (const [name, a, b] of [
    ['dtype', theirs.dtype, own.dtype],
    ['compute', theirs.compute, own.quantize_compute],
    ['round_last', theirs.round_last, own.round_last],
  ] as const)
    if (a !== b) return no(`${name} is ${String(a)} in quantize and ${String(b)} where the scale is chosen`);
  return yes;
}

const axisOf = (axis: number | undefined, rank: number): number | undefined => (axis !== undefined && axis < 0 ? axis + rank : axis);

/** Whether a node quantizes what a grid was chosen for to that grid, whose scale it reads. */
export function quantizesTo({ node, scale, zeroPoint }: Chooser, quantize: Quantize): Verdict {
  if (behindViews(quantize.operand('scale')) !== scale) return no('quantize reads another scale than the chosen one');
  const input = quantize.operand('input');
  if (input !== node.operand('input')) return no('quantize reads another value than the one that the scale was chosen for');
  const zero = quantize.operandOrNone('zero_point');
  if (zero === undefined ? zeroPointRange(zeroPoint)!.some((z) => z !== 0) : behindViews(zero) !== zeroPoint)
    return no(`quantize ${zero === undefined ? 'has no zero point' : 'reads another zero point'}, expected the chosen one`);
  const { rank, theirs, own } = { rank: input.type.shape.length, theirs: quantize.attrs, own: node.attrs };
  for (const name of ['granularity', 'group_size', 'block_size', 'qmin', 'qmax'] as const)
    if (String(theirs[name]) !== String(own[name]))
      return no(`${name} is ${String(theirs[name])} in quantize and ${String(own[name])} where the scale is chosen`);
  const [a, b] = [axisOf(theirs.axis, rank), axisOf(own.axis, rank)];
  return a === b ? yes : no(`axis is ${String(a)} in quantize and ${String(b)} where the scale is chosen`);
}

/** The quantize that goes with a chosen grid; when there is none, why the first that reads the scale does not. */
export function quantizeOf(chooser: Chooser): Quantize | string {
  const readers = readersBehindViews(chooser.scale)
    .filter((n): n is Quantize => n.op === quant.Quantize)
    .sort((a, b) => a.id - b.id);
  const verdicts = readers.map((quantize) => quantizesTo(chooser, quantize));
  const fits = readers[verdicts.findIndex(({ ok }) => ok)];
  if (fits !== undefined) return fits;
  const [first] = verdicts;
  return first?.ok === false ? first.why : 'no quantize reads the scale';
}

/** The nodes that read a value, directly or behind views. */
function readersBehindViews(value: Value): readonly Node[] {
  const nodes = value.readers().filter((r): r is Node => 'op' in r);
  return nodes.flatMap((n) => (n.op === aten.View ? [n, ...readersBehindViews(n.result)] : [n]));
}
