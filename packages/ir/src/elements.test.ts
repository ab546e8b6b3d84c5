import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  byteLength,
  decodeElements,
  type DType,
  dtypeInfo,
  dtypes,
  encodeElements,
  fromBFloatBits,
  fromHalfBits,
  integerRange,
  isDType,
  isFloat,
  isInteger,
  newElements,
  roundTiesToEven,
  toBFloatBits,
  toHalfBits,
} from './index.js';

const float32 = (bits: number): number => new Float32Array(new Uint32Array([bits]).buffer)[0]!;

describe('f16', () => {
  /** The definition of binary16, with exact powers of two. */
  const reference = (bits: number): number => {
    const [sign, exponent, mantissa] = [bits >>> 15 === 1 ? -1 : 1, (bits >>> 10) & 31, bits & 1023];
    if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return exponent === 0 ? sign * (mantissa / 1024) * 2 ** -14 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
  };

  test('all 65536 patterns decode as defined and encode back', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = fromHalfBits(bits);
      if (!Object.is(value, reference(bits))) expect([bits, value]).toEqual([bits, reference(bits)]);
      if (!Number.isNaN(value) && toHalfBits(value) !== bits) expect([value, toHalfBits(value)]).toEqual([value, bits]);
    }
    expect(Number.isNaN(fromHalfBits(toHalfBits(Number.NaN)))).toBe(true);
  });

  test('what lies between two neighbours goes to the nearer one, in the middle to the even one', () => {
    for (let bits = 0; bits < 0x7c00; bits++) {
      const low = fromHalfBits(bits);
      const high = bits === 0x7bff ? 65536 : fromHalfBits(bits + 1);
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const found = [
        toHalfBits(middle),
        toHalfBits(-middle),
        toHalfBits(middle - (high - low) / 64),
        toHalfBits(middle + (high - low) / 64),
      ];
      const expected = [even, even | 0x8000, bits, bits + 1];
      if (found.join() !== expected.join()) expect([bits, ...found]).toEqual([bits, ...expected]);
    }
  });

  test.each([
    [65519.99, 0x7bff],
    [65520, 0x7c00],
    [1e300, 0x7c00],
    [-1e300, 0xfc00],
    [2 ** -25, 0],
    [2 ** -25 * 1.0001, 1],
    [-(2 ** -26), 0x8000],
    [-0, 0x8000],
    [5e-324, 0],
  ])('%d', (value, bits) => expect(toHalfBits(value)).toBe(bits));
});

describe('bf16', () => {
  test('all 65536 patterns are the upper half of an f32 and encode back', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = fromBFloatBits(bits);
      if (!Object.is(value, float32(bits * 65536))) expect([bits, value]).toEqual([bits, float32(bits * 65536)]);
      if (!Number.isNaN(value) && toBFloatBits(value) !== bits) expect([value, toBFloatBits(value)]).toEqual([value, bits]);
    }
    expect(Number.isNaN(fromBFloatBits(toBFloatBits(Number.NaN)))).toBe(true);
  });

  test('rounds to nearest, ties to even, from f32', () => {
    for (let high = 0; high < 0x7f80; high++) {
      const base = high * 65536;
      const found = [toBFloatBits(float32(base + 0x7fff)), toBFloatBits(float32(base + 0x8000)), toBFloatBits(float32(base + 0x8001))];
      const expected = [high, high % 2 === 0 ? high : high + 1, high + 1];
      if (found.join() !== expected.join()) expect([high, ...found]).toEqual([high, ...expected]);
    }
    expect(toBFloatBits(3.4e38)).toBe(0x7f80);
    expect(toBFloatBits(1e300)).toBe(0x7f80);
  });
});

test('roundTiesToEven', () => {
  const cases: [number, number][] = [
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, -0],
    [-1.5, -2],
    [-2.5, -2],
    [0.49999999999999994, 0],
    [-0.2, -0],
    [2 ** 52 + 1, 2 ** 52 + 1],
    [4503599627370495.5, 4503599627370496],
    [Number.NaN, Number.NaN],
    [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
    [-0, -0],
  ];
  for (const [x, rounded] of cases) expect([x, roundTiesToEven(x)]).toEqual([x, rounded]);
  fc.assert(
    fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), (x) => {
      const rounded = roundTiesToEven(x);
      expect(Number.isInteger(rounded)).toBe(true);
      expect(Math.abs(x - rounded)).toBeLessThanOrEqual(0.5);
      if (Math.abs(x - Math.trunc(x)) === 0.5) expect(Math.abs(rounded % 2)).toBe(0);
    }),
  );
});

describe('encoding and decoding', () => {
  const bytesOf = (dtype: DType): fc.Arbitrary<[number, Uint8Array]> =>
    fc
      .nat(9)
      .chain((count) =>
        fc.tuple(fc.constant(count), fc.uint8Array({ minLength: byteLength(dtype, count), maxLength: byteLength(dtype, count) })),
      );

  test.each(dtypes)('%s: bytes at any offset decode, and encode back', (dtype) => {
    fc.assert(
      fc.property(bytesOf(dtype), fc.nat(8), ([count, bytes], offset) => {
        const moved = new Uint8Array(offset + bytes.length + 3);
        moved.set(bytes, offset);
        const elements = decodeElements(dtype, moved.subarray(offset, offset + bytes.length), count);
        expect(elements.constructor).toBe(newElements(dtype, 0).constructor);
        expect(elements.length).toBe(count);
        if (isFloat(dtype)) {
          const again = decodeElements(dtype, encodeElements(dtype, elements), count);
          expect([...again].map(String)).toEqual([...elements].map(String));
        } else {
          const expected = bytes.slice();
          // The half byte that pads an odd number of elements is zero afterwards.
          if (dtypeInfo(dtype).bits === 4 && count % 2 === 1) expected[expected.length - 1]! &= 15;
          expect(encodeElements(dtype, elements)).toEqual(expected);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('decodes bytes whose slices share memory, as those of a file in Node do', () => {
    class Shared extends Uint8Array {
      override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
        return this.subarray(start, end) as Uint8Array<ArrayBuffer>;
      }
    }
    const file = new Shared(9);
    file.set([1, 0, 0, 128, 63], 0);
    expect([...decodeElements('f32', file.subarray(1, 5), 1)]).toEqual([1]);
  });

  it('has the low half byte first', () => {
    expect([...decodeElements('i4', new Uint8Array([0x81, 0x0f]), 3)]).toEqual([1, -8, -1]);
    expect([...decodeElements('u4', new Uint8Array([0x81, 0x0f]), 3)]).toEqual([1, 8, 15]);
    expect([...encodeElements('i4', new Int8Array([1, -8, -1]))]).toEqual([0x81, 0x0f]);
  });

  it('decodes all i4 and u4', () => {
    for (let n = 0; n < 16; n++) {
      expect(decodeElements('u4', new Uint8Array([n]), 1)[0]).toBe(n);
      expect(decodeElements('i4', new Uint8Array([n]), 1)[0]).toBe(n < 8 ? n : n - 16);
    }
  });

  it('refuses another number of bytes', () => {
    expect(() => decodeElements('f32', new Uint8Array(7), 2)).toThrow('2 elements of f32 take 8 bytes, found 7');
    expect(() => decodeElements('i4', new Uint8Array(1), 3)).toThrow(RangeError);
  });
});

test('facts about dtypes', () => {
  expect(integerRange('i8')).toEqual([-128n, 127n]);
  expect(integerRange('u4')).toEqual([0n, 15n]);
  expect(integerRange('i64')).toEqual([-(2n ** 63n), 2n ** 63n - 1n]);
  expect(integerRange('bool')).toEqual([0n, 1n]);
  expect(() => integerRange('bf16')).toThrow('bf16 is not an integer dtype');
  expect(dtypes.filter(isFloat)).toEqual(['f64', 'f32', 'f16', 'bf16']);
  expect(dtypes.filter((d) => !isFloat(d) && !isInteger(d))).toEqual(['bool']);
  expect([isDType('f16'), isDType('toString'), isDType('')]).toEqual([true, false, false]);
  expect(dtypes.map((d) => byteLength(d, 3))).toEqual([24, 12, 6, 6, 24, 12, 6, 3, 2, 24, 12, 6, 3, 2, 3]);
});
