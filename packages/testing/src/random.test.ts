import { dtypes, isFloat } from '@qfuse/ir';
import { expect, test } from 'vitest';
import { Random, randomTensor } from './random.js';

const numbers = (seed: number): number[] => {
  const random = new Random(seed);
  return Array.from({ length: 100 }, () => random.next());
};

test('a seed gives the same numbers each time, another seed other ones', () => {
  expect(numbers(1)).toEqual(numbers(1));
  expect(numbers(1)).not.toEqual(numbers(2));
});

test('numbers lie in [0, 1) and differ, whatever the seed', () => {
  for (const seed of [-1, 0, 1, 2 ** 31, 123456789]) {
    expect(numbers(seed).every((x) => x >= 0 && x < 1)).toBe(true);
    expect(new Set(numbers(seed)).size).toBeGreaterThan(95);
  }
});

test('whole numbers reach both ends', () => {
  const random = new Random(3);
  const drawn = new Set(Array.from({ length: 200 }, () => random.int(-2, 2)));
  expect([...drawn].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
});

test.each(dtypes)('a tensor of %s has its shape and is finite', (dtype) => {
  const tensor = randomTensor(new Random(5), dtype, [3, 5]);
  expect([tensor.dtype, tensor.shape, tensor.data.length]).toEqual([dtype, [3, 5], 15]);
  expect(Array.from(tensor.data, Number).every(Number.isFinite)).toBe(true);
  expect(randomTensor(new Random(5), dtype, [0, 5]).data.length).toBe(0);
});

test.each(['f32', 'f16', 'i8', 'i64', 'u4'] as const)('a range for %s holds, its ends come first', (dtype) => {
  const range = [2, 6] as const;
  const data = Array.from(randomTensor(new Random(6), dtype, [50], range).data, Number);
  expect(data.slice(0, 2)).toEqual([...range]);
  expect(data.every((x) => x >= 2 && x <= 6)).toBe(true);
  if (isFloat(dtype)) expect(data.some((x) => !Number.isInteger(x))).toBe(true);
});
