import type { AnyOp, Graph, GraphIds, Node, NodeId, ValueId, Verdict } from '@qfuse/ir';
import type { ListPattern, MaybePattern, OneOfPattern, OpPattern, Pattern, ThroughPattern, ValuePattern } from './pattern.js';

const NONE = -1;

/** Why a match did not come about: the reason that lies deepest in the pattern. */
export interface NearMiss {
  /** Nodes that had matched before. */
  readonly depth: number;
  readonly why: string;
  /** The node at which it failed. */
  readonly at: number;
}

/** The working memory of one matcher: captures by slot with an undo trail, so that nothing is copied. */
export class MatchState {
  readonly graph: Graph;
  readonly ids: GraphIds;
  /** Value or node id of each capture, -1 when unbound. */
  readonly slots: Int32Array;
  /** Nodes of each `through` capture. */
  readonly lists: (readonly number[] | undefined)[];
  /** Ids of the nodes that the match consists of, the root first. */
  readonly inner: number[] = [];
  /** Pattern nodes tried; a measure of work that does not depend on the machine. */
  steps = 0;
  /** The best near miss; kept only while `explaining`. */
  miss: NearMiss | undefined;
  explaining = false;
  /** Whether a node was refused for a reader that a later part of the pattern might turn out to be. */
  refusedReader = false;
  /** While set, readers of required nodes are looked at when the whole pattern has matched. */
  deferred: number[] | undefined;
  readonly #trail: number[] = [];

  constructor(graph: Graph, slots: number) {
    this.graph = graph;
    this.ids = graph.ids;
    this.slots = new Int32Array(slots).fill(NONE);
    this.lists = new Array<readonly number[] | undefined>(slots).fill(undefined);
  }

  reset(): void {
    this.slots.fill(NONE);
    this.lists.fill(undefined);
    this.inner.length = 0;
    this.#trail.length = 0;
    this.miss = undefined;
    this.refusedReader = false;
    this.deferred = undefined;
  }

  /** Binds a capture, or compares with what it is bound to. */
  bind(slot: number, id: number): boolean {
    const old = this.slots[slot]!;
    if (old !== NONE) return old === id;
    this.slots[slot] = id;
    this.#trail.push(slot);
    return true;
  }

  bindList(slot: number, nodes: readonly number[]): void {
    this.lists[slot] = nodes;
    this.#trail.push(slot);
  }

  /** A point to come back to. */
  mark(): number {
    return this.#trail.length * 65536 + this.inner.length;
  }

  undo(mark: number): void {
    const trail = Math.floor(mark / 65536);
    while (this.#trail.length > trail) {
      const slot = this.#trail.pop()!;
      this.slots[slot] = NONE;
      this.lists[slot] = undefined;
    }
    this.inner.length = mark % 65536;
  }

  /** Notes a reason, built only when somebody listens, and answers no. */
  no(at: number, why: () => string): false {
    if (this.explaining && (this.miss === undefined || this.inner.length > this.miss.depth)) this.miss = { depth: this.inner.length, why: why(), at };
    return false;
  }
}

type MatchValue = (v: number, reader: number, s: MatchState) => boolean;
type MatchNode = (n: number, s: MatchState) => boolean;

/**
 * Matches at node `n`. A node may have two readers that both belong to the match, one of which the matcher has
 * not seen when it asks: then the match is tried once more with that question put off to the end.
 */
export function matchAt(pattern: CompiledPattern, n: number, s: MatchState): boolean {
  s.reset();
  if (pattern.match(n, s)) return true;
  if (!s.refusedReader) return false;
  const { miss } = s;
  s.reset();
  s.deferred = [];
  if (pattern.match(n, s) && s.deferred.every((d) => !s.inner.includes(d) || onlyReaderIs(s, d, d))) return true;
  s.miss = miss;
  return false;
}

/** Where a capture stands. */
export interface Capture {
  readonly name: string;
  readonly kind: 'value' | 'node' | 'list';
  /** For an exposed node: the result that outside readers use. */
  readonly exposedResult?: number | undefined;
}

/** A pattern as closures over ids, one for each pattern node. */
export interface CompiledPattern {
  readonly root: AnyOp;
  readonly match: MatchNode;
  readonly captures: readonly Capture[];
  /** Number of op patterns. */
  readonly size: number;
  /** Longest way from the root to an op, in nodes. */
  readonly depth: number;
  /** Ops that a `through` may hold any number of. */
  readonly passages: ReadonlySet<AnyOp>;
}

/**
 * Compiles a pattern. No source text is generated, so it works under every content policy.
 * @throws Error when a capture name stands for a value here and for a node there, or an `each` captures
 */
export function compilePattern(root: OpPattern<any, any>): CompiledPattern {
  const compiler = new Compiler();
  const match = compiler.node(root, 1);
  return Object.freeze({ root: root.op, match, captures: compiler.captures, size: compiler.size, depth: compiler.depth, passages: compiler.passages });
}

class Compiler {
  readonly captures: Capture[] = [];
  readonly passages = new Set<AnyOp>();
  size = 0;
  depth = 0;

  #slot(name: string | undefined, kind: Capture['kind'], exposedResult?: number): number {
    if (name === undefined) return NONE;
    const at = this.captures.findIndex((c) => c.name === name);
    if (at < 0) return this.captures.push({ name, kind, exposedResult }) - 1;
    if (this.captures[at]!.kind !== kind) throw new Error(`pattern: "${name}" captures a ${this.captures[at]!.kind} and a ${kind}`);
    return at;
  }

  node(p: OpPattern<any, any>, depth: number): MatchNode {
    this.size++;
    this.depth = Math.max(this.depth, depth);
    const def: AnyOp = p.op;
    const slot = this.#slot(p.name, 'node', p.readers === 'exposed' ? p.resultIndex : undefined);
    const operands = Object.entries(p.operands).map(([name, inner]) => ({ name, match: this.#operand(def, name, inner, depth) }));
    const checks = p.checks as readonly ((node: Node) => Verdict)[];
    const [a, b] = def.commutative ?? [];
    // Only worth a second try when one of the two is constrained.
    const swaps = a !== undefined && b !== undefined && operands.some((o) => o.name === a || o.name === b);
    const swapped = operands.map((o) => ({ ...o, name: o.name === a ? b! : o.name === b ? a! : o.name }));
    const all = (list: typeof operands, n: number, s: MatchState): boolean => {
      for (const o of list) if (!o.match(n, o.name, s)) return false;
      for (const check of checks) {
        const verdict = check(s.graph.node(n as NodeId));
        if (!verdict.ok) return s.no(n, () => verdict.why);
      }
      return true;
    };
    return (n, s) => {
      s.steps++;
      if (s.ids.op(n) !== def) return s.no(n, () => `expected ${def.name}, found ${s.ids.op(n)?.name}`);
      const before = s.mark();
      if (slot >= 0 && !s.bind(slot, n)) return s.no(n, () => `"${p.name}" is another node`);
      s.inner.push(n);
      const mark = s.mark();
      if (all(operands, n, s)) return true;
      if (swaps) {
        s.undo(mark);
        if (all(swapped, n, s)) return true;
      }
      s.undo(before);
      return false;
    };
  }

  #operand(def: AnyOp, name: string, p: Pattern, depth: number): (n: number, name: string, s: MatchState) => boolean {
    if (p.form === 'list' || p.form === 'each') {
      if (def.operandNames.indexOf(name) !== def.variadic) throw new Error(`pattern: operand "${name}" of ${def.name} is not a list`);
      return this.#list(def, p as ListPattern, depth);
    }
    const match = this.value(p, depth + 1);
    const wantsNone = p.form === 'absent';
    return (n, slotName, s) => {
      const v = s.ids.operand(n, s.ids.slot(n, slotName));
      if (wantsNone) return v === NONE || s.no(n, () => `operand "${slotName}" of ${def.name} is there`);
      return v === NONE ? s.no(n, () => `operand "${slotName}" of ${def.name} is absent`) : match(v, n, s);
    };
  }

  #list(def: AnyOp, p: ListPattern, depth: number): (n: number, name: string, s: MatchState) => boolean {
    const before = this.captures.length;
    const matches = p.elements.map((e) => this.value(e, depth + 1));
    if (p.form === 'each' && this.captures.length > before) throw new Error(`pattern: each(…) cannot capture, it matches several values`);
    const at = def.variadic;
    const after = def.operandNames.length - at - 1;
    return (n, name, s) => {
      const count = s.ids.arity(n) - after - at;
      if (p.form === 'list' && count !== matches.length) return s.no(n, () => `operand "${name}" of ${def.name} has ${count} elements, expected ${matches.length}`);
      for (let i = 0; i < count; i++) {
        const v = s.ids.operand(n, at + i);
        if (v !== NONE && !matches[p.form === 'each' ? 0 : i]!(v, n, s)) return false;
      }
      return true;
    };
  }

  value(p: Pattern, depth: number): MatchValue {
    switch (p.form) {
      case 'any':
      case 'constant':
        return this.#any(p as ValuePattern);
      case 'op':
        return this.#opValue(p as OpPattern<any, any>, depth);
      case 'maybe':
        return this.#maybe(p as MaybePattern, depth);
      case 'through':
        return this.#through(p as ThroughPattern, depth);
      case 'oneOf': {
        const options = (p as OneOfPattern).options.map((o) => this.value(o, depth));
        return (v, reader, s) => {
          const mark = s.mark();
          for (const option of options) {
            if (option(v, reader, s)) return true;
            s.undo(mark);
          }
          return false;
        };
      }
      default:
        throw new Error(`pattern: "${p.form}" can only stand for an operand`);
    }
  }

  #any(p: ValuePattern): MatchValue {
    const slot = this.#slot(p.name, 'value');
    const { dtypes, checks, form } = p;
    return (v, reader, s) => {
      s.steps++;
      if (form === 'constant' && !s.ids.isConstant(v)) return s.no(reader, () => `${describeValue(s, v)} is not a constant`);
      if (dtypes !== undefined && !dtypes.includes(s.ids.type(v).dtype)) return s.no(reader, () => `dtype is ${s.ids.type(v).dtype}, expected ${dtypes.join(' or ')}`);
      if (slot >= 0 && !s.bind(slot, v)) return s.no(reader, () => `"${p.name}" is another value here`);
      for (const check of checks) {
        const verdict = check(s.graph.value(v as ValueId));
        if (!verdict.ok) return s.no(reader, () => verdict.why);
      }
      return true;
    };
  }

  #opValue(p: OpPattern<any, any>, depth: number): MatchValue {
    const match = this.node(p, depth);
    const exclusive = p.readers === 'exclusive';
    return (v, reader, s) => {
      const n = s.ids.producer(v);
      if (n === NONE) return s.no(reader, () => `expected ${p.op.name}, found ${describeValue(s, v)}`);
      if (s.ids.result(n, p.resultIndex) !== v) return s.no(n, () => `result ${v - s.ids.result(n, 0)} of ${p.op.name} is read, expected result ${p.resultIndex}`);
      if (!match(n, s)) return false;
      if (!exclusive || onlyReaderIs(s, n, reader)) return true;
      s.refusedReader = true;
      s.deferred?.push(n);
      return s.deferred !== undefined || s.no(n, () => `${p.op.name} has ${readerCount(s, n)} readers`);
    };
  }

  #maybe(p: MaybePattern, depth: number): MatchValue {
    const def: AnyOp = p.node.op;
    // The pattern of the optional node with `inner` put into its free operand.
    const withNode = this.#opValue({ ...p.node, operands: { ...p.node.operands, [p.operand]: p.inner } } as OpPattern<any, any>, depth);
    const without = this.value(p.inner, depth);
    return (v, reader, s) => {
      const n = s.ids.producer(v);
      const mark = s.mark();
      if (n !== NONE && s.ids.op(n) === def && withNode(v, reader, s)) return true;
      s.undo(mark);
      return without(v, reader, s);
    };
  }

  #through(p: ThroughPattern, depth: number): MatchValue {
    const slot = this.#slot(p.name, 'list');
    const inner = this.value(p.inner, depth);
    for (const passage of p.passages) this.passages.add(passage.op);
    const exclusive = p.readers === 'exclusive';
    return (v, reader, s) => {
      const start = s.mark();
      const nodes: number[] = [];
      let at = v;
      let from = reader;
      for (;;) {
        const mark = s.mark();
        s.bindList(slot, [...nodes]);
        if (inner(at, from, s)) return true;
        s.undo(mark);
        const n = s.ids.producer(at);
        const passage = n === NONE ? undefined : p.passages.find((x) => x.op === s.ids.op(n));
        if (passage === undefined) break;
        s.steps++;
        const verdict = passage.where?.(s.graph.node(n as NodeId));
        if (verdict?.ok === false) {
          s.no(n, () => verdict.why);
          break;
        }
        if (exclusive && !onlyReaderIs(s, n, from)) {
          s.no(n, () => `${passage.op.name} has ${readerCount(s, n)} readers`);
          break;
        }
        nodes.push(n);
        s.inner.push(n);
        from = n;
        at = s.ids.operand(n, s.ids.slot(n, passage.operand ?? passage.op.operandNames[0]!));
        if (at === NONE) break;
      }
      s.undo(start);
      return false;
    };
  }
}

/** Whether no result of `n` is read by anything but `reader` and the nodes of the match so far. */
function onlyReaderIs(s: MatchState, n: number, reader: number): boolean {
  for (let i = 0; i < s.ids.resultCount(n); i++)
    for (let u = s.ids.firstUse(s.ids.result(n, i)); u !== NONE; u = s.ids.nextUse(u)) {
      const owner = s.ids.useOwner(u);
      if (owner !== reader && !s.inner.includes(owner)) return false;
    }
  return true;
}

function readerCount(s: MatchState, n: number): number {
  const readers = new Set<number>();
  for (let i = 0; i < s.ids.resultCount(n); i++) for (let u = s.ids.firstUse(s.ids.result(n, i)); u !== NONE; u = s.ids.nextUse(u)) readers.add(s.ids.useOwner(u));
  return readers.size;
}

function describeValue(s: MatchState, v: number): string {
  const value = s.graph.value(v as ValueId);
  const n = value.producer;
  if (n !== undefined) return `a result of ${n.op.name}`;
  const entry = s.graph.graphConstant(value);
  return entry === undefined ? `the graph input "${value.name}"` : `the ${entry.role} "${entry.name}"`;
}
