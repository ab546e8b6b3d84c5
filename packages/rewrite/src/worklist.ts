import { IntStack } from './int-stack.js';

/** A stack of node ids in which each id stands at most once. With a seed it hands ids out in a shuffled order. */
export class Worklist {
  readonly #stack = new IntStack();
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
    this.#stack.push(n);
  }

  /** The next id, -1 when there is none. */
  pop(): number {
    const stack = this.#stack;
    if (stack.size === 0) return -1;
    if (this.#random !== undefined) {
      // xorshift32
      this.#random ^= this.#random << 13;
      this.#random ^= this.#random >>> 17;
      this.#random ^= this.#random << 5;
      const at = (this.#random >>> 0) % stack.size;
      const other = stack.at(at);
      stack.set(at, stack.at(stack.size - 1));
      stack.set(stack.size - 1, other);
    }
    const n = stack.pop();
    this.#queued[n] = 0;
    return n;
  }
}
