import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countOf, gather, isContiguous, spanOf } from './strided.js';

/** The definition: element at index i is at Σ i·stride. */
function slow(storage: Uint8Array, sizes: readonly number[], strides: readonly number[], width: number): number[] {
  const out: number[] = [];
  const walk = (axis: number, at: number): void => {
    if (axis === sizes.length) for (let b = 0; b < width; b++) out.push(storage[at * width + b]!);
    else for (let i = 0; i < sizes[axis]!; i++) walk(axis + 1, at + i * strides[axis]!);
  };
  walk(0, 0);
  return out;
}

const layouts = fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 7 })), { maxLength: 4 });

describe('strided tensors', () => {
  it('are gathered as their definition says', () =>
    fc.assert(
      fc.property(layouts, fc.constantFrom(1, 2, 4, 8), (axes, width) => {
        const layout = { sizes: axes.map(([n]) => n), strides: axes.map(([, s]) => s), offset: 0 };
        const storage = Uint8Array.from({ length: spanOf(layout) * width }, (_, i) => (i * 31) & 255);
        expect([...gather(storage, layout, width)]).toEqual(slow(storage, layout.sizes, layout.strides, width));
      }),
      { numRuns: 300 },
    ));

  it('know when they are contiguous', () => {
    expect(isContiguous({ sizes: [2, 3], strides: [3, 1], offset: 5 })).toBe(true);
    expect(isContiguous({ sizes: [2, 1, 3], strides: [3, 99, 1], offset: 0 })).toBe(true);
    expect(isContiguous({ sizes: [3, 2], strides: [1, 3], offset: 0 })).toBe(false);
    expect(isContiguous({ sizes: [], strides: [], offset: 0 })).toBe(true);
  });

  it('count elements and span', () => {
    expect(countOf([])).toBe(1);
    expect(spanOf({ sizes: [2, 3], strides: [10, 2], offset: 0 })).toBe(15);
    expect(spanOf({ sizes: [2, 0], strides: [10, 2], offset: 0 })).toBe(0);
    expect(spanOf({ sizes: [5], strides: [0], offset: 0 })).toBe(1);
  });
});
