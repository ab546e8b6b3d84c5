import { type AnyOp, type Editor, graphReturn, type Graph, type Node, type NodeId, QfuseError, type Value } from '@qfuse/ir';
import { followersBefore } from './convexity.js';
import { History } from './history.js';
import { IntStack } from './int-stack.js';
import { type Capture, matchAt } from './match.js';
import { distinct, hasUses, newReader, reads } from './links.js';
import { MatchState } from './match-state.js';
import { Neighbourhood } from './neighbourhood.js';
import type { Replacement, Rule, RuleContext } from './rule.js';
import { Worklist } from './worklist.js';

const NONE = -1;

/** A rule that was tried at a node and refused it. */
export interface Refusal {
  readonly rule: Rule;
  readonly node: Node;
  readonly why: string;
  /** The node at which the match failed. */
  readonly at: Node;
  /** Nodes that had matched, the root included. */
  readonly depth: number;
}

/** A rule that was applied. */
export interface Application {
  readonly rule: Rule;
  /** The new values of the root's results; undefined for one that nobody reads. */
  readonly results: readonly (Value | undefined)[];
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

/** Visits between two looks at the abort signal. */
const SIGNAL_EVERY = 1024;

/**
 * Applies rules until none matches any more. Only nodes whose op is the root of a rule are looked at, so cost is
 * linear in the nodes and does not depend on rules whose root does not occur.
 * The node list is sorted afterwards if it was before.
 * @throws QfuseError `rewrite/no-convergence` naming the rules that undo each other; `rewrite/type` when a replacement
 * has another type; the signal's reason when it aborts. The graph is half rewritten then.
 */
export function applyRules(edit: Editor, rules: readonly Rule[], options: DriverOptions = {}): RewriteReport {
  return new Driver(edit, rules, options).run();
}

/** A rule with its matcher's memory. */
interface Entry {
  readonly rule: Rule;
  /** The rule's place in the given list. */
  readonly index: number;
  readonly state: MatchState;
  /** Captures of exposed nodes. */
  readonly exposed: readonly Capture[];
  /** How often the rule was applied. */
  applied: number;
}

/** Outside readers of exposed nodes. */
interface Exposure {
  /** Exposed captures that have any. */
  readonly moved: readonly { readonly name: string; readonly from: Value }[];
  /** Nodes that must stand behind the root. */
  readonly followers: readonly Node[];
}

const noExposure: Exposure = { moved: [], followers: [] };

class Driver {
  readonly #edit: Editor;
  readonly #graph: Graph;
  readonly #options: DriverOptions;
  readonly #entries: readonly Entry[];
  readonly #byOp = new Map<AnyOp, readonly Entry[]>();
  /** What {@link #byOp} says of each op code of the graph that was asked for; null is nothing. */
  readonly #byCode: (readonly Entry[] | null)[] = [];
  readonly #worklist: Worklist;
  readonly #history: History;
  readonly #neighbours: Neighbourhood;
  #applied = 0;
  #visits = 0;
  /** Working memory of the sweep, empty between sweeps. */
  readonly #dead = new IntStack();
  /** Whether a rule used a value that may stand behind the place where it used it. */
  #unsorted = false;

  constructor(edit: Editor, rules: readonly Rule[], options: DriverOptions) {
    this.#edit = edit;
    this.#graph = edit.graph;
    this.#options = options;
    this.#entries = rules.map((rule, index) => {
      const state = new MatchState(this.#graph, rule.pattern);
      state.explaining = options.onRefuse !== undefined;
      return { rule, index, state, exposed: rule.pattern.captures.filter((c) => c.exposedResult !== undefined), applied: 0 };
    });
    for (const entry of [...this.#entries].sort((a, b) => b.rule.benefit - a.rule.benefit)) {
      const { op } = entry.rule.root;
      this.#byOp.set(op, [...(this.#byOp.get(op) ?? []), entry]);
    }
    this.#worklist = new Worklist(options.seed);
    this.#history = new History(rules, this.#graph.ids.nodeLimit);
    this.#neighbours = new Neighbourhood(this.#graph.ids, rules);
  }

  run(): RewriteReport {
    const { origin, place } = this.#edit;
    try {
      this.#options.signal?.throwIfAborted();
      this.#seed();
      this.#drain();
      if (this.#unsorted) this.#edit.sort();
    } finally {
      this.#edit.origin = origin;
      this.#edit.place = place;
    }
    const steps = this.#entries.reduce((sum, { state }) => sum + state.steps, 0);
    return { applied: this.#applied, byRule: this.#byRule(), visits: this.#visits, steps };
  }

  /** Applications by the names of rules that were applied. */
  #byRule(): Record<string, number> {
    return Object.fromEntries(this.#entries.filter((e) => e.applied > 0).map((e) => [e.rule.name, e.applied]));
  }

  #seed(): void {
    const { ids } = this.#graph;
    const readersFirst = this.#options.order !== 'producers-first';
    // The worklist is a stack: what is pushed last is looked at first.
    for (let n = readersFirst ? ids.first : ids.last; n !== NONE; n = readersFirst ? ids.next(n) : ids.prev(n)) this.#push(n);
  }

  #drain(): void {
    const budget = rewriteBudget(this.#graph.size);
    for (let n = this.#worklist.pop(); n !== NONE; n = this.#worklist.pop()) {
      const entries = this.#entriesAt(n);
      if (entries === null) continue;
      if (++this.#visits % SIGNAL_EVERY === 0) this.#options.signal?.throwIfAborted();
      for (const entry of entries) if (this.#try(entry, n)) break;
      if (this.#applied > budget) throw this.#noConvergence(n);
    }
  }

  #try(entry: Entry, n: number): boolean {
    const { rule, state } = entry;
    if (!matchAt(rule.pattern, n, state)) {
      if (state.miss !== undefined) this.#refuse(rule, n, state.miss.why, state.miss.at, state.miss.depth);
      return false;
    }
    const root = this.#graph.node(n as NodeId);
    const context: RuleContext = { graph: this.#graph, env: this.#graph.env, root };
    const captures = capturesOf(rule, state);
    const verdict = rule.where?.(captures, context);
    const refused = verdict?.ok === false ? verdict.why : undefined;
    const exposure = refused !== undefined ? refused : entry.exposed.length === 0 ? noExposure : this.#exposure(entry, n);
    if (typeof exposure === 'string') {
      this.#refuse(rule, n, exposure, n, state.inner.length);
      return false;
    }
    this.#apply(entry, root, distinct(state.inner), captures, context, exposure);
    return true;
  }

  #refuse(rule: Rule, n: number, why: string, at: number, depth: number): void {
    this.#options.onRefuse?.({ rule, node: this.#graph.node(n as NodeId), why, at: this.#graph.node(at as NodeId), depth });
  }

  /** Exposed nodes with readers outside the match; a reason when these cannot be moved to the replacement. */
  #exposure({ exposed, rule, state }: Entry, root: number): Exposure | string {
    const moved: { name: string; from: Value }[] = [];
    const nodes: number[] = [];
    const readers: Node[] = [];
    for (const capture of exposed) {
      const n = state.slots[rule.pattern.captures.indexOf(capture)]!;
      if (n === NONE) continue;
      const node = this.#graph.node(n as NodeId);
      const outside = node.results.map((r) =>
        r.readers().filter((reader) => reader === graphReturn || !state.inner.includes((reader as Node).id)),
      );
      if (outside.some((of, i) => i !== capture.exposedResult && of.length > 0))
        return `${node.op.name} has readers of results other than ${capture.exposedResult}`;
      const of = outside[capture.exposedResult!] ?? [];
      if (of.length === 0) continue;
      moved.push({ name: capture.name, from: node.results[capture.exposedResult!]! });
      nodes.push(n);
      for (const r of of) if (r !== graphReturn) readers.push(r as Node);
    }
    if (moved.length === 0) return noExposure;
    this.#sortIfNeeded();
    const found = followersBefore(this.#graph, state.inner, root, nodes, readers);
    return 'problem' in found ? found.problem : { moved, followers: found.followers };
  }

  #apply(entry: Entry, root: Node, inner: readonly number[], captures: object, context: RuleContext, exposure: Exposure): void {
    const { ids } = this.#graph;
    const { rule } = entry;
    this.#options.onMatch?.({ rule, root, inner: inner.map((n) => this.#graph.node(n as NodeId)) });
    let generation = MAX_GENERATION;
    for (const n of inner) generation = Math.min(generation, this.#history.generation(n));
    generation++;
    const firstNew = ids.nodeLimit;
    const replacement = this.#build(rule, root, inner, captures, context);
    const results = ids.resultCount(root.id);
    if (replacement.results.length !== results)
      throw new Error(`rule ${rule.name} returns ${replacement.results.length} values for ${results} results`);
    this.#noteOrder(inner, firstNew, replacement);
    for (let i = 0; i < results; i++) {
      const from = this.#graph.value(ids.result(root.id, i) as Value['id']);
      const reader = newReader(ids, from, firstNew);
      if (reader !== NONE) throw new Error(`rule ${rule.name}: the new ${ids.op(reader)!.name} reads the value that it replaces`);
      const to = replacement.results[i];
      if (to !== undefined) this.#redirect(rule, from, to);
      else if (ids.useCount(from.id) > 0)
        throw new Error(`rule ${rule.name} returns no value for result ${i} of ${root.op.name}, which is read`);
    }
    for (const { name, from } of exposure.moved) {
      const to = replacement.exposed?.[name];
      if (to === undefined) throw new Error(`rule ${rule.name} does not return a value for the exposed "${name}"`);
      // A feeder of the match may be the exposed value itself: then the new nodes read what takes its place.
      this.#unsorted ||= newReader(ids, from, firstNew) !== NONE;
      this.#redirect(rule, from, to);
    }
    const behind = ids.next(root.id);
    for (const follower of exposure.followers) this.#edit.move(follower, behind === NONE ? undefined : this.#graph.node(behind as NodeId));
    for (let n = firstNew; n < ids.nodeLimit; n++) this.#history.add(n, generation, entry.index, root.id);
    this.#sweep(inner, firstNew);
    for (let n = firstNew; n < ids.nodeLimit; n++) this.#push(n);
    this.#neighbours.forEach(this.#push);
    this.#applied++;
    entry.applied++;
    this.#options.onApply?.({ rule, results: replacement.results });
    if (generation > MAX_GENERATION) throw this.#noConvergence(firstNew < ids.nodeLimit ? firstNew : root.id);
  }

  #build(rule: Rule, root: Node, inner: readonly number[], captures: object, context: RuleContext): Replacement {
    this.#edit.derive(rule.name, inner);
    this.#edit.place = root;
    return normalized(rule.rewrite(captures, this.#edit, context));
  }

  /** The feeders of a match stand before its root; what a rule takes from elsewhere in the graph may stand behind it. */
  #noteOrder(inner: readonly number[], firstNew: number, replacement: Replacement): void {
    if (this.#unsorted) return;
    const { ids } = this.#graph;
    for (let n = firstNew; n < ids.nodeLimit; n++)
      for (let i = ids.arity(n) - 1; i >= 0; i--) this.#noteSource(inner, firstNew, ids.operand(n, i));
    for (const v of replacement.results) if (v !== undefined) this.#noteSource(inner, firstNew, v.id);
    for (const name in replacement.exposed) this.#noteSource(inner, firstNew, replacement.exposed[name]!.id);
  }

  #noteSource(inner: readonly number[], firstNew: number, v: number): void {
    const { ids } = this.#graph;
    const p = v === NONE ? NONE : ids.producer(v);
    if (p === NONE || p >= firstNew) return;
    for (const n of inner) if (n === p || reads(ids, n, v)) return;
    this.#unsorted = true;
  }

  #sortIfNeeded(): void {
    if (this.#unsorted) this.#edit.sort();
    this.#unsorted = false;
  }

  /** Moves the readers of `from` to `to`; what they are part of may match now. */
  #redirect(rule: Rule, from: Value, to: Value): void {
    const { ids } = this.#graph;
    // A result that nobody reads needs no replacement.
    if (from === to && ids.useCount(from.id) === 0) return;
    if (from === to) throw new Error(`rule ${rule.name} gives back a value that it was to replace: say no in "where" instead`);
    for (let u = ids.firstUse(from.id); u !== NONE; u = ids.nextUse(u)) {
      const reader = ids.useOwner(u);
      if (reader !== ids.returnId) this.#neighbours.add(reader);
    }
    try {
      this.#edit.redirect(from, to);
    } catch (cause) {
      if (cause instanceof QfuseError) throw new QfuseError('rewrite/type', `rule ${rule.name}: ${cause.message}`, { cause });
      throw cause;
    }
  }

  /**
   * Erases what nothing reads any more: the nodes of the match, pure or not, since the rule took their place; pure
   * nodes that only they read; new nodes that the rule did not use.
   */
  #sweep(inner: readonly number[], firstNew: number): void {
    const { ids } = this.#graph;
    const dead = this.#dead;
    for (let n = firstNew; n < ids.nodeLimit; n++) dead.push(n);
    for (let i = inner.length - 1; i >= 0; i--) dead.push(inner[i]!);
    while (dead.size > 0) {
      const n = dead.pop();
      const op = ids.op(n);
      if (op === undefined || hasUses(ids, n) || !(op.pure || inner.includes(n))) continue;
      for (let i = 0; i < ids.arity(n); i++) {
        const v = ids.operand(n, i);
        const p = v === NONE ? NONE : ids.producer(v);
        if (p === NONE) continue;
        dead.push(p);
        this.#neighbours.addProducer(p);
      }
      this.#edit.eraseId(n as NodeId);
    }
  }

  readonly #push = (n: number): void => {
    if (this.#entriesAt(n) !== null) this.#worklist.push(n);
  };

  /** The rules whose root is the op of `n`; null when there are none or it is erased. */
  #entriesAt(n: number): readonly Entry[] | null {
    const { ids } = this.#graph;
    const code = ids.opCode(n);
    if (code === NONE) return null;
    const known = this.#byCode[code];
    if (known !== undefined) return known;
    for (let next = this.#byCode.length; next <= code; next++) this.#byCode.push(this.#byOp.get(ids.opAt(next)) ?? null);
    return this.#byCode[code] ?? null;
  }

  #noConvergence(at: number): QfuseError {
    const behind = this.#history.rulesBehind(at);
    const names = behind.length > 0 ? behind : Object.keys(this.#byRule());
    return new QfuseError('rewrite/no-convergence', `the rules ${names.join(', ')} keep rewriting each other's results`, {
      help: 'a rule must go downhill: fewer, cheaper or more canonical nodes',
    });
  }
}

function capturesOf({ pattern }: Rule, { graph, slots, lists }: MatchState): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (let slot = 0; slot < pattern.captures.length; slot++) {
    const { name, kind } = pattern.captures[slot]!;
    const id = slots[slot]!;
    if (kind === 'list') out[name] = lists[slot]?.map((n) => graph.node(n as NodeId));
    else if (id >= 0) out[name] = kind === 'node' ? graph.node(id as NodeId) : graph.value(id as Value['id']);
  }
  return out;
}

function normalized(r: Value | readonly Value[] | Replacement): Replacement {
  if (Array.isArray(r)) return { results: r as readonly Value[] };
  return 'results' in r ? r : { results: [r as Value] };
}
