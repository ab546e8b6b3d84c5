import { tensorOf } from '@qfuse/ir';
import { expect, test } from 'vitest';
import { compareTensors } from './index.js';

const f32 = (...values: number[]) => tensorOf('f32', [values.length], values);
const close = { atol: 0.01, rtol: 0.1 };

test('as numpy: |a - b| <= atol + rtol * |b|', () => {
  expect(compareTensors(f32(1.1, 0.01), f32(1, 0), close)).toMatchObject({ withinTolerance: true });
  expect(compareTensors(f32(1.2, 0), f32(1, 0), close)).toMatchObject({ withinTolerance: false, worst: 0 });
});

test('NaN equals NaN, infinities equal themselves, and nothing else equals either', () => {
  expect(compareTensors(f32(NaN, Infinity, -Infinity), f32(NaN, Infinity, -Infinity), close)).toMatchObject({
    withinTolerance: true,
    maxAbsError: 0,
  });
  for (const [a, b] of [
    [NaN, 0],
    [0, NaN],
    [Infinity, 1],
    [1, Infinity],
    [Infinity, -Infinity],
  ] as const)
    expect(compareTensors(f32(a), f32(b), { atol: 1e30, rtol: 1 }).withinTolerance, `${a} against ${b}`).toBe(false);
});

test('integers and bools are compared exactly', () => {
  expect(compareTensors(tensorOf('i64', [1], [5]), tensorOf('i64', [1], [6]), { atol: 10, rtol: 10 })).toMatchObject({
    withinTolerance: false,
    maxAbsError: 1,
  });
  expect(compareTensors(tensorOf('bool', [2], [1, 0]), tensorOf('bool', [2], [1, 0]), { atol: 0, rtol: 0 }).withinTolerance).toBe(true);
});

test('shapes must agree, and floats are not integers', () => {
  expect(compareTensors(f32(1, 2), tensorOf('f32', [1, 2], [1, 2]), close).problem).toBe('the output is f32[2], expected f32[1, 2]');
  expect(compareTensors(f32(1), tensorOf('i32', [1], [1]), close).withinTolerance).toBe(false);
});

test('errors are the largest, relative ones over elements that are not zero', () => {
  const { maxAbsError, maxRelError, worst } = compareTensors(f32(1.5, 12, 3), f32(1, 10, 0), { atol: 9, rtol: 9 });
  expect([maxAbsError, maxRelError, worst]).toEqual([3, 0.5, 2]);
});
