import { constantOf, tensorOf } from '@qfuse/plugin';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cellsAlong, floatConstant, packedBytes, packedFormat, packWeight } from './packing.js';

/** Weight [n, k] read back from a packed form by the layout's definition. */
function unpack(bytes: Uint8Array, bits: 4 | 8, n: number, k: number): number[] {
  const format = packedFormat(bits);
  const cells = cellsAlong(format, k);
  return Array.from({ length: n * k }, (_, i) => {
    const [row, column] = [Math.floor(i / k), i % k];
    const cell = (Math.floor(row / 8) * cells + Math.floor(column / format.perCell)) * 8 + (row % 8);
    const within = column % format.perCell;
    if (bits === 8) return new Int8Array(bytes.buffer)[cell * 16 + within]!;
    const byte = bytes[cell * 16 + Math.floor(within / 8) * 4 + (within % 4)]!;
    return (within % 8 < 4 ? byte & 15 : byte >> 4) - 8;
  });
}

test.each([8, 4] as const)('%d bits come back from the cells', (bits) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 70 }), fc.integer({ min: 0, max: 999 }), (n, k, seed) => {
      const half = 2 ** (bits - 1);
      const values = Array.from({ length: n * k }, (_, i) => ((i * 37 + seed * 11) % (2 * half)) - half);
      const weight = constantOf(tensorOf(bits === 8 ? 'i8' : 'i4', [n, k], values));
      const packed = packWeight(weight, packedFormat(bits)).bytes();
      expect(packed.byteLength).toBe(packedBytes(packedFormat(bits), n, k));
      expect(unpack(packed, bits, n, k)).toEqual(values);
      const from = Math.floor(n / 2);
      expect(unpack(packWeight(weight, packedFormat(bits), from, n).bytes(), bits, n - from, k)).toEqual(values.slice(from * k));
    }),
    { numRuns: 40 },
  );
});

test('padding stands for zero', () => {
  const weight = (bits: 4 | 8) => packWeight(constantOf(tensorOf(bits === 8 ? 'i8' : 'i4', [1, 1], [-1])), packedFormat(bits)).bytes();
  expect([...weight(8)].filter((b) => b !== 0)).toEqual([255]);
  expect([...weight(4)].filter((b) => b !== 0x88)).toEqual([0x87]);
});

test('four consecutive K are the bytes of a masked word', () => {
  const values = Array.from({ length: 32 }, (_, i) => (i % 16) - 8);
  const words = new Uint32Array(
    packWeight(constantOf(tensorOf('i4', [1, 32], values)), packedFormat(4))
      .bytes()
      .slice().buffer,
  );
  expect((words[0]! & 0x0f0f0f0f).toString(16)).toBe('3020100');
  expect(((words[0]! >>> 4) & 0x0f0f0f0f).toString(16)).toBe('7060504');
});

test('packs once per source and format', () => {
  const weight = constantOf(tensorOf('i8', [8, 16], new Array<number>(128).fill(1)));
  expect(packWeight(weight, packedFormat(8))).toBe(packWeight(weight, packedFormat(8)));
  expect(packWeight(weight, packedFormat(8), 0, 4)).not.toBe(packWeight(weight, packedFormat(8)));
});

test('scales become f32', () => {
  expect([
    ...new Float32Array(
      floatConstant(constantOf(tensorOf('f64', [3], [0.1, 2, 3])), 4)
        .bytes()
        .slice().buffer,
    ),
  ]).toEqual([Math.fround(0.1), 2, 3, 0]);
});
