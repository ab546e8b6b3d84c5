/** Entries that a new column has room for. */
const FIRST_CAPACITY = 64;

/** `array` when it holds `size` entries, else a longer copy of it. What is behind the old entries is 0. */
export function grown(array: Int32Array, size: number): Int32Array {
  if (size <= array.length) return array;
  const bigger = new Int32Array(Math.max(size, array.length * 2));
  bigger.set(array);
  return bigger;
}

/** An empty column of numbers. */
export const column = (): Int32Array => new Int32Array(FIRST_CAPACITY);

/**
 * An object for each id, as its number in a list of the different ones: a program has few types and attribute
 * records. Numbers take half the memory of references, and the engine neither visits nor moves them, which for a
 * large graph costs more than making its nodes.
 */
export class SharedColumn<T extends object> {
  /** Shared by copies: they are only added to. */
  #objects: T[] = [];
  #codes = new Map<T, number>();
  #entries: Int32Array = column();
  /** What was set last: it mostly is what is set next. */
  #last: T | undefined;
  #lastCode = 0;

  /** The object of `id`; only for one that was set. */
  get(id: number): T {
    return this.#objects[this.#entries[id]!]!;
  }

  set(id: number, object: T): void {
    if (object !== this.#last) this.#find(object);
    if (id >= this.#entries.length) this.#entries = grown(this.#entries, id + 1);
    this.#entries[id] = this.#lastCode;
  }

  #find(object: T): void {
    let code = this.#codes.get(object);
    if (code === undefined) this.#codes.set(object, (code = this.#objects.push(object) - 1));
    this.#last = object;
    this.#lastCode = code;
  }

  /** A column of its own, with the entries below `count`. */
  copy(count: number): SharedColumn<T> {
    const copy = new SharedColumn<T>();
    copy.#objects = this.#objects;
    copy.#codes = this.#codes;
    copy.#entries = this.#entries.slice(0, count);
    return copy;
  }
}
