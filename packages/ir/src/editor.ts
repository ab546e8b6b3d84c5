import type { AttrRecord } from './attrs.js';
import type { Constant } from './constant.js';
import { QfuseError } from './error.js';
import { type ConstantRole, type Graph, type GraphConstant, type GraphState, type Mutation, STATE } from './graph.js';
import type { Node, Use, Value } from './handles.js';
import { type Inferred, mayBeSameType } from './infer.js';
import type { AnyOp, AttrsInOf, OperandName, OperandsOf } from './op.js';
import { describeOrigin, madeOrigin, type Origin } from './origin.js';
import type { SymbolFact } from './shape-env.js';
import { NONE, type NodeId, type ValueId } from './store.js';
import { sortNodes } from './sort.js';
import { type TensorType, typeText } from './types.js';

/** Options of {@link Builder.create}. */
export interface CreateOptions {
  /** Insert before this node; default: at the builder's place, else at the end. */
  readonly before?: Node | undefined;
  /** Where the node comes from; default: the builder's origin. */
  readonly origin?: Origin | undefined;
  /**
   * Result types to take instead of the inferred ones where these are not contradicted, e.g. a file says `s0`
   * where the shape rule can only say `min(s0, 64)`.
   */
  readonly types?: readonly TensorType[] | undefined;
}

/** What a rule gets: it can create nodes and constants, nothing else. */
export interface Builder {
  readonly graph: Graph;
  /** Makes a node and returns its handle. @throws QfuseError `ir/infer` or `ir/operands`, `ir/attr` when op, operands and attributes do not fit */
  create<D extends AnyOp>(op: D, operands: OperandsOf<D>, attrs?: AttrsInOf<D>, options?: CreateOptions): Node<D>;
  /** A graph constant with this data: the one there is already, else a new one called `hint` (with a number when the name is taken). */
  constant(constant: Constant, hint?: string): Value;
}

/** A saved state of a graph, for {@link Editor.restore}. */
export interface Snapshot {
  /** @internal */
  readonly state: GraphState;
  /** @internal */
  readonly facts: ReadonlyMap<string, SymbolFact>;
  readonly edition: number;
}

const noAttrs: AttrRecord = Object.freeze({});
const noOptions: CreateOptions = Object.freeze({});
/** Readers that a message names. */
const SHOWN_READERS = 8;
const unknownOrigin = madeOrigin('builder', []);

/** The only writer of a graph. Every write counts in {@link Graph.edition}. */
export class Editor implements Builder {
  readonly graph: Graph;
  readonly #state: GraphState;
  /** Undefined when it is the one of {@link #rewrite} and nobody asked for it. */
  #origin: Origin | undefined = unknownOrigin;
  #rewrite = NONE;
  /** Working memory of {@link create}. */
  #slots: number[] | undefined;
  /** Where nodes are inserted that are created without a place; undefined: at the end. */
  place: Node | undefined;

  constructor(graph: Graph) {
    this.graph = graph;
    this.#state = graph[STATE];
  }

  /** Origin of nodes that are created without one. */
  get origin(): Origin {
    return (this.#origin ??= this.#state.origins.ofRewrite(this.#rewrite));
  }

  set origin(origin: Origin) {
    this.#origin = origin;
  }

  /**
   * Sets the origin of nodes that are created without one to "made by `by`" from the origins of `nodes`, the root first.
   * No object is made for it unless somebody asks: for drivers.
   */
  derive(by: string, nodes: readonly number[]): void {
    this.#rewrite = this.#state.origins.addRewrite(by, nodes);
    this.#origin = undefined;
  }

  create<D extends AnyOp>(op: D, operands: OperandsOf<D>, attrs?: AttrsInOf<D>, options: CreateOptions = noOptions): Node<D> {
    // Shape rules run in between, and nobody knows what they do: whoever is called meanwhile takes another array.
    const ids = this.#slots ?? [];
    this.#slots = undefined;
    const arity = this.#fillSlots(ids, op, operands as Record<string, unknown>);
    const n = this.createFromIds(op, ids, arity, attrs as AttrRecord, options);
    this.#slots = ids;
    return this.graph.node(n) as Node<D>;
  }

  /**
   * As {@link create}, with operands as slots in order (a variadic operand spread out). For parsers and generic code.
   * Optional operands at the end may be left out.
   */
  createFromSlots(op: AnyOp, slots: readonly (Value | undefined)[], attrs: AttrRecord = noAttrs, options: CreateOptions = noOptions): Node {
    const ids = slots.map((v) => this.#readableId(v, op));
    // Every declared operand has a slot, also when it is absent.
    if (op.variadic < 0) while (ids.length < op.operandNames.length) ids.push(NONE);
    return this.graph.node(this.createFromIds(op, ids, ids.length, attrs, options));
  }

  /**
   * As {@link createFromSlots}, by ids of values that may be read, -1 for absent ones: for the parser, which must not
   * make handles of what it only passes on. There are `arity` slots, one for each declared operand. @internal
   */
  createFromIds(
    op: AnyOp,
    operands: readonly number[],
    arity: number,
    attrs: AttrRecord = noAttrs,
    options: CreateOptions = noOptions,
  ): NodeId {
    const state = this.#state;
    const { store } = state;
    const origin = options.origin ?? this.#origin;
    const inferred = this.#infer(op, operands, arity, attrs, options);
    const types = options.types === undefined ? inferred.results : this.#refine(op, inferred.results, options.types, options);
    const before = options.before ?? this.place;
    if (before !== undefined) this.#checkHere(before);
    const n = store.createNode(this.#codeOf(op), operands, arity, types.length, before === undefined ? NONE : before.id) as NodeId;
    state.attrs.set(n, inferred.attrs);
    if (origin === undefined) state.origins.setRewrite(n, this.#rewrite);
    else state.origins.set(n, origin);
    const base = store.resultBase(n);
    for (let i = 0; i < types.length; i++) state.types.set(base + i, types[i]!);
    state.edition++;
    return n;
  }

  /** Writes the slots of operands by name and returns how many. @throws QfuseError `ir/operands` for a name that `op` does not have */
  #fillSlots(slots: number[], op: AnyOp, operands: Record<string, unknown>): number {
    const names = op.operandNames;
    let arity = 0;
    let known = 0;
    for (let i = 0; i < names.length; i++) {
      const given = operands[names[i]!];
      if (given !== undefined) known++;
      if (i !== op.variadic) slots[arity++] = this.#readableId(given as Value | undefined, op);
      else for (const v of (given ?? []) as readonly (Value | undefined)[]) slots[arity++] = this.#readableId(v, op);
    }
    for (const name in operands) if (operands[name] !== undefined) known--;
    if (known < 0) throw unknownOperand(op, operands);
    return arity;
  }

  #readableId(v: Value | undefined, op: AnyOp): number {
    if (v === undefined) return NONE;
    this.#checkReadable(v, op.name);
    return v.id;
  }

  #codeOf(op: AnyOp): number {
    const { ops, opCodes } = this.#state;
    let code = opCodes.get(op);
    if (code === undefined) opCodes.set(op, (code = ops.push(op) - 1));
    return code;
  }

  /** A value may be read when it is one of this graph's and its producer is there. */
  #checkReadable(v: Value, who: string): void {
    if (v.graph !== this.graph) throw new Error(`${who}: an operand belongs to another graph`);
    const { store } = this.#state;
    const producer = store.producer(v.id);
    if (producer !== NONE && store.op(producer) === NONE) throw new Error(`${who}: an operand is a result of an erased node`);
  }

  #checkHere(node: Node): void {
    if (node.graph !== this.graph) throw new Error(`node ${node.id} belongs to another graph`);
    if (this.#state.store.op(node.id) === NONE) throw new Error(`node ${node.id} is erased`);
  }

  #infer(op: AnyOp, operands: readonly number[], arity: number, attrs: AttrRecord, options: CreateOptions): Inferred {
    try {
      return this.graph.inference.infer(op, operands, arity, this.#state.types, attrs);
    } catch (cause) {
      // The checks and dim arithmetic report without knowing the node.
      if (cause instanceof QfuseError)
        throw new QfuseError(cause.code, `${this.#would(op, options)}: ${cause.message}`, { cause, help: cause.help });
      throw cause;
    }
  }

  /** What messages call a node that is not made yet. */
  #would(op: AnyOp, options: CreateOptions): string {
    return `${op.name} at ${describeOrigin(options.origin ?? this.origin)}`;
  }

  #refine(op: AnyOp, inferred: readonly TensorType[], given: readonly TensorType[], options: CreateOptions): readonly TensorType[] {
    const fits = inferred.length === given.length && inferred.every((t, i) => mayBeSameType(this.graph.env, t, given[i]!));
    if (!fits)
      throw new QfuseError(
        'ir/type-mismatch',
        `${this.#would(op, options)}: results are ${inferred.map(typeText).join(', ')}, but ${given.map(typeText).join(', ')} was stated`,
      );
    return given;
  }

  constant(constant: Constant, hint = 'c'): Value {
    const state = this.#state;
    const known = state.byConstant.get(constant);
    if (known !== undefined) return known;
    let name = hint;
    for (let i = state.constants.size; state.byName.has(name); i++) name = `${hint}_${i}`;
    return this.addConstant(name, 'constant', constant);
  }

  /** Adds a graph input. @throws QfuseError `ir/name` when the name is taken */
  addInput(name: string, type: TensorType): Value {
    const value = this.#declare(name, type);
    this.#state.inputs = [...this.#state.inputs, value];
    return value;
  }

  /** Adds a parameter, buffer or constant. @throws QfuseError `ir/name` when the name is taken */
  addConstant(name: string, role: ConstantRole, constant: Constant): Value {
    const value = this.#declare(name, constant.type);
    const entry: GraphConstant = Object.freeze({ value, name, role, constant });
    this.#state.constants.set(value.id, entry);
    if (role === 'constant') this.#state.byConstant.set(constant, value);
    return value;
  }

  #declare(name: string, type: TensorType): Value {
    const state = this.#state;
    if (state.byName.has(name)) throw new QfuseError('ir/name', `two graph inputs or constants are called "${name}"`);
    const id = state.store.createValue(NONE) as ValueId;
    state.types.set(id, type);
    state.names.set(id, name);
    state.edition++;
    const value = this.graph.value(id);
    state.byName.set(name, value);
    return value;
  }

  /** Removes a graph constant that nothing reads. @throws Error when something does */
  removeConstant(value: Value): void {
    const entry = this.#state.constants.get(value.id);
    if (entry === undefined || value.useCount > 0 || this.#state.mutated.has(value.id))
      throw new Error(`"${value.name}" is not a constant without readers`);
    if (this.#state.byConstant.get(entry.constant) === value) this.#state.byConstant.delete(entry.constant);
    this.#state.constants.delete(value.id);
    this.#state.byName.delete(entry.name);
    this.#state.names.delete(value.id);
    this.#state.edition++;
  }

  /** Sets what a run returns, and what buffers and inputs become. */
  setOutputs(outputs: readonly Value[], mutations: readonly Mutation[] = this.graph.mutations): void {
    const state = this.#state;
    const read = [...outputs, ...mutations.map((m) => m.value)];
    for (const v of read) this.#checkReadable(v, 'return');
    for (const { target } of mutations) this.#checkReadable(target, 'mutate');
    state.outputCount = outputs.length;
    state.mutationTargets = mutations.map((m) => m.target);
    state.mutated = new Set(state.mutationTargets.map((t) => t.id));
    state.store.resetOperands(
      state.returnId,
      read.map((v) => v.id),
    );
    state.edition++;
  }

  /** Points every use of the results of `node` to `by`, then erases `node`. */
  replace(node: Node, by: readonly Value[]): void {
    const { results } = node;
    if (results.length !== by.length)
      throw new Error(`${node.op.name} has ${results.length} results, ${by.length} replacements were given`);
    for (let i = 0; i < results.length; i++) this.redirect(results[i]!, by[i]!);
    this.erase(node);
  }

  /**
   * Points the uses of `from` (those that `only` accepts) to `to`.
   * @throws QfuseError `ir/type-mismatch` when the types are known to differ; symbolic dims may be stated differently
   */
  redirect(from: Value, to: Value, only?: (use: Use) => boolean): void {
    if (from === to) return;
    this.#checkReadable(to, 'redirect');
    this.#checkSameType(from, to);
    const { store } = this.#state;
    let moved = 0;
    for (let u = store.firstUse(from.id); u !== NONE;) {
      const next = store.nextUse(u);
      if (only === undefined || only({ reader: this.graph.readerAt(store.useOwner(u)), index: this.graph.ids.useIndex(u) })) {
        store.unlink(u);
        store.link(u, to.id);
        moved++;
      }
      u = next;
    }
    if (moved > 0) this.#state.edition++;
  }

  #checkSameType(from: Value, to: Value): void {
    if (!mayBeSameType(this.graph.env, from.type, to.type))
      throw new QfuseError(
        'ir/type-mismatch',
        `a value of type ${typeText(from.type)} cannot be replaced by one of type ${typeText(to.type)}`,
      );
  }

  /** Puts `value` into the operand `name` of `node`. Result types are not inferred again. */
  setOperand<D extends AnyOp>(node: Node<D>, name: OperandName<D>, value: Value | undefined): void {
    this.setSlot(node, this.graph.ids.slot(node.id, name), value);
  }

  /** As {@link setOperand}, by slot. */
  setSlot(node: Node, index: number, value: Value | undefined): void {
    const { store } = this.#state;
    this.#checkHere(node);
    if (!(index >= 0 && index < store.arity(node.id)))
      throw new Error(`${node.op.name} has ${store.arity(node.id)} operand slots, there is none at ${index}`);
    if (value !== undefined) this.#checkReadable(value, node.op.name);
    const use = store.useBase(node.id) + index;
    store.unlink(use);
    store.link(use, value === undefined ? NONE : value.id);
    this.#state.edition++;
  }

  /** States a result type that the shape rule could not see, e.g. after symbols became numbers. */
  setType(value: Value, type: TensorType): void {
    this.#state.types.set(value.id, type);
    this.#state.edition++;
  }

  /** Erases a node. @throws QfuseError `ir/has-readers` naming the readers, when there are any */
  erase(node: Node): void {
    this.#checkHere(node);
    this.eraseId(node.id);
  }

  /** As {@link erase}, by id, for drivers that must not make a handle per node. */
  eraseId(n: NodeId): void {
    const { store } = this.#state;
    if (store.op(n) === NONE) throw new Error(`node ${n} is erased`);
    const base = store.resultBase(n);
    for (let v = base; v < base + store.resultCount(n); v++) if (store.uses(v) > 0) throw this.#hasReaders(this.graph.node(n));
    store.erase(n);
    this.#state.edition++;
  }

  #hasReaders(node: Node): QfuseError {
    const readers = [...new Set(node.results.flatMap((r) => r.readers()))].map((r) =>
      'op' in r ? `${r.op.name} at ${describeOrigin(r.origin)}` : 'the graph return',
    );
    const more = readers.length > SHOWN_READERS ? ` and ${readers.length - SHOWN_READERS} more` : '';
    const verb = readers.length === 1 ? 'reads' : 'read';
    return new QfuseError(
      'ir/has-readers',
      `${node.op.name} at ${describeOrigin(node.origin)} cannot be erased: ${readers.slice(0, SHOWN_READERS).join(', ')}${more} ${verb} it`,
    );
  }

  /** Moves a node in the list; `before` undefined means to the end. */
  move(node: Node, before: Node | undefined): void {
    this.#checkHere(node);
    if (before !== undefined) this.#checkHere(before);
    if (node === before) return;
    this.#state.store.move(node.id, before === undefined ? NONE : before.id);
    this.#state.edition++;
  }

  /** Brings the node list into a topological order, stably, in O(n). @throws QfuseError `ir/cycle` naming the nodes */
  sort(): void {
    const { store } = this.#state;
    sortNodes(this.graph, (n) => {
      store.move(n, NONE);
      this.#state.edition++;
    });
  }

  rename(name: string): void {
    this.#state.name = name;
    this.#state.edition++;
  }

  /** A copy of the whole graph, links included: about 85 bytes a node. */
  snapshot(): Snapshot {
    return { state: this.#state.copy(), edition: this.#state.edition, facts: this.graph.env.save() };
  }

  /** Puts the graph back to a snapshot. Handles of nodes made since are erased ones; all others stay valid. */
  restore(snapshot: Snapshot): void {
    const saved = snapshot.state.copy();
    const state = this.#state;
    // Ids are not reused within a pipeline, also not after a rollback: handles of undone nodes must stay erased.
    const { nodeCount, valueCount, useCount } = state.store;
    Object.assign(state, saved, { edition: state.edition + 1 });
    state.store.reserve(nodeCount, valueCount, useCount, state.returnId);
    this.graph.env.restore(snapshot.facts);
  }
}

function unknownOperand(op: AnyOp, operands: Record<string, unknown>): QfuseError {
  const names = op.operandNames;
  const unknown = Object.keys(operands).find((name) => operands[name] !== undefined && !names.includes(name));
  return new QfuseError('ir/operands', `${op.name} has no operand "${unknown}"; it has ${names.join(', ')}`);
}
