import { column, grown } from './columns.js';

/** A node's number; ids are not reused while a graph lives. */
export type NodeId = number & { readonly __node: unique symbol };
/** A value's number. */
export type ValueId = number & { readonly __value: unique symbol };
/** An operand slot's number. */
export type UseId = number & { readonly __use: unique symbol };

/** The absence of an id. */
export const NONE = -1;

/**
 * The links of a graph as a struct of arrays over dense ids. Only this file touches the arrays: an array that is
 * read before a call that grows it would silently be the old one, so nothing outside ever holds one.
 * About 60 bytes for a node with two operands and one result.
 */
export class Store {
  nodeCount = 0;
  valueCount = 0;
  useCount = 0;
  alive = 0;
  first = NONE;
  last = NONE;

  // one entry a node
  #op = column();
  #useBase = column();
  #arity = column();
  #prev = column();
  #next = column();
  #resultBase = column();
  #resultCount = column();
  // one entry a value
  #producer = column();
  #firstUse = column();
  #uses = column();
  // one entry an operand slot
  #useValue = column();
  #useOwner = column();
  #usePrev = column();
  #useNext = column();

  op(n: number): number {
    return this.#op[n]!;
  }
  arity(n: number): number {
    return this.#arity[n]!;
  }
  useBase(n: number): number {
    return this.#useBase[n]!;
  }
  next(n: number): number {
    return this.#next[n]!;
  }
  prev(n: number): number {
    return this.#prev[n]!;
  }
  resultBase(n: number): number {
    return this.#resultBase[n]!;
  }
  resultCount(n: number): number {
    return this.#resultCount[n]!;
  }
  operand(n: number, index: number): number {
    return this.#useValue[this.#useBase[n]! + index]!;
  }
  producer(v: number): number {
    return this.#producer[v]!;
  }
  /** Number of operand slots that hold `v`. */
  uses(v: number): number {
    return this.#uses[v]!;
  }
  firstUse(v: number): number {
    return this.#firstUse[v]!;
  }
  nextUse(u: number): number {
    return this.#useNext[u]!;
  }
  useOwner(u: number): number {
    return this.#useOwner[u]!;
  }

  createValue(producer: number): number {
    const v = this.valueCount++;
    if (v >= this.#producer.length) {
      this.#producer = grown(this.#producer, v + 1);
      this.#firstUse = grown(this.#firstUse, v + 1);
      this.#uses = grown(this.#uses, v + 1);
    }
    this.#producer[v] = producer;
    this.#firstUse[v] = NONE;
    this.#uses[v] = 0;
    return v;
  }

  /** Appends a node with `arity` operands, or inserts it before `before`. Its results are the values `resultBase(n) …`. */
  createNode(op: number, operands: readonly number[], arity: number, results: number, before: number): number {
    const n = this.nodeCount++;
    if (n >= this.#op.length) {
      this.#op = grown(this.#op, n + 1);
      this.#useBase = grown(this.#useBase, n + 1);
      this.#arity = grown(this.#arity, n + 1);
      this.#prev = grown(this.#prev, n + 1);
      this.#next = grown(this.#next, n + 1);
      this.#resultBase = grown(this.#resultBase, n + 1);
      this.#resultCount = grown(this.#resultCount, n + 1);
    }
    this.#op[n] = op;
    this.#setSlots(n, operands, arity);
    this.#resultBase[n] = this.valueCount;
    this.#resultCount[n] = results;
    for (let i = 0; i < results; i++) this.createValue(n);
    this.#insert(n, before);
    this.alive++;
    return n;
  }

  /** A node that is in no list (the graph's return). */
  createDetached(op: number): number {
    const n = this.createNode(op, [], 0, 0, NONE);
    this.#remove(n);
    this.alive--;
    return n;
  }

  #setSlots(n: number, operands: readonly number[], arity: number): void {
    const base = this.useCount;
    this.useCount += arity;
    if (this.useCount > this.#useValue.length) {
      this.#useValue = grown(this.#useValue, this.useCount);
      this.#useOwner = grown(this.#useOwner, this.useCount);
      this.#usePrev = grown(this.#usePrev, this.useCount);
      this.#useNext = grown(this.#useNext, this.useCount);
    }
    this.#useBase[n] = base;
    this.#arity[n] = arity;
    for (let i = 0; i < arity; i++) {
      this.#useOwner[base + i] = n;
      this.#useValue[base + i] = NONE;
      this.link(base + i, operands[i]!);
    }
  }

  /** Replaces all operand slots of a node; used for the return, whose arity changes. */
  resetOperands(n: number, operands: readonly number[]): void {
    this.unlinkAll(n);
    this.#setSlots(n, operands, operands.length);
  }

  link(use: number, v: number): void {
    if (v === NONE) return;
    const first = this.#firstUse[v]!;
    this.#useValue[use] = v;
    this.#usePrev[use] = NONE;
    this.#useNext[use] = first;
    if (first !== NONE) this.#usePrev[first] = use;
    this.#firstUse[v] = use;
    this.#uses[v]!++;
  }

  unlink(use: number): void {
    const v = this.#useValue[use]!;
    if (v === NONE) return;
    const prev = this.#usePrev[use]!;
    const next = this.#useNext[use]!;
    if (prev === NONE) this.#firstUse[v] = next;
    else this.#useNext[prev] = next;
    if (next !== NONE) this.#usePrev[next] = prev;
    this.#useValue[use] = NONE;
    this.#uses[v]!--;
  }

  unlinkAll(n: number): void {
    const base = this.#useBase[n]!;
    for (let u = base; u < base + this.#arity[n]!; u++) this.unlink(u);
  }

  #insert(n: number, before: number): void {
    const prev = before === NONE ? this.last : this.#prev[before]!;
    this.#prev[n] = prev;
    this.#next[n] = before;
    if (prev === NONE) this.first = n;
    else this.#next[prev] = n;
    if (before === NONE) this.last = n;
    else this.#prev[before] = n;
  }

  #remove(n: number): void {
    const prev = this.#prev[n]!;
    const next = this.#next[n]!;
    if (prev === NONE) this.first = next;
    else this.#next[prev] = next;
    if (next === NONE) this.last = prev;
    else this.#prev[next] = prev;
    // `next` of the erased node stays: an iteration that stands on it goes on from there.
  }

  move(n: number, before: number): void {
    this.#remove(n);
    this.#insert(n, before);
  }

  erase(n: number): void {
    this.unlinkAll(n);
    this.#remove(n);
    this.#op[n] = NONE;
    this.alive--;
  }

  /**
   * Makes ids below the given numbers count as used (for erased nodes of an undone future).
   * @param erased - a node without an op, which stands for the producers of undone values: nobody can read these
   */
  reserve(nodes: number, values: number, uses: number, erased: number): void {
    this.#op = grown(this.#op, nodes);
    this.#useBase = grown(this.#useBase, nodes);
    this.#arity = grown(this.#arity, nodes);
    this.#prev = grown(this.#prev, nodes);
    this.#next = grown(this.#next, nodes);
    this.#resultBase = grown(this.#resultBase, nodes);
    this.#resultCount = grown(this.#resultCount, nodes);
    this.#producer = grown(this.#producer, values);
    this.#firstUse = grown(this.#firstUse, values);
    this.#uses = grown(this.#uses, values);
    this.#useValue = grown(this.#useValue, uses);
    this.#useOwner = grown(this.#useOwner, uses);
    this.#usePrev = grown(this.#usePrev, uses);
    this.#useNext = grown(this.#useNext, uses);
    // Undone nodes are erased, have no operands and no results and end every walk; undone values have no uses.
    this.#op.fill(NONE, this.nodeCount, nodes);
    this.#next.fill(NONE, this.nodeCount, nodes);
    this.#arity.fill(0, this.nodeCount, nodes);
    this.#resultCount.fill(0, this.nodeCount, nodes);
    this.#producer.fill(erased, this.valueCount, values);
    this.#firstUse.fill(NONE, this.valueCount, values);
    this.#uses.fill(0, this.valueCount, values);
    this.nodeCount = Math.max(this.nodeCount, nodes);
    this.valueCount = Math.max(this.valueCount, values);
    this.useCount = Math.max(this.useCount, uses);
  }

  /** An independent copy. */
  clone(): Store {
    const copy = new Store();
    copy.nodeCount = this.nodeCount;
    copy.valueCount = this.valueCount;
    copy.useCount = this.useCount;
    copy.alive = this.alive;
    copy.first = this.first;
    copy.last = this.last;
    copy.#op = this.#op.slice(0, this.nodeCount);
    copy.#useBase = this.#useBase.slice(0, this.nodeCount);
    copy.#arity = this.#arity.slice(0, this.nodeCount);
    copy.#prev = this.#prev.slice(0, this.nodeCount);
    copy.#next = this.#next.slice(0, this.nodeCount);
    copy.#resultBase = this.#resultBase.slice(0, this.nodeCount);
    copy.#resultCount = this.#resultCount.slice(0, this.nodeCount);
    copy.#producer = this.#producer.slice(0, this.valueCount);
    copy.#firstUse = this.#firstUse.slice(0, this.valueCount);
    copy.#uses = this.#uses.slice(0, this.valueCount);
    copy.#useValue = this.#useValue.slice(0, this.useCount);
    copy.#useOwner = this.#useOwner.slice(0, this.useCount);
    copy.#usePrev = this.#usePrev.slice(0, this.useCount);
    copy.#useNext = this.#useNext.slice(0, this.useCount);
    return copy;
  }
}
