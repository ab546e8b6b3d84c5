import { expect, test } from 'vitest';
import type { Dawn } from './dawn.js';
import { gpuOf, retire } from './instances.js';

const fakeDawn = (folder: string): Dawn => ({ folder, globals: {}, create: () => ({}) as GPU });

test('equal options share one object, however many devices there are', () => {
  const dawn = fakeDawn('/one');
  expect(gpuOf(dawn, ['a', 'b'])).toBe(gpuOf(fakeDawn('/one'), ['a', 'b']));
  expect(gpuOf(dawn, ['a', 'b'])).not.toBe(gpuOf(dawn, ['a']));
  expect(gpuOf(dawn, ['a', 'b'])).not.toBe(gpuOf(fakeDawn('/two'), ['a', 'b']));
});

test('a retired object is not given out again, and the others stay', () => {
  const dawn = fakeDawn('/three');
  const [first, other] = [gpuOf(dawn, ['a']), gpuOf(dawn, ['b'])];
  retire(first);
  retire(first);
  expect(gpuOf(dawn, ['a'])).not.toBe(first);
  expect(gpuOf(dawn, ['b'])).toBe(other);
});
