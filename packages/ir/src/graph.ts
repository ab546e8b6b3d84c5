import type { AttrRecord } from './attrs.js';
import { SharedColumn } from './columns.js';
import type { Constant } from './constant.js';
import { type GraphReturn, graphReturn, Node, Value } from './handles.js';
import { Inference } from './infer.js';
import type { AnyOp } from './op.js';
import { NodeOrigins } from './node-origins.js';
import type { Origin } from './origin.js';
import { ShapeEnv } from './shape-env.js';
import { NONE, type NodeId, Store, type ValueId } from './store.js';
import type { TensorType } from './types.js';

/** What a graph constant was in the source program. */
export type ConstantRole = 'parameter' | 'buffer' | 'constant';

/** A graph constant: a value whose data is known. Parameters and buffers keep the name of the source program. */
export interface GraphConstant {
  readonly value: Value;
  readonly name: string;
  readonly role: ConstantRole;
  readonly constant: Constant;
}

/** At the end of a run, `target` (a buffer or a graph input) takes the contents of `value`. */
export interface Mutation {
  readonly target: Value;
  readonly value: Value;
}

/** A graph's state besides what is known of dims. @internal */
export class GraphState {
  store = new Store();
  edition = 0;
  name: string;
  ops: AnyOp[] = [];
  opCodes = new Map<AnyOp, number>();
  /** Of a node nothing here changes once it is made, and ids are not reused: attributes, origins, handles. */
  readonly attrs = new SharedColumn<AttrRecord>();
  readonly origins = new NodeOrigins();
  readonly nodeHandles: (Node | undefined)[] = [];
  readonly valueHandles: (Value | undefined)[] = [];
  types = new SharedColumn<TensorType>();
  inputs: Value[] = [];
  names = new Map<ValueId, string>();
  byName = new Map<string, Value>();
  constants = new Map<ValueId, GraphConstant>();
  /** Values of role `constant` by their data, so that one constant is added once. */
  byConstant = new Map<Constant, Value>();
  outputCount = 0;
  mutationTargets: Value[] = [];
  mutated = new Set<ValueId>();
  readonly returnId: number;

  constructor(name: string) {
    this.name = name;
    this.returnId = this.store.createDetached(NONE);
  }

  /** An independent copy. What is noted of a node when it is made and never changes is not copied. */
  copy(): GraphState {
    const copy = Object.assign(Object.create(GraphState.prototype) as GraphState, this);
    copy.store = this.store.clone();
    copy.ops = [...this.ops];
    copy.opCodes = new Map(this.opCodes);
    copy.types = this.types.copy(this.store.valueCount);
    copy.inputs = [...this.inputs];
    copy.names = new Map(this.names);
    copy.byName = new Map(this.byName);
    copy.byConstant = new Map(this.byConstant);
    copy.mutated = new Set(this.mutated);
    copy.constants = new Map(this.constants);
    copy.mutationTargets = [...this.mutationTargets];
    return copy;
  }
}

/** The key under which {@link Editor} reaches a graph's state; not exported from the package. @internal */
export const STATE: unique symbol = Symbol('graph state');

/**
 * A program: nodes over values, graph inputs, graph constants, outputs, mutations. This class only reads;
 * `Editor` is the only writer. The node list is in topological order at the borders of passes.
 */
export class Graph {
  /** @internal */
  readonly [STATE]: GraphState;
  /** What is known of symbolic dims. */
  readonly env = new ShapeEnv();
  /** What ops make of operand types. @internal */
  readonly inference = new Inference(this.env);
  /** Reading by id, for matchers and analyses that must not make a handle per node. */
  readonly ids: GraphIds;

  constructor(name = 'main') {
    this[STATE] = new GraphState(name);
    this.ids = new GraphIds(this[STATE]);
  }

  get name(): string {
    return this[STATE].name;
  }

  /** Number of nodes. */
  get size(): number {
    return this[STATE].store.alive;
  }

  /** Counts the writes to this graph: unchanged means nothing was written. */
  get edition(): number {
    return this[STATE].edition;
  }

  /** Values that a caller gives, in order. */
  get inputs(): readonly Value[] {
    return this[STATE].inputs;
  }

  /** Values that a run returns, in order. */
  get outputs(): readonly Value[] {
    const { store, outputCount, returnId } = this[STATE];
    return Array.from({ length: outputCount }, (_, i) => this.value(store.operand(returnId, i) as ValueId));
  }

  /** What buffers and inputs become at the end of a run. */
  get mutations(): readonly Mutation[] {
    const { store, outputCount, returnId, mutationTargets } = this[STATE];
    return mutationTargets.map((target, i) => ({ target, value: this.value(store.operand(returnId, outputCount + i) as ValueId) }));
  }

  /** Parameters, buffers and constants, in the order in which they were added. */
  get constants(): readonly GraphConstant[] {
    return [...this[STATE].constants.values()];
  }

  /**
   * The nodes in list order. Editing while iterating is allowed: nodes inserted after the current one are seen,
   * nodes inserted before it are not, erased ones are skipped. When the current one is erased, the walk goes on at the
   * node that followed it.
   */
  *nodes(): IterableIterator<Node> {
    const { store } = this[STATE];
    for (let n = store.first; n !== NONE; n = store.next(n)) if (store.op(n) !== NONE) yield this.node(n as NodeId);
  }

  /** The handle of a node id. */
  node(id: NodeId): Node {
    return (this[STATE].nodeHandles[id] ??= new Node(this, id));
  }

  /** The handle of a value id. */
  value(id: ValueId): Value {
    return (this[STATE].valueHandles[id] ??= new Value(this, id));
  }

  /** @internal */
  valueOrNone(id: number): Value | undefined {
    return id === NONE ? undefined : this.value(id as ValueId);
  }

  /** @internal */
  readerAt(id: number): Node | GraphReturn {
    return id === this[STATE].returnId ? graphReturn : this.node(id as NodeId);
  }

  /** Name of a graph input or constant. */
  nameOf(value: Value): string | undefined {
    return this[STATE].names.get(value.id);
  }

  /** The graph input or constant called `name`. */
  named(name: string): Value | undefined {
    return this[STATE].byName.get(name);
  }

  /** The graph constant behind `value`, mutated buffers included. */
  graphConstant(value: Value): GraphConstant | undefined {
    return this[STATE].constants.get(value.id);
  }

  /** The data of `value` when it is a graph constant that no run changes. */
  constantOf(value: Value): Constant | undefined {
    const entry = this[STATE].constants.get(value.id);
    return entry === undefined || this[STATE].mutated.has(value.id) ? undefined : entry.constant;
  }

  /** Position of each node in list order, by node id (-1 for erased ones). O(n). */
  order(): Int32Array {
    const { store } = this[STATE];
    const order = new Int32Array(store.nodeCount).fill(-1);
    let at = 0;
    for (let n = store.first; n !== NONE; n = store.next(n)) order[n] = at++;
    return order;
  }
}

/** Read access by id. Ids of nodes, values and uses are plain numbers here; -1 is "none". */
export class GraphIds {
  readonly #state: GraphState;

  /** @internal */
  constructor(state: GraphState) {
    this.#state = state;
  }

  /** Upper bound of node ids. */
  get nodeLimit(): number {
    return this.#state.store.nodeCount;
  }
  /** Upper bound of value ids. */
  get valueLimit(): number {
    return this.#state.store.valueCount;
  }
  /** First node in list order, -1 when there is none. */
  get first(): number {
    return this.#state.store.first;
  }
  /** Last node in list order. */
  get last(): number {
    return this.#state.store.last;
  }
  /** The pseudo node that reads the outputs and the new values of mutated buffers. */
  get returnId(): number {
    return this.#state.returnId;
  }
  next(n: number): number {
    return this.#state.store.next(n);
  }
  prev(n: number): number {
    return this.#state.store.prev(n);
  }
  /** The op of a node, undefined when it is erased. */
  op(n: number): AnyOp | undefined {
    const code = this.#state.store.op(n);
    return code === NONE ? undefined : this.#state.ops[code];
  }
  /** A small number per op of this graph, -1 for an erased node. */
  opCode(n: number): number {
    return this.#state.store.op(n);
  }
  /** The number {@link opCode} gives for `op`; -1 when the graph never had such a node. */
  codeOf(op: AnyOp): number {
    return this.#state.opCodes.get(op) ?? NONE;
  }
  /** The op of a code. */
  opAt(code: number): AnyOp {
    return this.#state.ops[code]!;
  }
  attrs(n: number): AttrRecord {
    return this.#state.attrs.get(n);
  }
  origin(n: number): Origin {
    return this.#state.origins.get(n)!;
  }
  arity(n: number): number {
    return this.#state.store.arity(n);
  }
  /** Value in operand slot `index`, -1 when absent. */
  operand(n: number, index: number): number {
    return this.#state.store.operand(n, index);
  }
  /** Slot of the operand called `name`: names after a variadic operand are counted from the end. */
  slot(n: number, name: string): number {
    const op = this.op(n)!;
    const at = op.operandNames.indexOf(name);
    if (at < 0) throw new Error(`${op.name} has no operand "${name}"`);
    return op.variadic >= 0 && at > op.variadic ? this.arity(n) - (op.operandNames.length - at) : at;
  }
  resultCount(n: number): number {
    return this.#state.store.resultCount(n);
  }
  result(n: number, index: number): number {
    return this.#state.store.resultBase(n) + index;
  }
  /** Node that computes a value, -1 for graph inputs and constants. */
  producer(v: number): number {
    return this.#state.store.producer(v);
  }
  type(v: number): TensorType {
    return this.#state.types.get(v);
  }
  /** Number of operand slots that hold `v`. */
  useCount(v: number): number {
    return this.#state.store.uses(v);
  }
  firstUse(v: number): number {
    return this.#state.store.firstUse(v);
  }
  nextUse(u: number): number {
    return this.#state.store.nextUse(u);
  }
  /** Node (or {@link returnId}) that owns an operand slot. */
  useOwner(u: number): number {
    return this.#state.store.useOwner(u);
  }
  /** Index of an operand slot within its owner. */
  useIndex(u: number): number {
    return u - this.#state.store.useBase(this.#state.store.useOwner(u));
  }
  /** Whether a single node (or the return) reads `v`, however many of its slots hold it. */
  hasOneReader(v: number): boolean {
    const { store } = this.#state;
    const first = store.firstUse(v);
    if (first === NONE) return false;
    const owner = store.useOwner(first);
    for (let u = store.nextUse(first); u !== NONE; u = store.nextUse(u)) if (store.useOwner(u) !== owner) return false;
    return true;
  }
  /** Whether `v` is a graph constant whose data no run changes. */
  isConstant(v: number): boolean {
    return this.#state.constants.has(v as ValueId) && !this.#state.mutated.has(v as ValueId);
  }
}
