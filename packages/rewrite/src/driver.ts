import { type AnyOp, type Builder, type Editor, graphReturn, type Graph, madeOrigin, type Node, type NodeId, QfuseError, type Value } from '@qfuse/ir';
import { convexityProblem } from './convexity.js';
import { matchAt, MatchState } from './match.js';
import type { Replacement, Rule } from './rule.js';
import { Worklist } from './worklist.js';

/** A rule that was tried at a node and refused it. */
export interface Refusal {
  readonly rule: Rule;
  readonly node: Node;
  readonly why: string;
  /** The node at which the match failed. */
  readonly at: Node;
  /** Nodes that had matched; 0 when not even the root's operands did. */
  readonly depth: number;
}

/** A rule that was applied. */
export interface Application {
  readonly rule: Rule;
  /** The new values of the root's results. */
  readonly results: readonly Value[];
}

/** A match that is about to be rewritten: the graph is still as it was. */
export interface Match {
  readonly rule: Rule;
  readonly root: Node;
  /** The nodes of the match, the root first. */
  readonly inner: readonly Node[];
}

/** Options of {@link applyRules}. */
export interface DriverOptions {
  /** Which end of the graph is looked at first; fusions want `readers-first`, the default, folding `producers-first`. */
  readonly order?: 'readers-first' | 'producers-first';
  /** Shuffles the worklist, to show that a rule set does not depend on the order. */
  readonly seed?: number;
  /** Called before a rule is applied. */
  readonly onMatch?: ((match: Match) => void) | undefined;
  /** Called for each applied rule. */
  readonly onApply?: ((application: Application) => void) | undefined;
  /** Called for each refusal of a rule that matched at least its root; costs nothing when absent. */
  readonly onRefuse?: ((refusal: Refusal) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a run of the driver did. */
export interface RewriteReport {
  readonly applied: number;
  readonly byRule: Readonly<Record<string, number>>;
  /** Nodes looked at. */
  readonly visits: number;
  /** Pattern nodes tried. */
  readonly steps: number;
}

/** A rule may be applied to what rules made this often before the rule set is called endless. */
const MAX_GENERATION = 64;

/** Rewrites a graph of n nodes may take: a rule set that shrinks needs at most n. */
const rewriteBudget = (nodes: number): number => 8 * (nodes + 16);

/**
 * Applies rules until none matches any more. Only nodes whose op is the root of a rule are looked at, so cost is
 * linear in the nodes and does not depend on rules whose root does not occur.
 * @throws QfuseError `rewrite/no-convergence` naming the rules that undo each other; `rewrite/type` when a replacement has another type
 */
export function applyRules(edit: Editor, rules: readonly Rule[], options: DriverOptions = {}): RewriteReport {
  return new Driver(edit, rules, options).run();
}

class Driver {
  readonly #edit: Editor;
  readonly #graph: Graph;
  readonly #options: DriverOptions;
  readonly #byOp = new Map<AnyOp, readonly Rule[]>();
  readonly #states = new Map<Rule, MatchState>();
  readonly #depth: number;
  readonly #passages = new Set<AnyOp>();
  readonly #worklist: Worklist;
  /** For nodes made by rules: generation, rule and a node they were made from. */
  readonly #made = new Map<number, { readonly generation: number; readonly rule: Rule; readonly from: number }>();
  readonly #byRule: Record<string, number> = {};
  #applied = 0;
  #visits = 0;

  constructor(edit: Editor, rules: readonly Rule[], options: DriverOptions) {
    this.#edit = edit;
    this.#graph = edit.graph;
    this.#options = options;
    for (const rule of rules) {
      this.#byOp.set(rule.root.op, [...(this.#byOp.get(rule.root.op) ?? []), rule].sort((a, b) => b.benefit - a.benefit));
      for (const op of rule.pattern.passages) this.#passages.add(op);
      const state = new MatchState(this.#graph, rule.pattern.captures.length);
      state.explaining = options.onRefuse !== undefined;
      this.#states.set(rule, state);
    }
    this.#depth = Math.max(1, ...rules.map((r) => r.pattern.depth));
    this.#worklist = new Worklist(options.seed);
  }

  run(): RewriteReport {
    const { ids } = this.#graph;
    const budget = rewriteBudget(this.#graph.size);
    const wanted = new Set<number>();
    for (const op of this.#byOp.keys()) if (ids.codeOf(op) >= 0) wanted.add(ids.codeOf(op));
    const readersFirst = this.#options.order !== 'producers-first';
    for (let n = readersFirst ? ids.first : ids.last; n >= 0; n = readersFirst ? ids.next(n) : ids.prev(n)) if (wanted.has(ids.opCode(n))) this.#worklist.push(n);
    for (let n = this.#worklist.pop(); n >= 0; n = this.#worklist.pop()) {
      const op = ids.op(n);
      const rules = op === undefined ? undefined : this.#byOp.get(op);
      if (rules === undefined) continue;
      this.#visits++;
      if ((this.#visits & 1023) === 0) this.#options.signal?.throwIfAborted();
      for (const rule of rules) if (this.#try(rule, n)) break;
      if (this.#applied > budget) throw this.#noConvergence(n);
    }
    let steps = 0;
    for (const s of this.#states.values()) steps += s.steps;
    return { applied: this.#applied, byRule: this.#byRule, visits: this.#visits, steps };
  }

  #try(rule: Rule, n: number): boolean {
    const state = this.#states.get(rule)!;
    if (!matchAt(rule.pattern, n, state)) {
      if (state.miss !== undefined && state.miss.depth > 0) this.#refuse(rule, n, state.miss.why, state.miss.at, state.miss.depth);
      return false;
    }
    const root = this.#graph.node(n as NodeId);
    const context = { graph: this.#graph, env: this.#graph.env, root };
    const captures = this.#captures(rule, state);
    const verdict = rule.where?.(captures, context);
    if (verdict?.ok === false) {
      this.#refuse(rule, n, verdict.why, n, state.inner.length);
      return false;
    }
    const exposure = this.#exposure(rule, state);
    if (exposure.problem !== undefined) {
      this.#refuse(rule, n, exposure.problem, n, state.inner.length);
      return false;
    }
    this.#apply(rule, root, [...state.inner], captures, context, exposure);
    return true;
  }

  #refuse(rule: Rule, n: number, why: string, at: number, depth: number): void {
    this.#options.onRefuse?.({ rule, node: this.#graph.node(n as NodeId), why, at: this.#graph.node(at as NodeId), depth });
  }

  #captures(rule: Rule, state: MatchState): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    rule.pattern.captures.forEach(({ name, kind }, slot) => {
      const id = state.slots[slot]!;
      if (kind === 'list') out[name] = (state.lists[slot] ?? []).map((n) => this.#graph.node(n as NodeId));
      else if (id >= 0) out[name] = kind === 'node' ? this.#graph.node(id as NodeId) : this.#graph.value(id as never);
    });
    return out;
  }

  /** Exposed nodes with readers outside the match, and whether moving those readers would close a cycle. */
  #exposure(rule: Rule, state: MatchState): { names: string[]; readers: Node[]; problem: string | undefined } {
    const names: string[] = [];
    const readers: Node[] = [];
    rule.pattern.captures.forEach(({ name, exposedResult }, slot) => {
      const n = state.slots[slot]!;
      if (exposedResult === undefined || n < 0) return;
      const outside = this.#graph
        .node(n as NodeId)
        .results.flatMap((r) => r.readers())
        .filter((r) => r === graphReturn || !state.inner.includes((r as Node).id));
      if (outside.length === 0) return;
      names.push(name);
      for (const r of outside) if (r !== graphReturn) readers.push(r as Node);
    });
    return { names, readers, problem: readers.length === 0 ? undefined : convexityProblem(this.#graph, state.inner, readers) };
  }

  #apply(rule: Rule, root: Node, inner: readonly number[], captures: object, context: object, exposure: { names: string[]; readers: Node[] }): void {
    const { ids } = this.#graph;
    this.#options.onMatch?.({ rule, root, inner: inner.map((n) => this.#graph.node(n as NodeId)) });
    const generation = 1 + Math.min(...inner.map((n) => this.#made.get(n)?.generation ?? 0));
    const firstNew = ids.nodeLimit;
    const dropped = new Set<number>();
    for (const n of inner) for (let i = 0; i < ids.arity(n); i++) if (ids.operand(n, i) >= 0) dropped.add(ids.operand(n, i));

    this.#edit.origin = madeOrigin(rule.name, inner.map((n) => ids.origin(n)).reverse());
    this.#edit.place = root;
    let replacement: Replacement;
    try {
      replacement = normalized(rule.rewrite(captures, this.#edit as Builder, context as never));
    } finally {
      this.#edit.place = undefined;
    }
    const { results } = root;
    if (replacement.results.length !== results.length) throw new Error(`rule ${rule.name} returns ${replacement.results.length} values for ${results.length} results`);
    const changed: number[] = [];
    const move = (from: Value, to: Value): void => {
      for (let u = ids.firstUse(from.id); u >= 0; u = ids.nextUse(u)) changed.push(ids.useOwner(u));
      this.#redirect(rule, from, to);
    };
    results.forEach((from, i) => move(from, replacement.results[i]!));
    for (const name of exposure.names) {
      const node = (captures as Record<string, Node>)[name]!;
      const to = replacement.exposed?.[name];
      if (to === undefined) throw new Error(`rule ${rule.name} does not return a value for the exposed "${name}"`);
      const index = rule.pattern.captures.find((c) => c.name === name)!.exposedResult!;
      const from = node.results[index]!;
      if (node.results.some((r, i) => i !== index && r.useCount > 0)) throw new Error(`rule ${rule.name}: the exposed "${name}" has readers of several results`);
      move(from, to);
    }
    if (exposure.readers.length > 0) this.#edit.sort();
    this.#sweep([root.id, ...inner]);
    for (let n = firstNew; n < ids.nodeLimit; n++) {
      this.#made.set(n, { generation, rule, from: root.id });
      this.#push(n);
      this.#pushReaders(n);
    }
    for (const n of changed) {
      this.#push(n);
      this.#pushReaders(n);
    }
    for (const v of dropped) this.#pushAround(v);
    this.#applied++;
    this.#byRule[rule.name] = (this.#byRule[rule.name] ?? 0) + 1;
    this.#options.onApply?.({ rule, results: replacement.results });
    if (generation > MAX_GENERATION) throw this.#noConvergence(firstNew < ids.nodeLimit ? firstNew : root.id);
  }

  #redirect(rule: Rule, from: Value, to: Value): void {
    try {
      this.#edit.redirect(from, to);
    } catch (cause) {
      if (cause instanceof QfuseError) throw new QfuseError('rewrite/type', `rule ${rule.name}: ${cause.message}`, { cause });
      throw cause;
    }
  }

  /** Erases the nodes of a match that nothing reads any more, and what only they read. */
  #sweep(from: readonly number[]): void {
    const { ids } = this.#graph;
    const dead = [...from].reverse();
    while (dead.length > 0) {
      const n = dead.pop()!;
      const op = ids.op(n);
      if (op === undefined || !op.pure || hasUses(ids, n)) continue;
      for (let i = 0; i < ids.arity(n); i++) {
        const p = ids.operand(n, i) < 0 ? -1 : ids.producer(ids.operand(n, i));
        if (p >= 0) dead.push(p);
      }
      this.#edit.erase(this.#graph.node(n as NodeId));
    }
  }

  #push(n: number): void {
    const op = this.#graph.ids.op(n);
    if (op !== undefined && this.#byOp.has(op)) this.#worklist.push(n);
  }

  /** A producer that lost a reader may match now, and so may its readers: they asked for an only reader. */
  #pushAround(v: number): void {
    const { ids } = this.#graph;
    const p = ids.producer(v);
    if (p < 0 || ids.op(p) === undefined) return;
    this.#push(p);
    if (ids.useCount(v) > 0 && ids.hasOneReader(v)) this.#pushReaders(p);
  }

  /** Queues the nodes above `n` whose pattern may reach down to it. */
  #pushReaders(n: number): void {
    const { ids } = this.#graph;
    let level = [n];
    for (let depth = 1; depth < this.#depth && level.length > 0; depth++) {
      const next: number[] = [];
      for (const m of level) {
        if (ids.op(m) === undefined) continue;
        for (let i = 0; i < ids.resultCount(m); i++)
          for (let u = ids.firstUse(ids.result(m, i)); u >= 0; u = ids.nextUse(u)) {
            const reader = ids.useOwner(u);
            if (reader === ids.returnId) continue;
            this.#push(reader);
            // Ops that a pattern passes through do not count as a level.
            if (this.#passages.has(ids.op(reader)!)) level.push(reader);
            else next.push(reader);
          }
      }
      level = next;
    }
  }

  #noConvergence(at: number): QfuseError {
    const rules: string[] = [];
    for (let n = at; this.#made.has(n) && rules.length < 8; n = this.#made.get(n)!.from) {
      const { name } = this.#made.get(n)!.rule;
      if (!rules.includes(name)) rules.push(name);
    }
    const names = rules.length > 0 ? rules : Object.keys(this.#byRule);
    return new QfuseError('rewrite/no-convergence', `the rules ${names.join(', ')} keep rewriting each other's results`, { help: 'a rule must go downhill: fewer, cheaper or more canonical nodes' });
  }
}

const hasUses = (ids: Graph['ids'], n: number): boolean => {
  for (let i = 0; i < ids.resultCount(n); i++) if (ids.useCount(ids.result(n, i)) > 0) return true;
  return false;
};

function normalized(r: Value | readonly Value[] | Replacement): Replacement {
  if ('results' in r) return r as Replacement;
  return { results: Array.isArray(r) ? (r as readonly Value[]) : [r as Value] };
}
