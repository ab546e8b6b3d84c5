import type { Rule } from './rule.js';

/** Rules that a message names at most. */
const SHOWN = 8;

/** Numbers that are kept of a node: generation, rule, root. */
const COLUMNS = 3;

/** Who made the nodes that a run of the driver made, in numbers: a run makes as many nodes as it rewrites. */
export class History {
  readonly #rules: readonly Rule[];
  readonly #first: number;
  #rows = new Int32Array(64 * COLUMNS);

  /**
   * @param rules - the rules of the run
   * @param first - the id of the first node that the run will make
   */
  constructor(rules: readonly Rule[], first: number) {
    this.#rules = rules;
    this.#first = first;
  }

  /** Notes that the rule number `rule` made node `n` in place of `root`. */
  add(n: number, generation: number, rule: number, root: number): void {
    const at = (n - this.#first) * COLUMNS;
    if (at + COLUMNS > this.#rows.length) {
      const bigger = new Int32Array(Math.max(at + COLUMNS, this.#rows.length * 2));
      bigger.set(this.#rows);
      this.#rows = bigger;
    }
    this.#rows[at] = generation;
    this.#rows[at + 1] = rule;
    this.#rows[at + 2] = root;
  }

  /** How many rewrites lie behind a node; 0 for one that was there before. */
  generation(n: number): number {
    return n < this.#first ? 0 : (this.#rows[(n - this.#first) * COLUMNS] ?? 0);
  }

  /** Names of the rules that made node `n` and the nodes it came from, the last one first. */
  rulesBehind(n: number): string[] {
    const names: string[] = [];
    for (let at = n; this.generation(at) > 0 && names.length < SHOWN; at = this.#rows[(at - this.#first) * COLUMNS + 2]!) {
      const { name } = this.#rules[this.#rows[(at - this.#first) * COLUMNS + 1]!]!;
      if (!names.includes(name)) names.push(name);
    }
    return names;
  }
}
