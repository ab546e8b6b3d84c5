import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type MemoryItem, planMemory } from './memory-plan.js';

const item = (bytes: number, first: number, last: number, ...apart: number[]): MemoryItem => ({
  bytes,
  first,
  last,
  apart: new Set(apart),
});

const items = fc
  .array(
    fc.record({
      bytes: fc.integer({ min: 1, max: 5000 }),
      first: fc.nat(20),
      length: fc.nat(10),
      apart: fc.array(fc.nat(30), { maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((all) =>
    all.map(({ bytes, first, length, apart }, i) => item(bytes, first, first + length, ...apart.filter((j) => j < all.length && j !== i))),
  );

test('never lets what is alive together overlap, nor what is apart share an arena', () => {
  fc.assert(
    fc.property(items, fc.constantFrom(16, 256), (all, alignment) => {
      const { placements, arenas, peakBytes, lowerBound } = planMemory(all, alignment);
      all.forEach((a, i) => {
        const p = placements[i]!;
        expect(p.offset % alignment).toBe(0);
        expect(p.offset + a.bytes).toBeLessThanOrEqual(arenas[p.arena]!);
        all.forEach((b, j) => {
          const q = placements[j]!;
          if (i === j || p.arena !== q.arena) return;
          expect(a.apart.has(j)).toBe(false);
          const together = a.first <= b.last && b.first <= a.last;
          expect(together && p.offset < q.offset + b.bytes && q.offset < p.offset + a.bytes).toBe(false);
        });
      });
      expect(peakBytes).toBe(arenas.reduce((x, y) => x + y, 0));
      expect(peakBytes).toBeGreaterThanOrEqual(lowerBound);
    }),
  );
});

test('keeps arenas under the largest buffer where items allow it', () => {
  fc.assert(
    fc.property(items, (all) => {
      for (const size of planMemory(all, 16, 8192).arenas) expect(size).toBeLessThanOrEqual(8192);
    }),
  );
});

test('a chain takes two arenas that alternate, as large as what is alive', () => {
  const chain = Array.from({ length: 9 }, (_, i) => item(512, i, i + 1, ...(i > 0 ? [i - 1] : [])));
  expect(planMemory(chain)).toMatchObject({ arenas: [512, 512], peakBytes: 1024, lowerBound: 1024 });
});

test('a value that lives on beside a chain takes a third', () => {
  const chain = Array.from({ length: 5 }, (_, i) => item(256, i, i + 1, ...(i > 0 ? [i - 1] : [])));
  const plan = planMemory([...chain, item(256, 0, 5, 0, 1, 2, 3, 4)]);
  expect(plan.arenas).toEqual([256, 256, 256]);
});

test('outputs live to the end', () => {
  const { placements } = planMemory([item(256, 0, Number.POSITIVE_INFINITY), item(256, 5, 6)]);
  expect(placements[0]).not.toEqual(placements[1]);
});
