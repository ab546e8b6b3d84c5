import type { Rule } from './rule.js';

/** Rules that a message names at most. */
const SHOWN = 8;

/** Who made the nodes that a run of the driver made, in columns: a run makes as many as it rewrites. */
export class History {
  readonly #first: number;
  readonly #generations: number[] = [];
  readonly #rules: Rule[] = [];
  readonly #roots: number[] = [];

  /** @param first - the id of the first node that the run will make */
  constructor(first: number) {
    this.#first = first;
  }

  /** Notes that `rule` made node `n` in place of `root`. Nodes come in the order of their ids. */
  add(n: number, generation: number, rule: Rule, root: number): void {
    const at = n - this.#first;
    this.#generations[at] = generation;
    this.#rules[at] = rule;
    this.#roots[at] = root;
  }

  /** How many rewrites lie behind a node; 0 for one that was there before. */
  generation(n: number): number {
    return n < this.#first ? 0 : (this.#generations[n - this.#first] ?? 0);
  }

  /** Names of the rules that made node `n` and the nodes it came from, the last one first. */
  rulesBehind(n: number): string[] {
    const names: string[] = [];
    for (let at = n - this.#first; at >= 0 && names.length < SHOWN; at = this.#roots[at]! - this.#first) {
      const rule = this.#rules[at];
      if (rule === undefined) break;
      if (!names.includes(rule.name)) names.push(rule.name);
    }
    return names;
  }
}
