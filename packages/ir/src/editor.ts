import { type AttrRecord, internAttrs } from './attrs.js';
import type { Constant } from './constant.js';
import { QfuseError } from './error.js';
import { type ConstantRole, type Graph, type GraphConstant, GraphState, type Mutation, STATE } from './graph.js';
import type { Node, Use, Value } from './handles.js';
import type { AnyOp, AttrsInOf, InferContext, OperandName, OperandsOf } from './op.js';
import { describeOrigin, madeOrigin, type Origin } from './origin.js';
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
  readonly edition: number;
}

const noAttrs: AttrRecord = Object.freeze({});
const unknownOrigin = madeOrigin('builder', []);

/** The only writer of a graph. Every write counts in {@link Graph.edition}. */
export class Editor implements Builder {
  readonly graph: Graph;
  /** Origin of nodes that are created without one. */
  origin: Origin = unknownOrigin;
  /** Where nodes are inserted that are created without a place; undefined: at the end. */
  place: Node | undefined;

  constructor(graph: Graph) {
    this.graph = graph;
  }

  get #state(): GraphState {
    return this.graph[STATE];
  }

  create<D extends AnyOp>(op: D, operands: OperandsOf<D>, attrs?: AttrsInOf<D>, options: CreateOptions = {}): Node<D> {
    return this.createFromSlots(op, this.#slots(op, operands as Record<string, unknown>), attrs as AttrRecord, options) as Node<D>;
  }

  /** As {@link create}, with operands as slots in order (a variadic operand spread out). For parsers and generic code. */
  createFromSlots(op: AnyOp, slots: readonly (Value | undefined)[], attrs: AttrRecord = noAttrs, options: CreateOptions = {}): Node {
    const state = this.#state;
    const origin = options.origin ?? this.origin;
    const inferred = inferTypes(this.graph, op, slots, attrs, origin);
    const types = options.types === undefined ? inferred.types : this.#refine(op, inferred.types, options.types, origin);
    for (const v of slots) if (v !== undefined && v.graph !== this.graph) throw new Error(`${op.name}: an operand belongs to another graph`);
    let code = state.opCodes.get(op);
    if (code === undefined) {
      code = state.ops.push(op) - 1;
      state.opCodes.set(op, code);
    }
    const before = options.before ?? this.place;
    const ids = slots.map((v) => (v === undefined ? NONE : v.id));
    const n = state.store.createNode(code, ids, types.length, before === undefined ? NONE : before.id);
    state.attrs[n] = inferred.attrs;
    state.origins[n] = origin;
    const base = state.store.resultBase(n);
    for (let i = 0; i < types.length; i++) state.types[base + i] = types[i]!;
    state.edition++;
    return this.graph.node(n as NodeId);
  }

  #refine(op: AnyOp, inferred: readonly TensorType[], given: readonly TensorType[], origin: Origin): readonly TensorType[] {
    const fits =
      inferred.length === given.length &&
      inferred.every(
        (t, i) =>
          t.dtype === given[i]!.dtype &&
          t.shape.length === given[i]!.shape.length &&
          t.shape.every((d, k) => this.graph.env.equal(d, given[i]!.shape[k]!) !== 'no'),
      );
    if (!fits)
      throw new QfuseError('ir/type-mismatch', `${op.name} at ${describeOrigin(origin)}: results are ${inferred.map(typeText).join(', ')}, but ${given.map(typeText).join(', ')} was stated`);
    return given;
  }

  #slots(op: AnyOp, operands: Record<string, unknown>): (Value | undefined)[] {
    const out: (Value | undefined)[] = [];
    for (let i = 0; i < op.operandNames.length; i++) {
      const given = operands[op.operandNames[i]!];
      if (i === op.variadic) for (const v of given as readonly (Value | undefined)[]) out.push(v);
      else out.push(given as Value | undefined);
    }
    for (const name in operands)
      if (!Object.hasOwn(op.operands, name) && operands[name] !== undefined) throw new QfuseError('ir/operands', `${op.name} has no operand "${name}"; it has ${op.operandNames.join(', ')}`);
    return out;
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
    state.types[id] = type;
    state.names.set(id, name);
    state.edition++;
    const value = this.graph.value(id);
    state.byName.set(name, value);
    return value;
  }

  /** Removes a graph constant that nothing reads. @throws Error when something does */
  removeConstant(value: Value): void {
    const entry = this.#state.constants.get(value.id);
    if (entry === undefined || value.useCount > 0 || this.#state.mutated.has(value.id)) throw new Error(`"${value.name}" is not a constant without readers`);
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
    for (const v of read) if (v.graph !== this.graph) throw new Error('an output belongs to another graph');
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
    if (results.length !== by.length) throw new Error(`${node.op.name} has ${results.length} results, ${by.length} replacements were given`);
    results.forEach((from, i) => this.redirect(from, by[i]!));
    this.erase(node);
  }

  /** Points the uses of `from` (those that `only` accepts) to `to`. Types must agree; symbolic dims may be stated differently. */
  redirect(from: Value, to: Value, only?: (use: Use) => boolean): void {
    if (from === to) return;
    this.#checkSameType(from, to);
    const { store } = this.#state;
    for (let u = store.firstUse(from.id); u !== NONE; ) {
      const next = store.nextUse(u);
      if (only === undefined || only({ reader: this.graph.readerAt(store.useOwner(u)), index: this.graph.ids.useIndex(u) })) {
        store.unlink(u);
        store.link(u, to.id);
      }
      u = next;
    }
    this.#state.edition++;
  }

  #checkSameType(from: Value, to: Value): void {
    const a = from.type;
    const b = to.type;
    if (a === b) return;
    const same = a.dtype === b.dtype && a.shape.length === b.shape.length && a.shape.every((d, i) => this.graph.env.equal(d, b.shape[i]!) !== 'no');
    if (!same) throw new QfuseError('ir/type-mismatch', `a value of type ${typeText(a)} cannot be replaced by one of type ${typeText(b)}`);
  }

  /** Puts `value` into the operand `name` of `node`. Result types are not inferred again. */
  setOperand<D extends AnyOp>(node: Node<D>, name: OperandName<D>, value: Value | undefined): void {
    this.setSlot(node, this.graph.ids.slot(node.id, name), value);
  }

  /** As {@link setOperand}, by slot. */
  setSlot(node: Node, index: number, value: Value | undefined): void {
    const { store } = this.#state;
    const use = store.useBase(node.id) + index;
    store.unlink(use);
    store.link(use, value === undefined ? NONE : value.id);
    this.#state.edition++;
  }

  /** States a result type that the shape rule could not see, e.g. after symbols became numbers. */
  setType(value: Value, type: TensorType): void {
    this.#state.types[value.id] = type;
    this.#state.edition++;
  }

  /** Erases a node. @throws QfuseError `ir/has-readers` naming a reader, when there is one */
  erase(node: Node): void {
    for (const result of node.results) {
      const [reader] = result.readers();
      if (reader !== undefined)
        throw new QfuseError('ir/has-readers', `${node.op.name} at ${describeOrigin(node.origin)} cannot be erased: ${'op' in reader ? reader.op.name : 'the graph return'} reads it`);
    }
    this.#state.store.erase(node.id);
    this.#state.edition++;
  }

  /** Moves a node in the list; `before` undefined means to the end. */
  move(node: Node, before: Node | undefined): void {
    this.#state.store.move(node.id, before === undefined ? NONE : before.id);
    this.#state.edition++;
  }

  /** Brings the node list into a topological order, stably, in O(n). @throws QfuseError `ir/cycle` naming the nodes */
  sort(): void {
    sortNodes(this.graph, (node) => this.move(node, undefined));
  }

  rename(name: string): void {
    this.#state.name = name;
    this.#state.edition++;
  }

  /** A copy of the whole graph, links included: about 100 bytes a node. */
  snapshot(): Snapshot {
    return { state: copyState(this.#state), edition: this.#state.edition };
  }

  /** Puts the graph back to a snapshot. Handles of nodes made since are erased ones; all others stay valid. */
  restore(snapshot: Snapshot): void {
    const saved = copyState(snapshot.state);
    const state = this.#state;
    saved.nodeHandles = state.nodeHandles;
    saved.valueHandles = state.valueHandles;
    // Ids are not reused within a pipeline, also not after a rollback: handles of undone nodes must stay erased.
    const { nodeCount, valueCount, useCount } = state.store;
    Object.assign(state, saved, { edition: state.edition + 1 });
    state.store.reserve(nodeCount, valueCount, useCount);
  }
}

function copyState(state: GraphState): GraphState {
  const copy = Object.assign(Object.create(GraphState.prototype) as GraphState, state);
  copy.store = state.store.clone();
  copy.ops = [...state.ops];
  copy.opCodes = new Map(state.opCodes);
  copy.attrs = [...state.attrs];
  copy.origins = [...state.origins];
  copy.types = [...state.types];
  copy.inputs = [...state.inputs];
  copy.names = new Map(state.names);
  copy.byName = new Map(state.byName);
  copy.byConstant = new Map(state.byConstant);
  copy.mutated = new Set(state.mutated);
  copy.constants = new Map(state.constants);
  copy.mutationTargets = [...state.mutationTargets];
  return copy;
}

/** Checks operands and attributes of a would-be node and infers its result types. */
function inferTypes(graph: Graph, op: AnyOp, slots: readonly (Value | undefined)[], given: AttrRecord, origin: Origin) {
  const where = (): string => `${op.name} at ${describeOrigin(origin)}`;
  let attrs: AttrRecord;
  try {
    attrs = internAttrs(op.attrs, op.attrNames, given);
  } catch (cause) {
    if (cause instanceof QfuseError) throw new QfuseError(cause.code, `${where()}: ${cause.message}`, { cause });
    throw cause;
  }
  const operands = operandTypes(op, slots, where);
  const fail = (why: string): never => {
    throw new QfuseError('ir/infer', `${where()}: ${why}`);
  };
  const context: InferContext = { operands: operands as InferContext['operands'], attrs, env: graph.env, fail };
  try {
    return { attrs, types: op.infer(context) };
  } catch (cause) {
    // Dim arithmetic reports without knowing the node.
    if (cause instanceof QfuseError && !cause.message.startsWith(op.name)) throw new QfuseError(cause.code, `${where()}: ${cause.message}`, { cause });
    throw cause;
  }
}

function operandTypes(op: AnyOp, slots: readonly (Value | undefined)[], where: () => string): Record<string, unknown> {
  const names = op.operandNames;
  const fixed = op.variadic < 0 ? names.length : names.length - 1;
  if (op.variadic < 0 ? slots.length > fixed : slots.length < fixed)
    throw new QfuseError('ir/operands', `${where()}: ${slots.length} operands, expected ${op.variadic < 0 ? 'at most' : 'at least'} ${fixed}`);
  const out: Record<string, unknown> = {};
  let at = 0;
  for (let i = 0; i < names.length; i++) {
    const spec = op.operands[names[i]!]!;
    if (i === op.variadic) {
      const end = slots.length - (names.length - i - 1);
      out[names[i]!] = slots.slice(at, end).map((v) => v?.type);
      at = end;
      continue;
    }
    const value = slots[at++];
    if (value === undefined) {
      if (spec.kind === 'required') throw new QfuseError('ir/operands', `${where()}: operand "${names[i]}" is missing`);
      continue;
    }
    const { type } = value;
    if (spec.dtypes !== undefined && !spec.dtypes.includes(type.dtype))
      throw new QfuseError('ir/operands', `${where()}: operand "${names[i]}" is ${typeText(type)}, expected dtype ${spec.dtypes.join(' or ')}`);
    out[names[i]!] = type;
  }
  return out;
}
