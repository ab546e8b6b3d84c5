import { column, grown } from './columns.js';
import { madeOrigin, type Origin } from './origin.js';

/**
 * Where each node comes from. Of a node that a rule made, numbers say by what it was made and in place of which
 * nodes: an origin is an object that lives as long as its graph, and most of those that rules would make are never
 * asked for.
 *
 * What is noted of a node holds as long as the graph lives, and ids are not reused: copies of a graph share it.
 */
export class NodeOrigins {
  /** By node id: below 0, the place of its origin in {@link #origins}, as `~place`; above 0, one more than its row; 0 for none. */
  #entries: Int32Array = column();
  /** Nodes of one source stand one after the other mostly, so that there are fewer of these than nodes. */
  readonly #origins: Origin[] = [];
  readonly #makers: string[] = [];
  readonly #makerCodes = new Map<string, number>();
  /** Of each rewrite the code of its maker, the number of nodes, and the nodes. */
  #rows: Int32Array = column();
  #end = 0;

  /** Notes the origin of a node. */
  set(n: number, origin: Origin): void {
    if (this.#origins[this.#origins.length - 1] !== origin) this.#origins.push(origin);
    if (n >= this.#entries.length) this.#entries = grown(this.#entries, n + 1);
    this.#entries[n] = ~(this.#origins.length - 1);
  }

  /** Notes that node `n` was made in a rewrite. */
  setRewrite(n: number, row: number): void {
    if (n >= this.#entries.length) this.#entries = grown(this.#entries, n + 1);
    this.#entries[n] = row + 1;
  }

  /** Notes a rewrite by `by` in place of `nodes`, the root first, and returns its row. */
  addRewrite(by: string, nodes: readonly number[]): number {
    let code = this.#makerCodes.get(by);
    if (code === undefined) this.#makerCodes.set(by, (code = this.#makers.push(by) - 1));
    const row = this.#end;
    this.#end += 2 + nodes.length;
    this.#rows = grown(this.#rows, this.#end);
    this.#rows[row] = code;
    this.#rows[row + 1] = nodes.length;
    for (let i = 0; i < nodes.length; i++) this.#rows[row + 2 + i] = nodes[i]!;
    return row;
  }

  /** The origin of node `n`; undefined when there is none. */
  get(n: number): Origin | undefined {
    const entry = this.#entries[n] ?? 0;
    if (entry > 0) this.set(n, this.ofRewrite(entry - 1));
    return entry === 0 ? undefined : this.#origins[~this.#entries[n]!];
  }

  /** The origin of what a rewrite makes. */
  ofRewrite(row: number): Origin {
    // Rewrites of what rewrites made may go back any number of times.
    const open = this.#nodesOf(row);
    while (open.length > 0) {
      const n = open.at(-1)!;
      const missing = this.#isRewritten(n) ? this.#nodesOf(this.#entries[n]! - 1).filter((m) => this.#isRewritten(m)) : [];
      if (missing.length > 0) open.push(...missing);
      else {
        open.pop();
        if (this.#isRewritten(n)) this.set(n, this.#make(this.#entries[n]! - 1));
      }
    }
    return this.#make(row);
  }

  /** Whether the origin of `n` is still to be made. */
  #isRewritten(n: number): boolean {
    return this.#entries[n]! > 0;
  }

  #nodesOf(row: number): number[] {
    return [...this.#rows.subarray(row + 2, row + 2 + this.#rows[row + 1]!)];
  }

  /** The origin of a rewrite of nodes whose origins are made: the root's sources are the last. */
  #make(row: number): Origin {
    const from = this.#nodesOf(row).map((n) => this.#origins[~this.#entries[n]!]!);
    return madeOrigin(this.#makers[this.#rows[row]!]!, from.reverse());
  }
}
