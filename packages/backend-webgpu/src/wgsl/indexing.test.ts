import { symbol } from '@qfuse/plugin';
import { expect, test } from 'vitest';
import type { Sizes } from '../kernel.js';
import { sizesFor } from '../schedule.js';
import { broadcastIndexing, indexing, rowMajor } from './indexing.js';

const sizes = (bindings: Record<string, number> = {}): Sizes => sizesFor(new Map(Object.entries(bindings)));
const s = symbol('s');
const t = symbol('t');

test('equal shapes need no arithmetic', () => {
  expect(
    broadcastIndexing(
      [s, 3, t],
      [
        [s, 3, t],
        [s, 3, t],
      ],
    ),
  ).toMatchObject({ coordinates: '', at: ['i', 'i'], parameters: {} });
});

test('axes that all operands have or lack are joined', () => {
  const index = broadcastIndexing(
    [s, 3, 4, 5],
    [
      [s, 3, 4, 5],
      [4, 5],
    ],
  );
  expect(index).toMatchObject({ at: ['i', 'c0 * P.s1_0 + c1 * P.s1_1'] });
  expect(index.values(sizes({ s: 2 }))).toEqual({ d1: 20, s1_0: 0, s1_1: 1 });
});

test('a symbolic size that is 1 in a run broadcasts', () => {
  const index = broadcastIndexing(
    [s, 5],
    [
      [s, 5],
      [t, 5],
    ],
  );
  expect(index.values(sizes({ s: 3, t: 1 }))).toMatchObject({ s1_0: 0, s1_1: 1 });
  expect(index.values(sizes({ s: 3, t: 3 }))).toMatchObject({ s1_0: 5, s1_1: 1 });
});

test('a 0-d operand is read at 0', () => {
  expect(broadcastIndexing([7], [[]])).toMatchObject({ at: ['c0 * P.s0_0'] });
  expect(broadcastIndexing([], [[]])).toMatchObject({ at: ['i'] });
});

test('strided accesses have offsets and strides as parameters', () => {
  const index = indexing([s, 4], [{ strides: () => [-4, 1], offset: () => 8 }]);
  expect(index.at).toEqual(['P.o0 + c0 * P.s0_0 + c1 * P.s0_1']);
  expect(index.coordinates).toBe('let c1 = i % P.d1;\nlet r1 = i / P.d1;\nlet c0 = r1;');
  expect(index.values(sizes({ s: 3 }))).toEqual({ d1: 4, o0: 8, s0_0: -4, s0_1: 1 });
});

test('row-major strides', () => {
  expect(rowMajor([2, 3, 4])).toEqual([12, 4, 1]);
  expect(rowMajor([])).toEqual([]);
});
