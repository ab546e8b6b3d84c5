import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Selection } from './selection.js';

const values = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 300 });
const over = (xs: readonly number[]): Selection => new Selection(xs.length, (a, b) => xs[a]! < xs[b]!);
const sortedCopy = (xs: readonly number[]): number[] => xs.toSorted((a, b) => a - b);
const isPermutation = (order: readonly number[], count: number): boolean => new Set(order).size === count && order.length === count;

describe('positions', () => {
  test('sort', () =>
    fc.assert(
      fc.property(values, (xs) => {
        const all = over(xs);
        all.sort(xs.length);
        expect(all.order.map((i) => xs[i])).toEqual(sortedCopy(xs));
        expect(isPermutation(all.order, xs.length)).toBe(true);
      }),
    ));

  test('nth element', () =>
    fc.assert(
      fc.property(values, fc.nat(), (xs, seed) => {
        const nth = seed % xs.length;
        const all = over(xs);
        all.nthElement(nth);
        const found = all.order.map((i) => xs[i]!);
        expect(found[nth]).toBe(sortedCopy(xs)[nth]);
        expect(found.slice(0, nth).every((x) => x <= found[nth]!)).toBe(true);
        expect(found.slice(nth).every((x) => x >= found[nth]!)).toBe(true);
        expect(isPermutation(all.order, xs.length)).toBe(true);
      }),
    ));

  test('partial sort', () =>
    fc.assert(
      fc.property(values, fc.nat(), (xs, seed) => {
        const count = (seed % xs.length) + 1;
        const all = over(xs);
        all.partialSort(count);
        expect(all.order.slice(0, count).map((i) => xs[i])).toEqual(sortedCopy(xs).slice(0, count));
        expect(isPermutation(all.order, xs.length)).toBe(true);
      }),
    ));

  test('an adverse order does not take long', () => {
    // The median of three falls on the smallest elements again and again.
    const size = 4000;
    const killer = Array.from({ length: size }, (_, i) => (i % 2 === 0 ? i : size - i));
    const all = over(killer);
    all.sort(size);
    expect(all.order.map((i) => killer[i])).toEqual(sortedCopy(killer));
  });
});
