import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { dimOf, sums, symbolNames, valueOf } from '../test/dims.js';
import {
  dimAdd,
  dimFloorDiv,
  dimMax,
  dimMin,
  dimMod,
  dimMul,
  dimSub,
  evaluateDim,
  ShapeEnv,
  symbol,
  type SymExpr,
  type Tri,
} from './index.js';

const [s0, s1] = symbolNames.map(symbol) as [SymExpr, SymExpr, SymExpr];

interface Facts {
  readonly env: ShapeEnv;
  /** Every binding that the facts allow. */
  readonly all: readonly ReadonlyMap<string, number>[];
}

/** Facts with few enough values to try all of them. No symbol is 0, so that divisions are defined. */
const facts: fc.Arbitrary<Facts> = fc
  .tuple(
    ...symbolNames.map(() =>
      fc.record({ min: fc.integer({ min: 1, max: 6 }), length: fc.integer({ min: 0, max: 4 }), divisor: fc.integer({ min: 1, max: 4 }) }),
    ),
  )
  .map((given) => {
    const env = new ShapeEnv();
    let all: ReadonlyMap<string, number>[] = [new Map()];
    given.forEach(({ min, length, divisor }, i) => {
      const name = symbolNames[i]!;
      const first = Math.ceil(min / divisor) * divisor;
      const max = Math.max(first, min + length);
      env.declare(name, { min, max, divisor, source: 'the test' });
      const values: number[] = [];
      for (let v = first; v <= max; v += divisor) values.push(v);
      all = all.flatMap((b) => values.map((v) => new Map([...b, [name, v]])));
    });
    return { env, all };
  });

/** A proved answer must hold for every binding. */
function expectProved(answer: Tri, truths: readonly boolean[]): void {
  if (answer === 'yes') expect(truths).not.toContain(false);
  if (answer === 'no') expect(truths).not.toContain(true);
}

describe('every answer is proved', () => {
  const runs = { numRuns: 800 };

  test('equal and lessEqual', () => {
    fc.assert(
      fc.property(facts, sums, sums, ({ env, all }, x, y) => {
        const [a, b] = [dimOf(x), dimOf(y)];
        expectProved(
          env.equal(a, b),
          all.map((v) => valueOf(x, v) === valueOf(y, v)),
        );
        expectProved(
          env.lessEqual(a, b),
          all.map((v) => valueOf(x, v) <= valueOf(y, v)),
        );
      }),
      runs,
    );
  });

  test('divides', () => {
    fc.assert(
      fc.property(facts, sums, fc.integer({ min: 0, max: 8 }), ({ env, all }, x, k) => {
        expectProved(
          env.divides(k, dimOf(x)),
          all.map((v) => (k === 0 ? valueOf(x, v) === 0 : Math.abs(valueOf(x, v) % k) === 0)),
        );
      }),
      runs,
    );
  });

  test('range and divisor', () => {
    fc.assert(
      fc.property(facts, sums, ({ env, all }, x) => {
        const [low, high] = env.range(dimOf(x));
        const divisor = env.divisor(dimOf(x));
        for (const v of all) {
          const value = valueOf(x, v);
          expect(value).toBeGreaterThanOrEqual(low);
          expect(value).toBeLessThanOrEqual(high);
          expect(divisor === 0 ? Math.abs(value) : Math.abs(value % divisor)).toBe(0);
        }
      }),
      runs,
    );
  });

  test('simplify keeps the value', () => {
    fc.assert(
      fc.property(facts, sums, ({ env, all }, x) => {
        const simple = env.simplify(dimOf(x));
        for (const v of all) expect(evaluateDim(simple, v)).toBe(valueOf(x, v) + 0);
        expect(env.simplify(dimOf(x))).toBe(simple);
      }),
      runs,
    );
  });
});

describe('what is proved', () => {
  const env = new ShapeEnv();
  const batch = env.declare('batch', { min: 1, max: 8 });
  const even = env.declare('even', { min: 2, divisor: 2 });
  const size = env.declare('size');

  const answers: readonly [string, Tri, Tri][] = [
    ['a dim equals itself', env.equal(size, size), 'yes'],
    ['ranges apart are not equal', env.equal(batch, 9), 'no'],
    ['an even number is not odd', env.equal(even, 7), 'no'],
    ['2a is not 2b + 1', env.equal(dimMul(2, size), dimAdd(dimMul(2, batch), 1)), 'no'],
    ['a size may be another size', env.equal(size, batch), 'unknown'],
    ['a minimum that the range decides', env.equal(dimMin(batch, 8), batch), 'yes'],
    ['a maximum that the range decides', env.equal(dimMax(batch, dimAdd(size, 8)), dimAdd(size, 8)), 'yes'],
    ['a rest that the range decides', env.equal(dimMod(batch, 9), batch), 'yes'],
    ['a quotient that the range decides', env.equal(dimFloorDiv(batch, 9), 0), 'yes'],
    ['a size is at least 0', env.lessEqual(0, size), 'yes'],
    ['a size has no upper bound', env.lessEqual(size, 2 ** 40), 'unknown'],
    ['at most 8', env.lessEqual(batch, 8), 'yes'],
    ['not above 8', env.lessEqual(9, batch), 'no'],
    ['2 divides an even number', env.divides(2, even), 'yes'],
    ['4 may divide an even number', env.divides(4, even), 'unknown'],
    ['4 divides twice an even number', env.divides(4, dimMul(2, even)), 'yes'],
    ['2 does not divide an even number and 1', env.divides(2, dimAdd(even, 1)), 'no'],
    ['2 divides the smaller of two even numbers', env.divides(2, dimMin(even, dimMul(2, size))), 'yes'],
    ['numbers', env.divides(3, 9), 'yes'],
    ['other numbers', env.divides(3, 10), 'no'],
    ['0 divides 0 only', env.divides(0, batch), 'no'],
  ];
  test.each(answers)('%s', (_, found, expected) => expect(found).toBe(expected));

  test('beyond 2^53 nothing is claimed that is not so', () => {
    const wide = new ShapeEnv();
    const x = wide.declare('x', { min: 2 ** 52, divisor: 3 });
    const y = wide.declare('y', { min: 2 ** 52, divisor: 2 ** 30 + 1 });
    expect(wide.divisor(dimMul(dimMul(x, y), dimMul(x, y)))).toBeLessThan(2 ** 53);
    expect(wide.divides(2, dimMul(dimMul(x, y), dimMul(x, y)))).toBe('unknown');
    expect(wide.range(dimMul(x, y))).toEqual([Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY]);
    expect(wide.range(dimSub(0, dimMul(x, y)))).toEqual([Number.NEGATIVE_INFINITY, -Number.MAX_SAFE_INTEGER]);
  });

  test('deep nesting takes no time', () => {
    const nest = Array.from({ length: 60 }, (_, i) => symbol(`n${i}`)).reduce(
      (a, b) => dimMin(dimAdd(a as SymExpr, 1), dimMax(b, 2)) as SymExpr,
    );
    expect(env.simplify(nest)).toBeDefined();
    expect(env.equal(nest, dimAdd(nest, 1))).toBe('no');
  });
});

describe('facts', () => {
  it('narrow each other', () => {
    const env = new ShapeEnv();
    env.declare('s0', { min: 2, max: 100, divisor: 4, source: 'a' });
    env.declare('s0', { min: 1, max: 60, divisor: 6, source: 'b' });
    expect(env.fact('s0')).toEqual({ min: 2, max: 60, divisor: 12, source: 'b' });
    expect(env.symbols()).toEqual(['s0']);
    expect(env.fact('s1')).toEqual({ min: 0, max: Number.POSITIVE_INFINITY, divisor: 1, source: 'a size' });
  });

  it('change what was simplified before', () => {
    const env = new ShapeEnv();
    expect(env.simplify(dimMin(s0, 4))).toBe(dimMin(s0, 4));
    env.declare('s0', { min: 5 });
    expect(env.simplify(dimMin(s0, 4))).toBe(4);
  });

  it('are copied from another env', () => {
    const env = new ShapeEnv();
    const other = new ShapeEnv();
    other.declare('s1', { min: 3, max: 9, divisor: 3, source: 'there' });
    env.adopt(other);
    expect(env.fact('s1')).toEqual(other.fact('s1'));
    expect(env.equal(dimMod(s1, 3), 0)).toBe('yes');
  });

  it('take the largest 64-bit number for no limit', () => {
    const env = new ShapeEnv();
    env.declare('s0', { max: 2 ** 63 });
    expect(env.fact('s0').max).toBe(Number.POSITIVE_INFINITY);
  });

  it('that leave nothing are refused', () => {
    const env = new ShapeEnv();
    expect(() => env.declare('s0', { min: 5, max: 4 })).toThrow('symbolic dim "s0" would have to be in [5, 4], which is empty');
    expect(() => env.declare('s0', { min: 5, max: 7, divisor: 4 })).toThrow('in [5, 7] and a multiple of 4, which is empty');
    expect(env.symbols()).toEqual([]);
  });

  test.each([
    { min: 0.5 },
    { max: Number.NaN },
    { divisor: 0 },
    { divisor: -2 },
    { divisor: Number.NaN },
    { divisor: Number.POSITIVE_INFINITY },
  ])('%o is refused', (fact) => {
    expect(() => new ShapeEnv().declare('s0', fact)).toThrow('expected whole numbers');
  });

  it('check sizes and name the bound', () => {
    const env = new ShapeEnv();
    env.declare('s0', { min: 2, max: 8, divisor: 2, source: 'model.pt2' });
    env.check('s0', 4, 'input "x"');
    expect(() => env.check('s0', 10, 'input "x"')).toThrow('input "x": dim "s0" is 10, expected 2 to 8 (model.pt2)');
    expect(() => env.check('s0', 3, 'input "x"')).toThrow('input "x": dim "s0" is 3, expected a multiple of 2 (model.pt2)');
  });
});
