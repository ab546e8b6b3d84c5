import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { IntStack } from './int-stack.js';
import { Worklist } from './worklist.js';

const drain = (list: Worklist): number[] => {
  const out: number[] = [];
  for (let n = list.pop(); n >= 0; n = list.pop()) out.push(n);
  return out;
};

describe('a worklist', () => {
  it('hands out the last id first, each once', () => {
    const list = new Worklist();
    for (const n of [3, 1, 3, 2, 1]) list.push(n);
    expect(drain(list)).toEqual([2, 1, 3]);
    expect(list.pop()).toBe(-1);
    list.push(3);
    expect(drain(list)).toEqual([3]);
  });

  it('takes any number of ids', () => {
    const list = new Worklist();
    for (let n = 0; n < 100_000; n += 7) list.push(n);
    expect(drain(list).length).toBe(Math.ceil(100_000 / 7));
  });

  test('with a seed hands out the same ids in another order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2000)), fc.integer(), (ids, seed) => {
        const shuffled = (s: number): number[] => {
          const list = new Worklist(s);
          for (const n of ids) list.push(n);
          return drain(list);
        };
        const once = shuffled(seed);
        expect([...once].sort((a, b) => a - b)).toEqual([...new Set(ids)].sort((a, b) => a - b));
        expect(shuffled(seed)).toEqual(once);
      }),
    );
    const orders = new Set(
      Array.from({ length: 10 }, (_, seed) => {
        const list = new Worklist(seed);
        for (let n = 0; n < 20; n++) list.push(n);
        return drain(list).join();
      }),
    );
    expect(orders.size).toBe(10);
  });
});

test('a stack is read from the top, and at any place', () => {
  const stack = new IntStack();
  for (let n = 0; n < 200; n++) stack.push(n * n);
  expect([stack.size, stack.at(14), stack.pop(), stack.pop(), stack.size]).toEqual([200, 196, 199 ** 2, 198 ** 2, 198]);
  stack.set(197, 5);
  expect(stack.pop()).toBe(5);
  stack.clear();
  stack.push(7);
  expect([stack.size, stack.pop()]).toEqual([1, 7]);
});
