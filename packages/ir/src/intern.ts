/** Entries of a table before it looks for dead ones the first time. */
const FIRST_SWEEP = 1024;

/**
 * Keeps one frozen object per key, so that equal values are identical and can be compared with `===`.
 * Entries are held weakly: an object that nobody uses any more can go, and its key goes at the next sweep, which
 * comes whenever the table has doubled.
 *
 * The tables built on this class are caches of immutable values, not state: two graphs, two compilers or
 * two plugins cannot see each other through them.
 */
export class Interner<T extends object> {
  readonly #table = new Map<string, WeakRef<T>>();
  #sweepAt = FIRST_SWEEP;

  /** The object of `key`, made by `make` when there is none yet. */
  get(key: string, make: () => T): T {
    const known = this.#table.get(key)?.deref();
    if (known !== undefined) return known;
    if (this.#table.size >= this.#sweepAt) this.#sweep();
    const made = make();
    this.#table.set(key, new WeakRef(made));
    return made;
  }

  /** Number of keys, those of objects that are gone included. */
  get size(): number {
    return this.#table.size;
  }

  #sweep(): void {
    for (const [key, ref] of this.#table) if (ref.deref() === undefined) this.#table.delete(key);
    this.#sweepAt = Math.max(FIRST_SWEEP, 2 * this.#table.size);
  }
}
