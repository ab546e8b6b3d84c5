import { Editor, Graph, nodeAttrs, type Node, type Value } from '@qfuse/ir';

/** What part of a graph computes `outputs` from `inputs`. */
export interface Cut {
  readonly outputs: readonly Value[];
  /** Values at which the walk towards producers stops. */
  readonly inputs: readonly Value[];
}

/**
 * Copies the part of a graph between a cut's inputs and outputs into a graph of its own. Constants come along;
 * other values without a producer in between become inputs.
 * @returns the copy, and the original value of each of its inputs
 */
export function extractSubgraph(graph: Graph, cut: Cut): { readonly graph: Graph; readonly inputs: readonly Value[] } {
  const out = new Graph(graph.name);
  out.env.adopt(graph.env);
  const edit = new Editor(out);
  const copies = new Map<Value, Value>();
  const inputs: Value[] = [];
  const asInput = (v: Value): Value => {
    const copy = edit.addInput(`x${inputs.length}`, v.type);
    inputs.push(v);
    return copy;
  };
  for (const v of cut.inputs) copies.set(v, v.constant === undefined ? asInput(v) : edit.constant(v.constant, v.name));
  const copyOf = (v: Value): Value => {
    let copy = copies.get(v);
    if (copy === undefined) copies.set(v, (copy = v.constant === undefined ? asInput(v) : edit.constant(v.constant, v.name)));
    return copy;
  };
  for (const node of between(cut)) {
    const slots = node.operands.map((v) => (v === undefined ? undefined : copyOf(v)));
    const made = edit.createFromSlots(node.op, slots, nodeAttrs(node), { types: node.results.map((r) => r.type), origin: node.origin });
    node.results.forEach((r, i) => copies.set(r, made.results[i]!));
  }
  edit.setOutputs(cut.outputs.map(copyOf));
  return { graph: out, inputs };
}

/** The nodes between the cut's ends, producers first. */
function between({ outputs, inputs }: Cut): readonly Node[] {
  const stop = new Set(inputs);
  const done = new Set<Node>();
  const stack = outputs.flatMap((v) => (stop.has(v) || v.producer === undefined ? [] : [{ node: v.producer, ready: false }]));
  while (stack.length > 0) {
    const { node, ready } = stack.pop()!;
    if (done.has(node)) continue;
    if (ready) {
      done.add(node);
      continue;
    }
    stack.push({ node, ready: true });
    for (const v of node.operands)
      if (v !== undefined && !stop.has(v) && v.producer !== undefined && !done.has(v.producer))
        stack.push({ node: v.producer, ready: false });
  }
  return [...done];
}

/** A graph of its own with the same contents. */
export function copyGraph(graph: Graph): Graph {
  const out = new Graph(graph.name);
  out.env.adopt(graph.env);
  const edit = new Editor(out);
  const copies = new Map<Value, Value>();
  for (const v of graph.inputs) copies.set(v, edit.addInput(v.name!, v.type));
  for (const { value, name, role, constant } of graph.constants) copies.set(value, edit.addConstant(name, role, constant));
  for (const node of graph.nodes()) {
    const slots = node.operands.map((v) => (v === undefined ? undefined : copies.get(v)));
    const made = edit.createFromSlots(node.op, slots, nodeAttrs(node), { types: node.results.map((r) => r.type), origin: node.origin });
    node.results.forEach((r, i) => copies.set(r, made.results[i]!));
  }
  edit.setOutputs(
    graph.outputs.map((v) => copies.get(v)!),
    graph.mutations.map(({ target, value }) => ({ target: copies.get(target)!, value: copies.get(value)! })),
  );
  return out;
}
