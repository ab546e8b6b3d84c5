import {
  type AnyOp,
  bindSymbols,
  concreteAttrs,
  concreteType,
  type Graph,
  type HostTensor,
  hostTensor,
  isFloat,
  type Node,
  nodeAttrs,
  tensorFrom,
  type Value,
} from '@qfuse/ir';
import { aten } from '@qfuse/ops';
import { Evaluator, runGraph } from './run.js';

/** Ops whose results are sums of products of their operands (and of an operand that is added). */
const sums = new Set<AnyOp>([
  aten.Linear,
  aten.Mm,
  aten.Bmm,
  aten.Mv,
  aten.Dot,
  aten.Vdot,
  aten.Matmul,
  aten.Addmm,
  aten.Baddbmm,
  aten.Addmv,
  aten.Convolution,
  aten.Conv1d,
  aten.Conv2d,
  aten.Conv3d,
  aten.ConvTranspose1d,
  aten.ConvTranspose2dInput,
  aten.ConvTranspose3dInput,
]);

/**
 * The largest sum of absolute terms among the sums of products that a graph computes, `max Σ |x| · |w| + |b|`; 0 when it has none. What
 * roundings of terms or another order of them change is a part of this, however much of a sum cancels: the result may be
 * far smaller.
 * @param of - only sums that these nodes compute
 * @throws QfuseError as {@link runGraph} does
 */
export function largestSum(
  graph: Graph,
  inputs: readonly HostTensor[],
  evaluator: Evaluator = new Evaluator(),
  of: (node: Node) => boolean = () => true,
): number {
  const nodes = [...graph.nodes()].filter((n) => sums.has(n.op) && of(n));
  if (nodes.length === 0) return 0;
  const bindings = bindSymbols(graph, inputs);
  const wanted = new Set(nodes.flatMap((n) => n.operands));
  const values = new Map<Value, HostTensor>(graph.inputs.map((v, i) => [v, inputs[i]!]));
  const absolute = (v: Value | undefined): HostTensor | undefined =>
    v === undefined ? undefined : magnitudes(values.get(v) ?? tensorFrom(graph.graphConstant(v)!.constant));
  let largest = 0;
  const observe = (value: Value, tensor: HostTensor): void => {
    if (wanted.has(value)) values.set(value, tensor);
    const { producer } = value;
    if (producer === undefined || !sums.has(producer.op) || !of(producer)) return;
    const types = producer.results.map((r) => concreteType(r.type, bindings));
    const attrs = concreteAttrs(nodeAttrs(producer), bindings);
    const [sum] = evaluator.evaluate(producer.op, producer.operands.map(absolute), attrs, types);
    for (const x of sum!.data) largest = Math.max(largest, Number.isFinite(Number(x)) ? Math.abs(Number(x)) : 0);
  };
  runGraph(graph, inputs, evaluator, { observe });
  return largest;
}

/** The absolute values of floats; other tensors as they are. */
function magnitudes(tensor: HostTensor): HostTensor {
  if (!isFloat(tensor.dtype)) return tensor;
  const out = hostTensor(tensor.dtype, tensor.shape);
  for (let i = 0; i < out.data.length; i++) out.data[i] = Math.abs(Number(tensor.data[i]));
  return out;
}
