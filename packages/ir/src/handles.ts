import type { AttrRecord } from './attrs.js';
import type { Constant } from './constant.js';
import type { Graph } from './graph.js';
import type { AnyOp, AttrsOutOf, OperandName } from './op.js';
import type { Origin } from './origin.js';
import type { NodeId, ValueId } from './store.js';
import type { TensorType } from './types.js';

/** An operand slot: `reader` uses `value` as its operand number `index`. */
export interface Use {
  readonly reader: Node | GraphReturn;
  readonly index: number;
}

/** The reader of graph outputs and of the new values of mutated buffers. */
export const graphReturn = Object.freeze({ kind: 'return' });
/** The type of {@link graphReturn}. */
export type GraphReturn = typeof graphReturn;

/**
 * A value of a graph: a graph input, a graph constant, or a result of a node. Handles are made on demand and
 * kept, so one value is always the same object and `===` compares identity.
 */
export class Value {
  readonly graph: Graph;
  readonly id: ValueId;

  /** @internal */
  constructor(graph: Graph, id: ValueId) {
    this.graph = graph;
    this.id = id;
  }

  get type(): TensorType {
    return this.graph.ids.type(this.id);
  }

  /** The node that computes this value; undefined for graph inputs and graph constants. */
  get producer(): Node | undefined {
    const n = this.graph.ids.producer(this.id);
    return n < 0 ? undefined : this.graph.node(n as NodeId);
  }

  /** Which result of its producer this is; 0 for graph inputs and constants. */
  get resultIndex(): number {
    const n = this.graph.ids.producer(this.id);
    return n < 0 ? 0 : this.id - this.graph.ids.result(n, 0);
  }

  /** Name of a graph input or graph constant; undefined for results of nodes. */
  get name(): string | undefined {
    return this.graph.nameOf(this);
  }

  /** The data, when this is a graph constant that no run changes. */
  get constant(): Constant | undefined {
    return this.graph.constantOf(this);
  }

  /** Number of operand slots that hold this value (`mul(x, x)` counts twice), the return included. */
  get useCount(): number {
    return this.graph.ids.useCount(this.id);
  }

  /** The operand slots that hold this value, in no particular order. */
  uses(): Use[] {
    const out: Use[] = [];
    const { ids } = this.graph;
    for (let u = ids.firstUse(this.id); u >= 0; u = ids.nextUse(u)) {
      const n = ids.useOwner(u);
      out.push({ reader: this.graph.readerAt(n), index: ids.useIndex(u) });
    }
    return out;
  }

  /** The nodes that read this value, each once, and {@link graphReturn} when the graph returns it. */
  readers(): (Node | GraphReturn)[] {
    return [...new Set(this.uses().map((u) => u.reader))];
  }
}

/** One application of an op. Handles are made on demand and kept, so `===` compares identity. */
export class Node<D extends AnyOp = AnyOp> {
  readonly graph: Graph;
  readonly id: NodeId;

  /** @internal */
  constructor(graph: Graph, id: NodeId) {
    this.graph = graph;
    this.id = id;
  }

  get op(): D {
    const op = this.graph.ids.op(this.id);
    if (op === undefined) throw new Error(`node ${this.id} is erased`);
    return op as D;
  }

  get erased(): boolean {
    return this.graph.ids.op(this.id) === undefined;
  }

  get attrs(): AttrsOutOf<D> {
    return this.graph.ids.attrs(this.id) as AttrsOutOf<D>;
  }

  get origin(): Origin {
    return this.graph.ids.origin(this.id);
  }

  /** All operand slots in order, absent optional ones as undefined, a variadic operand spread out. */
  get operands(): readonly (Value | undefined)[] {
    const { ids } = this.graph;
    const out = new Array<Value | undefined>(ids.arity(this.id));
    for (let i = 0; i < out.length; i++) out[i] = this.graph.valueOrNone(ids.operand(this.id, i));
    return out;
  }

  /** The operand called `name`. @throws Error when it is absent or variadic: ask {@link operandOrNone} or {@link operandList} */
  operand(name: OperandName<D>): Value {
    const value = this.operandOrNone(name);
    if (value === undefined) throw new Error(`${this.op.name} has no operand "${name}"`);
    return value;
  }

  /** The operand called `name`, or undefined when an optional one is absent. @throws Error when it is variadic */
  operandOrNone(name: OperandName<D>): Value | undefined {
    const { op } = this;
    if (op.variadic >= 0 && op.operandNames[op.variadic] === name)
      throw new Error(`operand "${name}" of ${op.name} is a list: ask operandList`);
    return this.graph.valueOrNone(this.graph.ids.operand(this.id, this.graph.ids.slot(this.id, name)));
  }

  /** The list given for the variadic operand called `name`. */
  operandList(name: OperandName<D>): readonly (Value | undefined)[] {
    const { op } = this;
    const at = op.operandNames.indexOf(name);
    if (at !== op.variadic) throw new Error(`operand "${name}" of ${op.name} is not variadic`);
    const rest = op.operandNames.length - at - 1;
    return this.operands.slice(at, this.operands.length - rest);
  }

  get results(): readonly Value[] {
    const { ids } = this.graph;
    const out = new Array<Value>(ids.resultCount(this.id));
    for (let i = 0; i < out.length; i++) out[i] = this.graph.value(ids.result(this.id, i) as ValueId);
    return out;
  }

  /** The only result. @throws Error when there is not exactly one */
  get result(): Value {
    if (this.graph.ids.resultCount(this.id) !== 1) throw new Error(`${this.op.name} has ${this.graph.ids.resultCount(this.id)} results`);
    return this.graph.value(this.graph.ids.result(this.id, 0) as ValueId);
  }
}

/** Attributes by name for code that handles any op. */
export const attrsOf = (node: Node): AttrRecord => node.graph.ids.attrs(node.id);
