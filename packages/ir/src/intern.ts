/**
 * Keeps one frozen object per key, so that equal values are identical and can be compared with `===`.
 * Entries are held weakly: an object that nobody uses any more leaves the table.
 *
 * The tables built on this class are caches of immutable values, not state: two graphs, two compilers or
 * two plugins cannot see each other through them.
 */
export class Interner<T extends object> {
  readonly #table = new Map<string, WeakRef<T>>();
  readonly #registry = new FinalizationRegistry<string>((key) => {
    if (this.#table.get(key)?.deref() === undefined) this.#table.delete(key);
  });

  /** The object of `key`, made by `make` when there is none yet. */
  get(key: string, make: () => T): T {
    const known = this.#table.get(key)?.deref();
    if (known !== undefined) return known;
    const made = make();
    this.#table.set(key, new WeakRef(made));
    this.#registry.register(made, key);
    return made;
  }
}
