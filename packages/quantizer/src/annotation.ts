import { type Graph, type Node, QfuseError, type Value } from '@qfuse/plugin';
import { type AnySpec, edge } from './spec.js';

/** How the operands and the result of a node are quantized. torch: `QuantizationAnnotation`. */
export interface QuantizationAnnotation {
  /** Specs of operand slots, in the order in which they were given; a slot without one is read as it is. */
  readonly inputs: ReadonlyMap<number, AnySpec>;
  /** Spec of the first result. */
  readonly output: AnySpec | undefined;
  /** Whether the inputs share an observer with other readers and the producer of the same value where the specs are equal. Default true. */
  readonly allowImplicitSharing: boolean;
}

/** What {@link Annotations.annotate} takes. */
export interface AnnotationInit {
  /** By operand name or slot; `undefined` leaves the operand as it is. */
  readonly inputs?: Readonly<Record<string, AnySpec | undefined>> | ReadonlyMap<number, AnySpec | undefined> | undefined;
  readonly output?: AnySpec | undefined;
  readonly allowImplicitSharing?: boolean | undefined;
}

/** The annotations of one graph: what quantizers write and `prepare` reads. The graph itself is not changed. */
export class Annotations {
  readonly graph: Graph;
  readonly #nodes = new Map<Node, QuantizationAnnotation>();
  readonly #values = new Map<Value, AnySpec>();
  readonly #marked = new Set<Value>();

  constructor(graph: Graph) {
    this.graph = graph;
  }

  /**
   * Annotates a node and marks it; an earlier annotation of it is replaced.
   * @throws QfuseError `quantizer/annotation` for an operand that the node does not have, or a spec of one that is not a float
   */
  annotate(node: Node, { inputs = {}, output, allowImplicitSharing = true }: AnnotationInit): void {
    const slots = new Map<number, AnySpec>();
    for (const [slot, spec] of inputs instanceof Map ? inputs : Object.entries(inputs)) {
      if (spec === undefined) continue;
      const at = typeof slot === 'number' ? slot : this.#slot(node, slot);
      const value = node.operands[at];
      if (value === undefined) throw new QfuseError('quantizer/annotation', `${node.op.name} reads nothing as operand ${String(slot)}`);
      slots.set(at, spec);
    }
    this.#nodes.set(node, { inputs: slots, output, allowImplicitSharing });
    for (const result of node.results) this.#marked.add(result);
  }

  #slot(node: Node, name: string): number {
    const known = node.op.operandNames;
    if (!known.includes(name))
      throw new QfuseError('quantizer/annotation', `${node.op.name} has no operand "${name}"; it has ${known.join(', ')}`);
    return edge(node, name).slot;
  }

  /** Annotates a graph input or a constant for all its readers, and marks it. */
  annotateValue(value: Value, spec: AnySpec): void {
    if (value.producer !== undefined) throw new Error('the result of a node is annotated with the node');
    this.#values.set(value, spec);
    this.#marked.add(value);
  }

  /** The annotation of a node. */
  of(node: Node): QuantizationAnnotation | undefined {
    return this.#nodes.get(node);
  }

  /** The spec with which all readers see `value`. */
  outputOf(value: Value): AnySpec | undefined {
    const node = value.producer;
    if (node === undefined) return this.#values.get(value);
    return node.results[0] === value ? this.#nodes.get(node)?.output : undefined;
  }

  /** Takes a node or value out of what later annotators look at, without a spec. */
  mark(...taken: readonly (Node | Value)[]): void {
    for (const one of taken) for (const value of 'op' in one ? one.results : [one]) this.#marked.add(value);
  }

  /** Whether a node or value was annotated or marked. torch: `_annotated`. */
  isAnnotated(one: Node | Value): boolean {
    return 'op' in one ? one.results.some((r) => this.#marked.has(r)) : this.#marked.has(one);
  }

  /** Annotated nodes in list order. */
  *nodes(): IterableIterator<readonly [Node, QuantizationAnnotation]> {
    for (const node of this.graph.nodes()) {
      const annotation = this.#nodes.get(node);
      if (annotation !== undefined) yield [node, annotation];
    }
  }

  /** Annotated graph inputs and constants. */
  get values(): ReadonlyMap<Value, AnySpec> {
    return this.#values;
  }
}
