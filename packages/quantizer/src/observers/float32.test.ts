import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { floorDivide, fma32, linspace, neighbour } from './float32.js';

/** A number that f32 or f64 holds in units of 2^-149, the smallest f32. */
function units(x: number): bigint {
  let [value, exponent] = [x, 149];
  while (!Number.isInteger(value)) [value, exponent] = [value * 2, exponent - 1];
  return BigInt(value) << BigInt(exponent);
}

/** The nearest f32 number, ties to even. */
function nearest(n: bigint): number {
  const size = n < 0n ? -n : n;
  const drop = BigInt(Math.max(0, size.toString(2).length - 24));
  const [kept, rest, half] = [size >> drop, size & ((1n << drop) - 1n), drop === 0n ? 0n : 1n << (drop - 1n)];
  const up = drop > 0n && (rest > half || (rest === half && kept % 2n === 1n));
  return Number(up ? kept + 1n : kept) * 2 ** (Number(drop) - 149) * (n < 0n ? -1 : 1);
}

const f32 = fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 60), max: 2 ** 60 });

describe('fused multiply-add', () => {
  it('rounds once', () => {
    const near = fc.tuple(f32, fc.integer({ min: 0, max: 40000 }), fc.integer({ min: -40, max: 40 }), f32);
    fc.assert(
      fc.property(near, ([a, b, shift, x]) => {
        // numbers c near the product, in size too, are where two roundings would show
        const c = Math.fround(Math.fround(-a * b * (1 + x / 2 ** 61)) * 2 ** shift);
        fc.pre(Number.isFinite(c) && Math.abs(c) < 2 ** 100);
        expect(fma32(a, b, c) + 0).toBe(nearest(units(a) * BigInt(b) + units(c)) + 0);
      }),
      { numRuns: 2000 },
    );
  });

  it('sees on which side of a middle the sum lies', () => {
    // the products are middles of two f32 numbers, and what is added is lost in f64
    const tiny = 2 ** -60;
    const sums = [tiny, 0, -tiny].map((c) => [fma32(24929, 673, c), fma32(-24929, 673, c), fma32(5592409, 3, c)]);
    expect(sums).toEqual([
      [2 ** 24 + 2, -(2 ** 24), 2 ** 24 + 12],
      [2 ** 24, -(2 ** 24), 2 ** 24 + 12],
      [2 ** 24, -(2 ** 24) - 2, 2 ** 24 + 10],
    ]);
  });
});

describe('functions of f32', () => {
  it('floor a quotient as Python does', () => {
    expect([floorDivide(7, 2), floorDivide(-7, 2), floorDivide(7, -2), floorDivide(-0.5, 2), floorDivide(0, 3)]).toEqual([
      3, -4, -4, -1, 0,
    ]);
    // the quotient of these rounds up to 10, its floor is 9
    expect(floorDivide(1, Math.fround(0.1))).toBe(9);
    expect(floorDivide(1, 0)).toBe(Infinity);
  });

  it('step to the next number', () => {
    expect([neighbour(1, 'above', 'f32'), neighbour(-1, 'above', 'f32')]).toEqual([1 + 2 ** -23, -1 + 2 ** -24]);
    expect([neighbour(2 ** 30, 'below', 'f64'), neighbour(-1, 'below', 'f64')]).toEqual([2 ** 30 - 2 ** -23, -1 - 2 ** -52]);
    const largest = (2 - 2 ** -23) * 2 ** 127;
    expect([neighbour(largest, 'above', 'f32'), neighbour(-largest, 'below', 'f32')]).toEqual([largest, -largest]);
  });

  it('divide a range with both its ends', () => {
    expect(Array.from(linspace(-1, 1, 5))).toEqual([-1, -0.5, 0, 0.5, 1]);
  });
});
