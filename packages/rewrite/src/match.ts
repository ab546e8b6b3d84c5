import type { AnyOp, GraphIds, Node, NodeId, ValueId, Verdict } from '@qfuse/ir';
import type { MatchState } from './match-state.js';
import type { ListPattern, MaybePattern, OneOfPattern, OpPattern, Passage, Pattern, ThroughPattern, ValuePattern } from './pattern.js';

const NONE = -1;

/**
 * What is left of the pattern when a part of it has matched. Each matcher calls the rest itself and tries its other
 * alternatives when that fails, so that a match is found when there is one, whichever alternative of a part it needs.
 */
type Rest = (s: MatchState) => boolean;
/** Matches a value that node `reader` uses. Whoever answers no leaves the state as it was. */
type MatchValue = (v: number, reader: number, s: MatchState) => boolean;
type MatchNode = (n: number, s: MatchState) => boolean;

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
  /** Number of op patterns, every alternative counted. */
  readonly frames: number;
  /** Number of ops in the largest match, those of a `through` not counted. */
  readonly size: number;
  /** Longest way from the root to an op, in nodes. */
  readonly depth: number;
  /** Ops that a `through` may hold any number of. */
  readonly passages: ReadonlySet<AnyOp>;
}

/** Matches at node `n`. The captures are in `s` until the next match. */
export function matchAt(pattern: CompiledPattern, n: number, s: MatchState): boolean {
  s.reset();
  return pattern.match(n, s);
}

/**
 * Compiles a pattern. No source text is generated, so it works under every content policy.
 * @throws Error when the pattern contradicts itself: a capture name stands for a value here and for a node there, an
 * `each` captures, a list operand has a pattern for one value, the root is shared or exposed
 */
export function compilePattern(root: OpPattern<any, any>): CompiledPattern {
  if (root.readers !== 'exclusive')
    throw new Error(`pattern: the root ${root.op.name} cannot be ${root.readers}, all its readers take the replacement`);
  const compiler = new Compiler();
  const match = compiler.node(root, 1, onlyInsideReaders);
  const { captures, frames, size, depth, passages } = compiler;
  return Object.freeze({ root: root.op, match, captures, frames, size, depth, passages });
}

/** The end of every pattern: readers that were not known when a node matched must be part of the match by now. */
function onlyInsideReaders(s: MatchState): boolean {
  for (const n of s.pending)
    if (!readOnlyBy(s, n, NONE)) return s.explaining && s.no(n, `${s.ids.op(n)!.name} has ${readerCount(s.ids, n)} readers`);
  return true;
}

const always: Rest = () => true;

/** Every function that compiles a part of a pattern takes the compiled rest of it. */
class Compiler {
  readonly captures: Capture[] = [];
  readonly passages = new Set<AnyOp>();
  frames = 0;
  size = 0;
  depth = 0;

  #slot(name: string | undefined, kind: Capture['kind'], exposedResult?: number): number {
    if (name === undefined) return NONE;
    const at = this.captures.findIndex((c) => c.name === name);
    if (at < 0) return this.captures.push({ name, kind, exposedResult }) - 1;
    const known = this.captures[at]!;
    if (known.kind !== kind) throw new Error(`pattern: "${name}" captures a ${known.kind} and a ${kind}`);
    this.captures[at] = { name, kind, exposedResult: known.exposedResult ?? exposedResult };
    return at;
  }

  node(p: OpPattern<any, any>, depth: number, rest: Rest): MatchNode {
    this.size++;
    this.depth = Math.max(this.depth, depth);
    const frame = this.frames++;
    const def: AnyOp = p.op;
    const slot = this.#slot(p.name, 'node', p.readers === 'exposed' ? p.resultIndex : undefined);
    let operands = checked(p, frame, rest);
    for (const [name, inner] of Object.entries(p.operands).reverse()) operands = this.#operand(def, name, inner, depth, frame, operands);
    const pair = def.commutative ?? [];
    // Only worth a second try when one of the two is constrained.
    const [a, b] = pair.some((name) => Object.hasOwn(p.operands, name)) ? pair.map((name) => slotOf(def, name)) : [NONE, NONE];
    return (n, s) => {
      s.steps++;
      const { ids } = s;
      if (ids.op(n) !== def) return s.explaining && s.no(n, `expected ${def.name}, found ${ids.op(n)?.name}`);
      const before = s.mark();
      if (slot >= 0 && !s.bind(slot, n)) return s.explaining && s.no(n, `"${p.name}" is another node`);
      s.enter(n);
      s.frames[frame] = n;
      s.swapped[frame] = 0;
      if (operands(s)) return true;
      if (a! >= 0 && ids.operand(n, a!) !== ids.operand(n, b!)) {
        s.swapped[frame] = 1;
        if (operands(s)) return true;
      }
      s.undo(before);
      return false;
    };
  }

  #operand(def: AnyOp, name: string, p: Pattern, depth: number, frame: number, rest: Rest): Rest {
    const isList = p.form === 'list' || p.form === 'each';
    if (isList !== (def.operandNames.indexOf(name) === def.variadic))
      throw new Error(`pattern: operand "${name}" of ${def.name} is ${isList ? 'not a list' : 'a list: ask for list(…) or each(…)'}`);
    if (p.form === 'each') return this.#each(def, p as ListPattern, depth, frame, rest);
    if (p.form === 'list') return this.#list(def, name, p as ListPattern, depth, frame, rest);
    const match = this.#valueOrAbsent(p, depth + 1, rest);
    const straight = slotOf(def, name);
    const partner = def.commutative?.includes(name) === true ? def.commutative[name === def.commutative[0] ? 1 : 0] : name;
    const swapped = slotOf(def, partner);
    return (s) => {
      const n = s.frames[frame]!;
      const slot = s.swapped[frame] === 1 ? swapped : straight;
      return match(s.ids.operand(n, slot < 0 ? s.ids.arity(n) + slot : slot), n, s);
    };
  }

  /** The elements one after the other, each with those behind it as its rest. */
  #list(def: AnyOp, name: string, p: ListPattern, depth: number, frame: number, rest: Rest): Rest {
    const first = def.variadic;
    const others = def.operandNames.length - 1;
    let elements = rest;
    for (let i = p.elements.length - 1; i >= 0; i--) {
      const match = this.#valueOrAbsent(p.elements[i]!, depth + 1, elements);
      elements = (s) => match(s.ids.operand(s.frames[frame]!, first + i), s.frames[frame]!, s);
    }
    return (s) => {
      const n = s.frames[frame]!;
      const count = s.ids.arity(n) - others;
      if (count !== p.elements.length)
        return s.explaining && s.no(n, `operand "${name}" of ${def.name} has ${count} elements, expected ${p.elements.length}`);
      return elements(s);
    };
  }

  /** An element has no alternatives to go back to: without captures no later part depends on them. */
  #each(def: AnyOp, p: ListPattern, depth: number, frame: number, rest: Rest): Rest {
    const before = this.captures.length;
    const match = this.value(p.elements[0]!, depth + 1, always);
    if (this.captures.length > before) throw new Error(`pattern: each(…) cannot capture, it matches several values`);
    const first = def.variadic;
    const others = def.operandNames.length - 1;
    return (s) => {
      const n = s.frames[frame]!;
      const mark = s.mark();
      const end = first + s.ids.arity(n) - others;
      for (let i = first; i < end; i++) {
        const v = s.ids.operand(n, i);
        if (v === NONE || match(v, n, s)) continue;
        s.undo(mark);
        return false;
      }
      if (rest(s)) return true;
      s.undo(mark);
      return false;
    };
  }

  #valueOrAbsent(p: Pattern, depth: number, rest: Rest): MatchValue {
    if (p.form === 'absent')
      return (v, reader, s) =>
        v === NONE ? rest(s) : s.explaining && s.no(reader, `${s.ids.op(reader)!.name} has an operand where none was expected`);
    const match = this.value(p, depth, rest);
    return (v, reader, s) =>
      v === NONE ? s.explaining && s.no(reader, `an operand of ${s.ids.op(reader)!.name} is absent`) : match(v, reader, s);
  }

  value(p: Pattern, depth: number, rest: Rest): MatchValue {
    switch (p.form) {
      case 'any':
      case 'constant':
        return this.#any(p as ValuePattern, rest);
      case 'op':
        return this.#opValue(p as OpPattern<any, any>, depth, rest);
      case 'maybe':
        return this.#maybe(p as MaybePattern, depth, rest);
      case 'through':
        return this.#through(p as ThroughPattern, depth, rest);
      case 'oneOf':
        return this.#alternatives((p as OneOfPattern).options.map((o) => () => this.value(o, depth, rest)));
      default:
        throw new Error(`pattern: "${p.form}" can only stand for an operand`);
    }
  }

  #any(p: ValuePattern, rest: Rest): MatchValue {
    const slot = this.#slot(p.name, 'value');
    const { dtypes, checks, form } = p;
    return (v, reader, s) => {
      s.steps++;
      const { ids } = s;
      if (form === 'constant' && !ids.isConstant(v)) return s.explaining && s.no(reader, `${describeValue(s, v)} is not a constant`);
      if (dtypes !== undefined && !dtypes.includes(ids.type(v).dtype))
        return s.explaining && s.no(reader, `dtype is ${ids.type(v).dtype}, expected ${dtypes.join(' or ')}`);
      const mark = s.mark();
      if (slot >= 0 && !s.bind(slot, v)) return s.explaining && s.no(reader, `"${p.name}" is another value here`);
      const refused = checks.length === 0 ? undefined : firstRefusal(checks, s.graph.value(v as ValueId));
      if (refused === undefined && rest(s)) return true;
      s.undo(mark);
      return refused !== undefined && s.explaining && s.no(reader, refused);
    };
  }

  #opValue(p: OpPattern<any, any>, depth: number, rest: Rest): MatchValue {
    const match = this.node(p, depth, rest);
    const exclusive = p.readers === 'exclusive';
    return (v, reader, s) => {
      const { ids } = s;
      const n = ids.producer(v);
      if (n === NONE) return s.explaining && s.no(reader, `expected ${p.op.name}, found ${describeValue(s, v)}`);
      if (ids.op(n) === p.op && ids.result(n, p.resultIndex) !== v)
        return s.explaining && s.no(n, `result ${v - ids.result(n, 0)} of ${p.op.name} is read, expected result ${p.resultIndex}`);
      const mark = s.mark();
      if (exclusive && ids.op(n) === p.op && !readOnlyBy(s, n, reader)) s.defer(n);
      if (match(n, s)) return true;
      s.undo(mark);
      return false;
    };
  }

  #maybe(p: MaybePattern, depth: number, rest: Rest): MatchValue {
    // The pattern of the optional node with `inner` put into its free operand.
    const outer: OpPattern<any, any> = { ...p.node, operands: { ...p.node.operands, [p.operand]: p.inner } };
    return this.#alternatives([() => this.#opValue(outer, depth, rest), () => this.value(p.inner, depth, rest)]);
  }

  #alternatives(compile: readonly (() => MatchValue)[]): MatchValue {
    const { size } = this;
    let largest = size;
    const options = compile.map((option) => {
      this.size = size;
      const match = option();
      largest = Math.max(largest, this.size);
      return match;
    });
    this.size = largest;
    return (v, reader, s) => {
      for (const option of options) if (option(v, reader, s)) return true;
      return false;
    };
  }

  /** As many passages as there are, then one less until `inner` matches. */
  #through(p: ThroughPattern, depth: number, rest: Rest): MatchValue {
    const slot = this.#slot(p.name, 'list');
    const inner = this.value(p.inner, depth, rest);
    for (const passage of p.passages) this.passages.add(passage.op);
    const exclusive = p.readers === 'exclusive';
    return (v, reader, s) => {
      const values = [v];
      const nodes: number[] = [];
      const marks: number[] = [];
      for (;;) {
        const at = values.at(-1)!;
        const n = s.ids.producer(at);
        const behind = n === NONE ? NONE : passedOperand(p.passages, n, at, s);
        if (behind === NONE) break;
        marks.push(s.mark());
        if (exclusive && !readOnlyBy(s, n, nodes.at(-1) ?? reader)) s.defer(n);
        s.enter(n);
        nodes.push(n);
        values.push(behind);
      }
      for (;;) {
        const mark = s.mark();
        s.bindList(slot, [...nodes]);
        if (inner(values.at(-1)!, nodes.at(-1) ?? reader, s)) return true;
        s.undo(mark);
        if (nodes.length === 0) return false;
        s.undo(marks.pop()!);
        nodes.pop();
        values.pop();
      }
    };
  }
}

/** The operand of `n` that goes through it as `v`, -1 when `n` is none of the passages. */
function passedOperand(passages: readonly Passage[], n: number, v: number, s: MatchState): number {
  const op = s.ids.op(n);
  const passage = passages.find((p) => p.op === op);
  if (passage === undefined || s.ids.result(n, 0) !== v) return NONE;
  s.steps++;
  const verdict = passage.where?.(s.graph.node(n as NodeId));
  if (verdict?.ok === false) {
    if (s.explaining) s.no(n, verdict.why);
    return NONE;
  }
  return s.ids.operand(n, s.ids.slot(n, passage.operand ?? passage.op.operandNames[0]!));
}

/** Slot of an operand; one behind the variadic operand is counted from the end, as a negative number. */
function slotOf(def: AnyOp, name: string): number {
  const at = def.operandNames.indexOf(name);
  return def.variadic >= 0 && at > def.variadic ? at - def.operandNames.length : at;
}

/** `rest` after the conditions of an op pattern. */
function checked(p: OpPattern<any, any>, frame: number, rest: Rest): Rest {
  const checks = p.checks as readonly ((node: Node) => Verdict)[];
  if (checks.length === 0) return rest;
  return (s) => {
    const n = s.frames[frame]!;
    const refused = firstRefusal(checks, s.graph.node(n as NodeId));
    return refused === undefined ? rest(s) : s.explaining && s.no(n, refused);
  };
}

function firstRefusal<T>(checks: readonly ((x: T) => Verdict)[], x: T): string | undefined {
  for (const check of checks) {
    const verdict = check(x);
    if (!verdict.ok) return verdict.why;
  }
  return undefined;
}

/** Whether no result of `n` is read by anything but `reader` and the nodes of the match so far. */
function readOnlyBy(s: MatchState, n: number, reader: number): boolean {
  const { ids } = s;
  for (let i = ids.resultCount(n) - 1; i >= 0; i--)
    for (let u = ids.firstUse(ids.result(n, i)); u !== NONE; u = ids.nextUse(u)) {
      const owner = ids.useOwner(u);
      if (owner !== reader && !s.inner.includes(owner)) return false;
    }
  return true;
}

function readerCount(ids: GraphIds, n: number): number {
  const readers = new Set<number>();
  for (let i = 0; i < ids.resultCount(n); i++)
    for (let u = ids.firstUse(ids.result(n, i)); u !== NONE; u = ids.nextUse(u)) readers.add(ids.useOwner(u));
  return readers.size;
}

function describeValue(s: MatchState, v: number): string {
  const value = s.graph.value(v as ValueId);
  const n = value.producer;
  if (n !== undefined) return `a result of ${n.op.name}`;
  const entry = s.graph.graphConstant(value);
  return entry === undefined ? `the graph input "${value.name}"` : `the ${entry.role} "${entry.name}"`;
}
