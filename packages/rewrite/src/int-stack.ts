/** A stack of integers that keeps its memory when it is emptied, unlike an array. */
export class IntStack {
  #items = new Int32Array(64);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(n: number): void {
    if (this.#size === this.#items.length) {
      const bigger = new Int32Array(this.#size * 2);
      bigger.set(this.#items);
      this.#items = bigger;
    }
    this.#items[this.#size++] = n;
  }

  /** The integer that was pushed last; only when there is one. */
  pop(): number {
    return this.#items[--this.#size]!;
  }

  /** The integer at a place from the bottom. */
  at(index: number): number {
    return this.#items[index]!;
  }

  /** Puts another integer at a place from the bottom. */
  set(index: number, n: number): void {
    this.#items[index] = n;
  }

  clear(): void {
    this.#size = 0;
  }
}
