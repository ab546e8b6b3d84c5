import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { madeOrigin, type Origin, sourceOrigin } from './index.js';
import { NodeOrigins } from './node-origins.js';

const source = (i: number): Origin => sourceOrigin(`n${i}`);

describe('origins of nodes', () => {
  it('are those that were noted', () => {
    const origins = new NodeOrigins();
    for (let n = 3; n < 200; n++) origins.set(n, source(n >> 2));
    expect(origins.get(0)).toBeUndefined();
    expect(origins.get(1000)).toBeUndefined();
    for (let n = 3; n < 200; n++) expect(origins.get(n)).toBe(source(n >> 2));
  });

  it('go back through rewrites: the root is the last source', () => {
    const origins = new NodeOrigins();
    [1, 2, 3].forEach((n) => origins.set(n, source(n)));
    const first = origins.addRewrite('first', [2, 1]);
    origins.setRewrite(4, first);
    origins.setRewrite(5, first);
    const second = origins.addRewrite('second', [3, 4]);
    origins.setRewrite(6, second);
    expect(origins.ofRewrite(second)).toBe(madeOrigin('second', [source(1), source(2), source(3)]));
    expect(origins.get(6)).toBe(origins.ofRewrite(second));
    expect([origins.get(4), origins.get(5)]).toEqual([madeOrigin('first', [source(1), source(2)]), origins.get(4)]);
  });

  it('may go back any number of times', () => {
    const origins = new NodeOrigins();
    origins.set(0, source(0));
    for (let n = 1; n <= 100_000; n++) origins.setRewrite(n, origins.addRewrite(n % 2 === 0 ? 'even' : 'odd', [n - 1]));
    expect(origins.get(100_000)).toBe(madeOrigin('even', [source(0)]));
  });

  test('are what they would be if they were made at once', () => {
    const rewrites = fc.array(fc.tuple(fc.constantFrom('r', 's'), fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), fc.boolean()), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(rewrites, (steps) => {
        const origins = new NodeOrigins();
        const eager: Origin[] = [];
        for (let n = 0; n < 5; n++) origins.set(n, (eager[n] = source(n)));
        for (const [by, picks, ask] of steps) {
          const nodes = picks.map((p) => p % eager.length);
          origins.setRewrite(eager.length, origins.addRewrite(by, nodes));
          eager.push(madeOrigin(by, nodes.map((n) => eager[n]!).reverse()));
          // Some are asked for early.
          if (ask) expect(origins.get(nodes[0]!)).toBe(eager[nodes[0]!]);
        }
        eager.forEach((origin, n) => expect(origins.get(n)).toBe(origin));
      }),
    );
  });
});
