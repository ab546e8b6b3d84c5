import type { Graph, GraphIds } from '@qfuse/ir';

const NONE = -1;

/** Marks in the trail beside the slots of captures. */
const ENTERED = -1;
const PENDING = -2;

/** Why a match did not come about: the reason that lies deepest in the pattern. */
export interface NearMiss {
  /** Nodes that had matched before. */
  readonly depth: number;
  readonly why: string;
  /** The node at which it failed. */
  readonly at: number;
}

/** How much memory the matcher of a pattern needs. */
export interface MatchSize {
  readonly captures: readonly unknown[];
  /** Number of op patterns, every alternative counted. */
  readonly frames: number;
}

/** The working memory of one matcher: captures by slot with an undo trail, so that nothing is copied. */
export class MatchState {
  readonly graph: Graph;
  readonly ids: GraphIds;
  /** Value or node id of each capture, -1 when unbound. */
  readonly slots: Int32Array;
  /** Nodes of each `through` capture. */
  readonly lists: (readonly number[] | undefined)[];
  /** The node that each op pattern stands at, and whether its commutative operands are swapped. */
  readonly frames: Int32Array;
  readonly swapped: Uint8Array;
  /** Ids of the nodes that the match consists of, the root first. */
  readonly inner: number[] = [];
  /** Nodes with readers that are not known to belong to the match until all of it is. */
  readonly pending: number[] = [];
  /** Pattern nodes tried; a measure of work that does not depend on the machine. */
  steps = 0;
  /** The best near miss; kept only while `explaining`. */
  miss: NearMiss | undefined;
  explaining = false;
  readonly #trail: number[] = [];

  constructor(graph: Graph, pattern: MatchSize) {
    const slots = pattern.captures.length;
    this.graph = graph;
    this.ids = graph.ids;
    this.slots = new Int32Array(slots).fill(NONE);
    this.lists = new Array<readonly number[] | undefined>(slots).fill(undefined);
    this.frames = new Int32Array(pattern.frames);
    this.swapped = new Uint8Array(pattern.frames);
  }

  reset(): void {
    this.undo(0);
    this.miss = undefined;
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

  /** Makes a node part of the match. */
  enter(n: number): void {
    this.inner.push(n);
    this.#trail.push(ENTERED);
  }

  /** Notes a node whose readers are looked at when the whole pattern has matched. */
  defer(n: number): void {
    this.pending.push(n);
    this.#trail.push(PENDING);
  }

  /** A point to come back to. */
  mark(): number {
    return this.#trail.length;
  }

  undo(mark: number): void {
    while (this.#trail.length > mark) {
      const slot = this.#trail.pop()!;
      if (slot === ENTERED) this.inner.pop();
      else if (slot === PENDING) this.pending.pop();
      else {
        this.slots[slot] = NONE;
        this.lists[slot] = undefined;
      }
    }
  }

  /** Notes a reason, which callers build only while `explaining`, and answers no. */
  no(at: number, why: string): false {
    if (this.miss === undefined || this.inner.length > this.miss.depth) this.miss = { depth: this.inner.length, why, at };
    return false;
  }
}
