import { bindSymbols, concreteAttrs, concreteType, describeOrigin, type Graph, type HostTensor, nodeAttrs, QfuseError, tensorFrom, type Value } from '@qfuse/ir';
import { Evaluator } from './evaluate.js';

/** What a run returns. */
export interface RunResult {
  /** The graph's outputs, in order. */
  readonly outputs: readonly HostTensor[];
  /** New contents of mutated buffers and inputs, by name. */
  readonly mutated: ReadonlyMap<string, HostTensor>;
}

/**
 * Runs a graph on host tensors, node by node, each op by its reference or decomposition.
 * Values are dropped after their last reader.
 * @param inputs - one tensor for each graph input, in order
 * @param evaluator - give the same one to several runs to keep decompositions
 * @throws QfuseError when inputs do not fit, or when a node refuses its operand values (naming the node)
 */
export function runGraph(graph: Graph, inputs: readonly HostTensor[], evaluator: Evaluator = new Evaluator(), observe?: (value: Value, tensor: HostTensor) => void): RunResult {
  const bindings = bindSymbols(graph, inputs);
  const values = new Map<Value, HostTensor>();
  const pending = new Map<Value, number>();
  graph.inputs.forEach((v, i) => values.set(v, inputs[i]!));
  const get = (v: Value): HostTensor => {
    const known = values.get(v);
    if (known !== undefined) return known;
    const entry = graph.graphConstant(v);
    if (entry === undefined) throw new Error(`value ${v.id} is read before it is computed`);
    const tensor = tensorFrom(entry.constant);
    values.set(v, tensor);
    return tensor;
  };
  for (const node of graph.nodes()) {
    const slots = node.operands.map((v) => (v === undefined ? undefined : get(v)));
    const types = node.results.map((r) => concreteType(r.type, bindings));
    let out: readonly HostTensor[];
    try {
      out = evaluator.evaluate(node.op, slots, concreteAttrs(nodeAttrs(node), bindings), types);
    } catch (cause) {
      if (!(cause instanceof QfuseError)) throw cause;
      throw new QfuseError(cause.code, `at ${describeOrigin(node.origin)}: ${cause.message}`, { cause, help: cause.help });
    }
    node.results.forEach((r, i) => {
      observe?.(r, out[i]!);
      if (r.useCount > 0) values.set(r, out[i]!);
    });
    for (const v of node.operands) {
      if (v === undefined) continue;
      const left = (pending.get(v) ?? v.useCount) - 1;
      pending.set(v, left);
      if (left === 0) values.delete(v);
    }
  }
  return {
    outputs: graph.outputs.map(get),
    mutated: new Map(graph.mutations.map(({ target, value }) => [target.name!, get(value)] as const)),
  };
}
