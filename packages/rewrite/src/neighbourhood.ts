import type { AnyOp, GraphIds } from '@qfuse/ir';
import { IntStack } from './int-stack.js';
import type { Rule } from './rule.js';

const NONE = -1;

/** The nodes that a rewrite may have given a match: collected while it is made, handed out once afterwards. */
export class Neighbourhood {
  readonly #ids: GraphIds;
  /** Readers above a changed node whose pattern may reach down to it, in nodes. */
  readonly #reach: number;
  /** An exclusive node that more operand slots hold than a match has cannot match. */
  readonly #fewUses: number;
  readonly #passages = new Set<AnyOp>();
  readonly #changed = new IntStack();
  readonly #lost = new IntStack();
  // Working memory of one run, empty between runs.
  readonly #level = new IntStack();
  readonly #above = new IntStack();
  /** The run in which a node was last handed out. */
  #stamps = new Int32Array(256);
  #run = 0;

  constructor(ids: GraphIds, rules: readonly Rule[]) {
    this.#ids = ids;
    this.#reach = Math.max(1, ...rules.map((r) => r.pattern.depth));
    this.#fewUses = 2 * Math.max(1, ...rules.map((r) => r.pattern.size));
    for (const rule of rules) for (const op of rule.pattern.passages) this.#passages.add(op);
  }

  /** A node that has another operand now. */
  add(n: number): void {
    this.#changed.push(n);
  }

  /** A node that lost a reader: patterns that asked for an only reader may match now. */
  addProducer(n: number): void {
    this.#lost.push(n);
  }

  /** Calls `visit` for each node added and those above it, the lowest first, and forgets them. */
  forEach(visit: (n: number) => void): void {
    const ids = this.#ids;
    this.#run++;
    if (this.#stamps.length < ids.nodeLimit) {
      const bigger = new Int32Array(Math.max(ids.nodeLimit, this.#stamps.length * 2));
      bigger.set(this.#stamps);
      this.#stamps = bigger;
    }
    const looksThrough = this.#passages.size > 0;
    let level = this.#level;
    let above = this.#above;
    while (this.#changed.size > 0) this.#reached(this.#changed.pop(), level, visit);
    // Those above a node that many still read are as they were: exclusive it is not, and shared it was before.
    while (this.#lost.size > 0) {
      const n = this.#lost.pop();
      this.#reached(n, this.#uses(n) <= this.#fewUses ? level : undefined, visit);
    }
    for (let depth = 1; depth < this.#reach && level.size > 0; depth++) {
      for (let at = 0; at < level.size; at++) {
        const n = level.at(at);
        for (let i = 0; i < ids.resultCount(n); i++)
          for (let u = ids.firstUse(ids.result(n, i)); u !== NONE; u = ids.nextUse(u)) {
            const reader = ids.useOwner(u);
            // Ops that a pattern passes through do not count as a level.
            if (reader !== ids.returnId) this.#reached(reader, looksThrough && this.#passages.has(ids.op(reader)!) ? level : above, visit);
          }
      }
      [level, above] = [above, level];
      above.clear();
    }
    level.clear();
  }

  #uses(n: number): number {
    let uses = 0;
    for (let i = this.#ids.resultCount(n) - 1; i >= 0; i--) uses += this.#ids.useCount(this.#ids.result(n, i));
    return uses;
  }

  #reached(n: number, level: IntStack | undefined, visit: (n: number) => void): void {
    if (this.#stamps[n] === this.#run || this.#ids.opCode(n) === NONE) return;
    this.#stamps[n] = this.#run;
    level?.push(n);
    visit(n);
  }
}
