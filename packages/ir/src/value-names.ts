import type { ValueId } from './store.js';

/** A name as the parser looks it up: printed results have numbers, everything else a string. */
export type Key = string | number;

/**
 * Ids of values by their names in a text. Printed node results are `%0`, `%1`, …, so that an array holds them; an input that
 * is called "0" is quoted there and stays apart from them.
 */
export class ValueNames {
  readonly #numbered: ValueId[] = [];
  readonly #others = new Map<Key, ValueId>();

  /** The key of `%name`. */
  static plain(name: string): Key {
    const number = Number(name);
    return String(number) === name && Number.isSafeInteger(number) ? number : name;
  }

  /** The key of `%"name"`. */
  static quoted(name: string): Key {
    return typeof ValueNames.plain(name) === 'number' ? JSON.stringify(name) : name;
  }

  /** The name that a key was made of. */
  static nameOf(key: Key): string {
    return typeof key === 'number' ? String(key) : /^"\d+"$/.test(key) ? key.slice(1, -1) : key;
  }

  get(key: Key): ValueId | undefined {
    return typeof key === 'number' && key < this.#numbered.length ? this.#numbered[key] : this.#others.get(key);
  }

  /** Whether the name was free and stands for `value` now. */
  add(key: Key, value: ValueId): boolean {
    if (this.get(key) !== undefined) return false;
    // Numbers that do not come in order, as in a text that somebody wrote, are as good as other names.
    if (key === this.#numbered.length) this.#numbered.push(value);
    else this.#others.set(key, value);
    return true;
  }
}
