import fc from 'fast-check';
import { type Dim, dimAdd, dimCeilDiv, dimFloorDiv, dimMax, dimMin, dimMod, dimMul, dimSub, symbol } from '../src/index.js';

/** A dim expression before it is one: what the dims are compared with. */
export type Sum =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'symbol'; readonly name: string }
  | { readonly kind: 'add' | 'sub' | 'mul' | 'min' | 'max' | 'floordiv' | 'mod' | 'ceildiv'; readonly a: Sum; readonly b: Sum };

export const symbolNames = ['s0', 's1', 's2'] as const;

const operations = {
  add: dimAdd,
  sub: dimSub,
  mul: dimMul,
  min: dimMin,
  max: dimMax,
  floordiv: dimFloorDiv,
  mod: dimMod,
  ceildiv: dimCeilDiv,
} as const;

/** The dim that an expression stands for. */
export function dimOf(sum: Sum): Dim {
  if (sum.kind === 'number') return sum.value;
  if (sum.kind === 'symbol') return symbol(sum.name);
  return operations[sum.kind](dimOf(sum.a), dimOf(sum.b));
}

/** Its value with the rules of Python's integers; NaN when something is divided by 0. */
export function valueOf(sum: Sum, bindings: ReadonlyMap<string, number>): number {
  if (sum.kind === 'number') return sum.value;
  if (sum.kind === 'symbol') return bindings.get(sum.name)!;
  const a = valueOf(sum.a, bindings);
  const b = valueOf(sum.b, bindings);
  switch (sum.kind) {
    case 'add':
      return a + b;
    case 'sub':
      return a - b;
    case 'mul':
      return a * b;
    case 'min':
      return Math.min(a, b);
    case 'max':
      return Math.max(a, b);
    case 'floordiv':
      return b === 0 ? Number.NaN : Math.floor(a / b);
    case 'mod':
      return b === 0 ? Number.NaN : a - b * Math.floor(a / b);
    case 'ceildiv':
      return b === 0 ? Number.NaN : Math.ceil(a / b);
  }
}

/** Expressions over {@link symbolNames}. Division is by numbers and symbols other than 0. */
export const sums: fc.Arbitrary<Sum> = fc.letrec<{ sum: Sum; leaf: Sum; divisor: Sum }>((tie) => ({
  leaf: fc.oneof(
    fc.record({ kind: fc.constant('number' as const), value: fc.integer({ min: -6, max: 6 }) }),
    fc.record({ kind: fc.constant('symbol' as const), name: fc.constantFrom(...symbolNames) }),
  ),
  divisor: fc.oneof(
    fc.record({ kind: fc.constant('number' as const), value: fc.integer({ min: -6, max: 6 }).filter((n) => n !== 0) }),
    fc.record({ kind: fc.constant('symbol' as const), name: fc.constantFrom(...symbolNames) }),
  ),
  sum: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc.record({
      kind: fc.constantFrom('add' as const, 'sub' as const, 'mul' as const, 'min' as const, 'max' as const),
      a: tie('sum'),
      b: tie('sum'),
    }),
    fc.record({ kind: fc.constantFrom('floordiv' as const, 'mod' as const, 'ceildiv' as const), a: tie('sum'), b: tie('divisor') }),
  ),
})).sum;

/** Values for the symbols, none of them 0. */
export const bindings: fc.Arbitrary<ReadonlyMap<string, number>> = fc
  .tuple(...symbolNames.map(() => fc.integer({ min: 1, max: 9 })))
  .map((values) => new Map(symbolNames.map((name, i) => [name, values[i]!])));
