import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { bindings, dimOf, sums, symbolNames, valueOf } from '../test/dims.js';
import {
  Cursor,
  type Dim,
  dimAdd,
  dimCeilDiv,
  dimFloorDiv,
  dimMax,
  dimMin,
  dimMod,
  dimMul,
  dimProduct,
  dimSub,
  dimSymbols,
  dimText,
  evaluateDim,
  isSymbolName,
  QfuseError,
  substitute,
  symbol,
  type SymExpr,
} from './index.js';

const [s0, s1, s2] = symbolNames.map(symbol) as [SymExpr, SymExpr, SymExpr];
const code = (work: () => unknown): string | undefined => {
  try {
    work();
  } catch (error) {
    if (error instanceof QfuseError) return error.code;
    throw error;
  }
  return undefined;
};

describe('the normal form', () => {
  const equal: readonly [string, Dim, Dim][] = [
    ['terms are sorted', dimAdd(s1, s0), dimAdd(s0, s1)],
    ['equal terms are joined', dimAdd(s0, s0), dimMul(2, s0)],
    ['products are spread out', dimMul(2, dimAdd(s0, 1)), dimAdd(dimMul(s0, 2), 2)],
    ['factors are sorted', dimMul(s1, s0), dimMul(s0, s1)],
    ['what cancels is gone', dimSub(dimAdd(s0, 5), s0), 5],
    ['a product with 0 is 0', dimMul(s0, 0), 0],
    ['the empty product is 1', dimProduct([]), 1],
    ['a product of dims', dimProduct([2, s0, s1]), dimMul(dimMul(s1, s0), 2)],
    ['an exact quotient by a number', dimFloorDiv(dimAdd(dimMul(4, s0), 8), 4), dimAdd(s0, 2)],
    ['an exact quotient by a negative number', dimFloorDiv(dimMul(-4, s0), -4), s0],
    ['an exact quotient by a product', dimFloorDiv(dimMul(dimMul(s0, s1), 6), dimMul(s1, 2)), dimMul(3, s0)],
    ['an exact quotient by a sum', dimFloorDiv(dimAdd(dimMul(2, s0), 2), dimAdd(s0, 1)), 2],
    ['a quotient of equals', dimFloorDiv(dimAdd(s0, s1), dimAdd(s1, s0)), 1],
    ['nothing divided is nothing', dimFloorDiv(0, s0), 0],
    ['a multiple has no rest', dimMod(dimMul(6, s0), 3), 0],
    ['a rest by 1', dimMod(s0, 1), 0],
    ['the smaller of two that differ by a number', dimMin(dimAdd(s0, 1), s0), s0],
    ['the larger of two that differ by a number', dimMax(dimAdd(s0, 1), s0), dimAdd(s0, 1)],
    ['minimum does not depend on the order', dimMin(s0, s1), dimMin(s1, s0)],
    ['maximum does not depend on the order', dimMax(s0, s1), dimMax(s1, s0)],
  ];
  test.each(equal)('%s', (_, a, b) => expect(a).toBe(b));

  it('prints as one would write it', () => {
    expect(dimText(dimSub(dimAdd(dimMul(-1, s0), dimMul(3, s1)), 4))).toBe('-s0 + 3*s1 - 4');
    expect(dimText(dimAdd(dimMul(s0, s0), dimFloorDiv(dimSub(s1, 1), 2)))).toBe('floordiv(s1 - 1, 2) + s0*s0');
    expect(dimText(dimMul(dimMod(s0, s1), dimMin(s0, 4)))).toBe('min(4, s0)*mod(s0, s1)');
  });

  it('is frozen, and names its symbols', () => {
    const d = dimAdd(dimMul(s0, s1), dimMax(s2, 3)) as SymExpr;
    expect([d, d.terms, d.terms[0], d.terms[0]!.factors].every(Object.isFrozen)).toBe(true);
    expect([...dimSymbols(d)].sort()).toEqual(['s0', 's1', 's2']);
    expect(String(d)).toBe(d.key);
  });

  it('has no negative zero', () => {
    for (const zero of [dimMul(0, -1), dimSub(0, 0), dimMod(-4, -4), dimFloorDiv(0, -3), dimCeilDiv(0, 3), dimMod(0, -3)])
      expect(Object.is(zero, 0)).toBe(true);
  });
});

test('arithmetic agrees with evaluation', () => {
  fc.assert(
    fc.property(sums, bindings, (sum, values) => {
      expect(evaluateDim(dimOf(sum), values)).toBe(valueOf(sum, values) + 0);
    }),
    { numRuns: 1500 },
  );
});

test('the text of a dim reads back as the same object', () => {
  fc.assert(
    fc.property(sums, (sum) => {
      const d = dimOf(sum);
      const cursor = new Cursor(dimText(d));
      expect(cursor.dim()).toBe(d);
      expect(cursor.at).toBe(cursor.text.length);
    }),
    { numRuns: 500 },
  );
});

test('substitution agrees with evaluation', () => {
  fc.assert(
    fc.property(sums, bindings, (sum, values) => {
      const partly = substitute(dimOf(sum), (name) => (name === 's1' ? undefined : values.get(name)));
      expect([...dimSymbols(partly)].filter((s) => s !== 's1')).toEqual([]);
      expect(evaluateDim(partly, values)).toBe(evaluateDim(dimOf(sum), values));
    }),
    { numRuns: 500 },
  );
});

test('division rounds as Python does', () => {
  for (let a = -9; a <= 9; a++)
    for (let b = -4; b <= 4; b++) {
      if (b === 0) continue;
      expect([a, b, dimFloorDiv(a, b)]).toEqual([a, b, Math.floor(a / b) + 0]);
      expect([a, b, dimMod(a, b)]).toEqual([a, b, a - b * Math.floor(a / b) + 0]);
      expect([a, b, dimCeilDiv(a, b)]).toEqual([a, b, Math.ceil(a / b) + 0]);
    }
});

describe('what is refused', () => {
  test('division by the number 0', () => {
    expect(code(() => dimFloorDiv(s0, 0))).toBe('ir/dim-division');
    expect(code(() => dimMod(3, 0))).toBe('ir/dim-division');
    expect(
      code(() =>
        evaluateDim(
          dimFloorDiv(s0, s1),
          new Map([
            ['s0', 4],
            ['s1', 0],
          ]),
        ),
      ),
    ).toBe('ir/dim-division');
  });

  test('a symbol without a value, by name', () => {
    expect(() => evaluateDim(dimAdd(s0, s1), new Map([['s0', 1]]))).toThrow('symbolic dim "s1" in "s0 + s1" has no value');
  });

  test('numbers that are not exact', () => {
    expect(code(() => dimMul(2 ** 40, 2 ** 40))).toBe('ir/dim-overflow');
    expect(code(() => dimAdd(Number.MAX_SAFE_INTEGER, 1))).toBe('ir/dim-overflow');
    expect(code(() => dimMul(dimMul(s0, 2 ** 40), 2 ** 40))).toBe('ir/dim-overflow');
    expect(code(() => dimProduct([2 ** 30, s0, 2 ** 30]))).toBe('ir/dim-overflow');
  });

  test('expressions that would eat the memory', () => {
    const wide = Array.from({ length: 40 }, (_, i) => symbol(`a${i}`) as Dim).reduce(dimAdd);
    expect(code(() => dimMul(dimMul(wide, wide), wide))).toBe('ir/dim-overflow');
    let long: Dim = s0;
    expect(
      code(() => {
        for (let i = 0; i < 1e5; i++) long = dimMul(long, s0);
      }),
    ).toBe('ir/dim-overflow');
    let nested: Dim = s0;
    expect(
      code(() => {
        for (let i = 0; i < 1e5; i++) nested = dimFloorDiv(dimAdd(nested, 1), 7);
      }),
    ).toBe('ir/dim-overflow');
  });

  test('names that are not identifiers or mean something in the text form', () => {
    for (const name of ['', '1a', 'a b', 'a.b', 'floordiv', 'mod', 'min', 'max', 'none']) {
      expect(isSymbolName(name)).toBe(false);
      expect(code(() => symbol(name))).toBe('ir/symbol');
    }
    for (const name of ['s0', '_x', 'batch', 'inf', 'nan']) expect(isSymbolName(name)).toBe(true);
  });
});
