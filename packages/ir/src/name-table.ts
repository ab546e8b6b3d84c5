import { grown } from './columns.js';
import { textHash } from './hash.js';

/** Objects that are let go together. Each of them must hold its page, so that none is gone while another is used. */
export interface Page<T> {
  /** Number of the first object in its table. */
  readonly first: number;
  readonly objects: T[];
}

/** What a {@link NameTable} holds. */
export interface Named {
  readonly name: string;
  readonly scope: string;
}

/**
 * Objects on a page. A weak reference costs many times the object that it refers to, so a page has one; and a
 * page stays as long as one of its objects does, so it is small.
 */
const PAGE = 64;

/** Entries of a table before it grows the first time; whole pages. */
const FIRST_CAPACITY = 1024;

/** Texts that are made to collide in one process do not collide in another. */
const seed = Math.trunc(Math.random() * 2 ** 32);

/**
 * One object for each pair of a name and a scope, found by hash and held weakly: the weak relative of
 * {@link Interner} for as many objects as a graph has nodes. An entry costs some 20 bytes besides the object, and
 * no time that grows with the table.
 *
 * As an interner it is a cache of immutable values: nothing can be seen through it.
 */
export class NameTable<T extends Named> {
  readonly #make: (name: string, scope: string, page: Page<T>) => T;
  readonly #pages: WeakRef<Page<T>>[] = [];
  /** Numbers of pages whose objects are gone. */
  readonly #free: number[] = [];
  /** The page that is being filled. */
  #open: Page<T> | undefined;
  /** The page that was read last: objects that were made one after the other are looked for one after the other. */
  #recent: Page<T> | undefined;
  /** Hash by number of the object. */
  #hashes: Int32Array = new Int32Array(FIRST_CAPACITY);
  /** Numbers of objects, counted from 1, at or behind the place that their hash says; 0 is free. At least half are. */
  #places: Int32Array = new Int32Array(2 * FIRST_CAPACITY);

  /** @param make - makes an object, which must hold `page` */
  constructor(make: (name: string, scope: string, page: Page<T>) => T) {
    this.#make = make;
  }

  /** Number of objects that the table has room for: what is gone makes room before it grows. */
  get capacity(): number {
    return this.#hashes.length;
  }

  /** The object called `name` in `scope`, made when there is none. */
  get(name: string, scope: string): T {
    const hash = textHash(scope, textHash(name, seed));
    const mask = this.#places.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const number = this.#places[at]! - 1;
      if (number < 0) return this.#add(name, scope, hash);
      if (this.#hashes[number] !== hash) continue;
      const known = this.#at(number);
      if (known !== undefined && known.name === name && known.scope === scope) return known;
    }
  }

  #at(number: number): T | undefined {
    const first = number - (number % PAGE);
    if (this.#recent?.first !== first) {
      const page = this.#pages[first / PAGE]!.deref();
      if (page === undefined) return undefined;
      this.#recent = page;
    }
    return this.#recent!.objects[number - first];
  }

  #add(name: string, scope: string, hash: number): T {
    const page = this.#open === undefined || this.#open.objects.length === PAGE ? this.#turn() : this.#open;
    const number = page.first + page.objects.length;
    const made = this.#make(name, scope, page);
    page.objects.push(made);
    this.#hashes[number] = hash;
    this.#place(number);
    return made;
  }

  /** Opens a new page. */
  #turn(): Page<T> {
    if (this.#free.length === 0 && this.#pages.length * PAGE === this.capacity) this.#makeRoom();
    const index = this.#free.pop() ?? this.#pages.length;
    const page = { first: index * PAGE, objects: [] };
    this.#pages[index] = new WeakRef(page);
    return (this.#open = page);
  }

  /** Frees the pages that are gone, grows when most are still there, and places the objects anew. */
  #makeRoom(): void {
    const pages = this.#pages.map((ref) => ref.deref());
    pages.forEach((page, index) => {
      if (page === undefined) this.#free.push(index);
    });
    if (this.#free.length < pages.length / 2) this.#hashes = grown(this.#hashes, 2 * this.capacity);
    this.#places = new Int32Array(2 * this.capacity);
    for (const page of pages) if (page !== undefined) page.objects.forEach((_, i) => this.#place(page.first + i));
  }

  #place(number: number): void {
    const mask = this.#places.length - 1;
    let at = this.#hashes[number]! & mask;
    while (this.#places[at] !== 0) at = (at + 1) & mask;
    this.#places[at] = number + 1;
  }
}
