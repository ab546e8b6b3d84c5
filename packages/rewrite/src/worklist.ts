/** A stack of node ids in which each id stands at most once. With a seed it hands ids out in a shuffled order. */
export class Worklist {
  #stack = new Int32Array(256);
  #top = 0;
  #queued = new Uint8Array(256);
  #random: number | undefined;

  constructor(seed?: number) {
    this.#random = seed === undefined ? undefined : (seed | 0) ^ 0x2545f491 || 1;
  }

  push(n: number): void {
    if (n >= this.#queued.length) {
      const bigger = new Uint8Array(Math.max(n + 1, this.#queued.length * 2));
      bigger.set(this.#queued);
      this.#queued = bigger;
    }
    if (this.#queued[n] === 1) return;
    this.#queued[n] = 1;
    if (this.#top === this.#stack.length) {
      const bigger = new Int32Array(this.#top * 2);
      bigger.set(this.#stack);
      this.#stack = bigger;
    }
    this.#stack[this.#top++] = n;
  }

  /** The next id, -1 when there is none. */
  pop(): number {
    if (this.#top === 0) return -1;
    if (this.#random !== undefined) {
      // xorshift32
      this.#random ^= this.#random << 13;
      this.#random ^= this.#random >>> 17;
      this.#random ^= this.#random << 5;
      const at = (this.#random >>> 0) % this.#top;
      const other = this.#stack[at]!;
      this.#stack[at] = this.#stack[this.#top - 1]!;
      this.#stack[this.#top - 1] = other;
    }
    const n = this.#stack[--this.#top]!;
    this.#queued[n] = 0;
    return n;
  }
}
