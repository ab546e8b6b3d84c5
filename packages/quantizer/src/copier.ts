import { Editor, Graph, nodeAttrs, type Node, type Value } from '@qfuse/plugin';

/** Copies a graph node by node into a new one; who uses it decides what stands between a value and its readers. */
export class Copier {
  readonly graph: Graph;
  readonly edit: Editor;
  readonly #source: Graph;
  readonly #copies = new Map<Value, Value>();

  /** Starts a copy with the inputs of `source` and what is known of its symbolic dims. */
  constructor(source: Graph) {
    this.#source = source;
    this.graph = new Graph(source.name);
    this.graph.env.adopt(source.env);
    this.edit = new Editor(this.graph);
    for (const v of source.inputs) this.#copies.set(v, this.edit.addInput(v.name!, v.type));
  }

  /** The copy of a value; constants are added when they are asked for. */
  copyOf(value: Value): Value {
    let copy = this.#copies.get(value);
    if (copy === undefined) {
      const { name, role, constant } = this.#source.graphConstant(value)!;
      this.#copies.set(value, (copy = this.edit.addConstant(name, role, constant)));
    }
    return copy;
  }

  /** Copies a node onto other operands; result types stay as they were stated. */
  node(node: Node, slots: readonly (Value | undefined)[]): Node {
    const made = this.edit.createFromSlots(node.op, slots, nodeAttrs(node), {
      types: node.results.map((r) => r.type),
      origin: node.origin,
    });
    node.results.forEach((r, i) => this.#copies.set(r, made.results[i]!));
    return made;
  }

  /** Copies outputs and mutations as `read` sees them. */
  finish(read: (value: Value) => Value = (v) => this.copyOf(v), more: readonly Value[] = []): Graph {
    this.edit.setOutputs(
      [...this.#source.outputs.map(read), ...more.map(read)],
      this.#source.mutations.map(({ target, value }) => ({ target: this.copyOf(target), value: read(value) })),
    );
    return this.graph;
  }
}

/** A graph of its own with the same contents, constants that nobody reads included. */
export function copyGraph(graph: Graph, more: readonly Value[] = []): Graph {
  const copier = new Copier(graph);
  for (const { value } of graph.constants) copier.copyOf(value);
  for (const node of graph.nodes())
    copier.node(
      node,
      node.operands.map((v) => (v === undefined ? undefined : copier.copyOf(v))),
    );
  return copier.finish(undefined, more);
}
