/** Whether position `a` comes before position `b`: a strict weak order. */
export type Before = (a: number, b: number) => boolean;

const logarithm = (n: number): number => 31 - Math.clz32(n);

/**
 * Selection and sorting that are not stable, with the choices among equal elements of libstdc++'s `nth_element`,
 * `sort` and `partial_sort`. torch's CPU kernels use these, so ties come out as they do there.
 */
export class Selection {
  readonly #items: number[];
  readonly #before: Before;

  /** @param count - the positions 0 to `count - 1`, in this order, are arranged */
  constructor(count: number, before: Before) {
    this.#items = Array.from({ length: count }, (_, i) => i);
    this.#before = before;
  }

  /** The positions in their current order. */
  get order(): readonly number[] {
    return this.#items;
  }

  #less(i: number, j: number): boolean {
    return this.#before(this.#items[i]!, this.#items[j]!);
  }

  #swap(i: number, j: number): void {
    [this.#items[i], this.#items[j]] = [this.#items[j]!, this.#items[i]!];
  }

  /** Brings to `nth` what a sort would bring there; nothing before it comes after it. */
  nthElement(nth: number): void {
    let [first, last] = [0, this.#items.length];
    if (first === last || nth === last) return;
    for (let depth = 2 * logarithm(last); last - first > 3; depth--) {
      if (depth === 0) {
        this.#heapSelect(first, nth + 1, last);
        this.#swap(first, nth);
        return;
      }
      const cut = this.#partition(first, last);
      if (cut <= nth) first = cut;
      else last = cut;
    }
    this.#insertionSort(first, last);
  }

  /** Sorts the first `count` positions among themselves. */
  sort(count: number): void {
    if (count === 0) return;
    this.#introsort(0, count, 2 * logarithm(count));
    this.#insertionSort(0, Math.min(count, 16));
    for (let i = 16; i < count; i++) this.#insert(i);
  }

  /** Brings the first `count` of all positions to the front, sorted. */
  partialSort(count: number): void {
    this.#partialSort(0, count, this.#items.length);
  }

  #introsort(first: number, last: number, depth: number): void {
    for (; last - first > 16; depth--) {
      if (depth === 0) return this.#partialSort(first, last, last);
      const cut = this.#partition(first, last);
      this.#introsort(cut, last, depth - 1);
      last = cut;
    }
  }

  /** Partitions around the median of three elements, which is moved to `first`. */
  #partition(first: number, last: number): number {
    const [a, b, c] = [first + 1, first + Math.floor((last - first) / 2), last - 1];
    if (this.#less(a, b)) this.#swap(first, this.#less(b, c) ? b : this.#less(a, c) ? c : a);
    else this.#swap(first, this.#less(a, c) ? a : this.#less(b, c) ? c : b);
    let [low, high] = [first + 1, last];
    for (;;) {
      while (this.#less(low, first)) low++;
      high--;
      while (this.#less(first, high)) high--;
      if (low >= high) return low;
      this.#swap(low++, high);
    }
  }

  #insertionSort(first: number, last: number): void {
    for (let i = first + 1; i < last; i++) {
      if (this.#less(i, first)) this.#items.splice(first, 0, ...this.#items.splice(i, 1));
      else this.#insert(i);
    }
  }

  /** Moves the element at `at` down to its place; some element before it does not come after it. */
  #insert(at: number): void {
    const value = this.#items[at]!;
    for (; this.#before(value, this.#items[at - 1]!); at--) this.#items[at] = this.#items[at - 1]!;
    this.#items[at] = value;
  }

  #partialSort(first: number, middle: number, last: number): void {
    this.#heapSelect(first, middle, last);
    for (let end = middle - 1; end > first; end--) this.#popHeap(first, end, end);
  }

  /** Makes `first` to `middle` a heap of the first elements of the whole range, the last of them on top. */
  #heapSelect(first: number, middle: number, last: number): void {
    const length = middle - first;
    for (let parent = Math.floor((length - 2) / 2); parent >= 0; parent--) this.#sink(first, parent, length, this.#items[first + parent]!);
    for (let i = middle; i < last; i++) if (this.#less(i, first)) this.#popHeap(first, middle, i);
  }

  #popHeap(first: number, last: number, to: number): void {
    const value = this.#items[to]!;
    this.#items[to] = this.#items[first]!;
    this.#sink(first, 0, last - first, value);
  }

  #sink(first: number, top: number, length: number, value: number): void {
    let [hole, child] = [top, top];
    while (child < Math.floor((length - 1) / 2)) {
      child = 2 * (child + 1);
      if (this.#less(first + child, first + child - 1)) child--;
      this.#items[first + hole] = this.#items[first + child]!;
      hole = child;
    }
    if (length % 2 === 0 && child === (length - 2) / 2) {
      child = 2 * (child + 1) - 1;
      this.#items[first + hole] = this.#items[first + child]!;
      hole = child;
    }
    for (
      let parent = Math.floor((hole - 1) / 2);
      hole > top && this.#before(this.#items[first + parent]!, value);
      parent = Math.floor((hole - 1) / 2)
    ) {
      this.#items[first + hole] = this.#items[first + parent]!;
      hole = parent;
    }
    this.#items[first + hole] = value;
  }
}
