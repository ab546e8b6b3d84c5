import { dimAdd, dimCeilDiv, dimFloorDiv, dimMax, dimMod, dimMul, dimSub, symbol } from '@qfuse/plugin';
import { describe, expect, it } from 'vitest';
import { isUnbacked, SymReader } from './sym-dims.js';
import { parseSym } from './sym-parse.js';

const seen = new Map<string, boolean>();
const read = (text: string) => new SymReader((name, positive) => seen.set(name, positive)).dim(text);
const relation = (text: string) => new SymReader(() => {}).relation(text);
const S0 = "Symbol('s0', positive=True, integer=True)";
const s0 = symbol('s0');

describe('SymReader', () => {
  it.each([
    [S0, s0],
    [`Mul(Integer(64), ${S0})`, dimMul(64, s0)],
    [`Add(Mul(Integer(-1), ${S0}), Integer(7))`, dimSub(7, s0)],
    [`Pow(${S0}, Integer(2))`, dimMul(s0, s0)],
    [`FloorDiv(${S0}, Integer(2))`, dimFloorDiv(s0, 2)],
    [`floor(Mul(Rational(1, 2), ${S0}))`, dimFloorDiv(s0, 2)],
    [`ceiling(Mul(Rational(1, 2), ${S0}))`, dimCeilDiv(s0, 2)],
    [`CeilDiv(${S0}, Integer(3))`, dimCeilDiv(s0, 3)],
    [`Mod(${S0}, Integer(8))`, dimMod(s0, 8)],
    [`PythonMod(${S0}, Integer(8))`, dimMod(s0, 8)],
    [`ModularIndexing(${S0}, Integer(2), Integer(3))`, dimMod(dimFloorDiv(s0, 2), 3)],
    [`Max(Integer(1), Min(${S0}, Integer(9)))`, dimMax(1, read(`Min(${S0}, 9)`))],
    [`torch.utils._sympy.functions.FloorDiv(${S0}, Integer(2))`, dimFloorDiv(s0, 2)],
    [`Mul(Rational(1, 2), Mul(Integer(4), ${S0}))`, dimMul(2, s0)],
    ['2*s0 + 1', dimAdd(dimMul(2, s0), 1)],
    ['-(s0 - 3)*2', dimSub(6, dimMul(2, s0))],
    ['s0**2 // 4', dimFloorDiv(dimMul(s0, s0), 4)],
    ['-s0**2', dimMul(-1, dimMul(s0, s0))],
    ['(s0 % 8) + 7 - 3 - 2', dimAdd(dimMod(s0, 8), 2)],
    ['2**3', 8],
    ['4*s0/2', dimMul(2, s0)],
    ['Integer(-5)', -5],
  ])('reads %s', (text, dim) => expect(read(text)).toBe(dim));

  it('tells symbols and whether they are positive', () => {
    seen.clear();
    read(`Add(${S0}, Symbol('u3', integer=True))`);
    expect([...seen]).toEqual([
      ['s0', true],
      ['u3', false],
    ]);
    expect(['u3', 'zuf0', 'zf1', 's0', 'unit'].map(isUnbacked)).toEqual([true, true, true, false, false]);
  });

  it.each([
    [`GreaterThan(${S0}, Integer(4))`, { kind: 'le', left: 4, right: s0 }],
    [`LessThan(${S0}, Integer(4))`, { kind: 'le', left: s0, right: 4 }],
    ['s0 > 3', { kind: 'lt', left: 3, right: s0 }],
    ['Eq(s0 % 8, 0)', { kind: 'eq', left: dimMod(s0, 8), right: 0 }],
    ['Ne(s0, 5)', { kind: 'ne', left: s0, right: 5 }],
    ['s0 + 1', undefined],
    ['And(s0 > 1, s0 < 4)', undefined],
  ])('reads the relation %s', (text, expected) => expect(relation(text)).toEqual(expected));

  it.each([
    ['', /cannot be read/],
    ['s0 +', /cannot be read/],
    ['s0)', /cannot be read/],
    ['Add(s0', /cannot be read/],
    ['s0 $ 1', /cannot be read/],
    ['Symbol(s0)', /cannot be read/],
    ["Symbol('a b')", /not a symbol/],
    ["Symbol('s0', positive)", /cannot be read/],
    ['s0 / 2', /not an integer/],
    ['0.5', /not an integer/],
    ['FloorDiv(s0, 0)', /divides by 0/],
    ['Mod(s0, s1 - s1)', /divides by 0/],
    ['1 / (s0 - s0)', /divides by 0/],
    ['Pow(0, -1)', /divides by 0/],
    ['s0 ** 99', /exponent/],
    ['2 ** s0', /exponent/],
    ['99999999999999999999', /beyond 2\^53/],
    ['FloorDiv(s0)', /1 arguments, expected 2/],
    ['Piecewise(s0, 1)', /Piecewise is not among/],
    ['x'.repeat(20_000), /20000 characters/],
    ['('.repeat(5000), /nests deeper/],
    ['-'.repeat(5000), /nests deeper/],
  ])('refuses %.20s', (text, message) => expect(() => read(text)).toThrow(message));

  it('bounds products of sums', () => {
    const sum = (p: string): string => `(${Array.from({ length: 20 }, (_, i) => `${p}${i}`).join(' + ')})`;
    expect(() => read(['a', 'b', 'c', 'd', 'e', 'f'].map(sum).join('*'))).toThrow(/more than 200 terms/);
  });

  it('parses `**` to the right and differences to the left', () => {
    expect(read('2**2**3')).toBe(256);
    expect(read('10 - 3 - 2')).toBe(5);
    expect(parseSym('a')).toEqual({ kind: 'symbol', name: 'a', positive: false });
  });
});
