import { quant } from '@qfuse/ops';
import {
  byteLength,
  type Constant,
  type DType,
  type Graph,
  type Node,
  numel,
  type Origin,
  sourcesOf,
  tensorFrom,
  type Value,
} from '@qfuse/plugin';
import { isOneOf } from '../annotators/annotator.js';
import { moduleOf } from '../scopes.js';

/** A node of a converted graph that reads quantized values, and the node of the float graph that it comes from. */
export interface LayerPair {
  /** The module, else the node of the source program. */
  readonly name: string;
  readonly float: Node;
  readonly quantized: Node;
}

const isDequantize = isOneOf(quant.Dequantize);
const isQuantize = isOneOf(quant.Quantize);
const isQuantization: (node: Node) => boolean = isOneOf(quant.Quantize, quant.Dequantize, quant.ChooseQparams);

type Dequantize = Node<typeof quant.Dequantize>;

/** The dequantize nodes that a node reads. */
const dequantized = (node: Node): readonly Dequantize[] =>
  node.operands.flatMap((v) => (isDequantize(v?.producer) ? [v.producer as Dequantize] : []));

/** The dequantized constants that a node reads. */
const quantizedConstants = (node: Node): readonly Dequantize[] =>
  dequantized(node).filter((dq) => dq.operand('input').constant !== undefined);

/** Nodes with quantized weights, and those that join several quantized values; each with its original. */
export function layerPairs(float: Graph, quantized: Graph): readonly LayerPair[] {
  const originals = byOrigin(float);
  const seen = new Map<readonly Node[], number>();
  return [...quantized.nodes()].flatMap((node) => {
    if (isQuantization(node)) return [];
    const nodes = originals.get(node.origin) ?? [];
    const at = seen.get(nodes) ?? 0;
    seen.set(nodes, at + 1);
    const original = nodes[at];
    const isLayer = quantizedConstants(node).length > 0 || dequantized(node).length > 1;
    if (!isLayer || original === undefined || original.results.length !== 1) return [];
    return [{ name: nameOf(node), float: original, quantized: node }];
  });
}

/** Nodes of one origin are told apart by their order, which converting does not change. */
function byOrigin(graph: Graph): ReadonlyMap<Origin, readonly Node[]> {
  const out = new Map<Origin, Node[]>();
  for (const node of graph.nodes()) {
    const known = out.get(node.origin);
    if (known === undefined) out.set(node.origin, [node]);
    else known.push(node);
  }
  return out;
}

function nameOf(node: Node): string {
  const source = sourcesOf(node.origin).at(-1);
  return moduleOf(node) || (source?.kind === 'source' ? source.name : node.op.name);
}

/** A value as its readers see it: behind a quantize and dequantize, when that alone reads it. */
export function seen(value: Value): Value {
  const readers = value.readers();
  const [q] = readers;
  if (readers.length !== 1 || q === undefined || !('op' in q) || !isQuantize(q)) return value;
  const [dq] = q.result.readers();
  return dq !== undefined && 'op' in dq && isDequantize(dq) ? dq.result : value;
}

/** What is quantized to become `value`; `value` itself when it is not dequantized from computed integers. */
export function unquantized(value: Value): Value {
  const dq = value.producer;
  const q = isDequantize(dq) ? dq.operands[0]!.producer : undefined;
  return isQuantize(q) ? q.operands[0]! : value;
}

/** Bytes of the constants that a layer reads quantized: as floats, and as integers with their scales in a program. */
export function weightBytes(pair: LayerPair): readonly { readonly key: Constant; readonly before: number; readonly after: number }[] {
  return pair.quantized.operands.flatMap((v, slot) => {
    const dq = v?.producer;
    const constant = isDequantize(dq) ? dq.operands[0]!.constant : undefined;
    const from = pair.float.operands[slot];
    if (constant === undefined || from === undefined) return [];
    return [{ key: constant, before: bytesOf(from.type.dtype, numel(from.type) as number), after: integerBytes(dq as Dequantize) }];
  });
}

const bytesOf = (dtype: DType, count: number): number => byteLength(dtype, count);

/** The declared range says how many bits an integer takes; zero points that are all 0 take none. */
function integerBytes(dq: Dequantize): number {
  const { qmin, qmax } = dq.attrs;
  const levels = qmax - qmin + 1;
  const dtype: DType = levels <= 2 ** 4 ? 'i4' : levels <= 2 ** 8 ? 'i8' : levels <= 2 ** 16 ? 'i16' : 'i32';
  const scale = dq.operand('scale').type;
  const zero = dq.operandOrNone('zero_point')?.constant;
  const zeros = zero === undefined || tensorFrom(zero).data.every((z) => Number(z) === 0) ? 0 : bytesOf(dtype, numel(zero.type) as number);
  return bytesOf(dtype, numel(dq.operand('input').type) as number) + bytesOf(scale.dtype, numel(scale) as number) + zeros;
}
