import { constantOf, tensorOf } from '@qfuse/plugin';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  cellsAlong,
  floatConstant,
  groupsOf,
  packedBytes,
  packedFormat,
  packedGroups,
  packedScaleBytes,
  packScales,
  packTops,
  packWeight,
  packZeroPoints,
  zeroPointsFit,
} from './packing.js';

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

const floats = (bytes: Uint8Array): number[] => [...new Float32Array(bytes.slice().buffer)];

test('scales and zero points come back from their blocks, and are 0 in the padding', () => {
  const size = fc.integer({ min: 1, max: 20 });
  fc.assert(
    fc.property(size, fc.integer({ min: 1, max: 5 }), size, fc.boolean(), (n, groups, groupSize, channel) => {
      const shape = channel ? [n] : [n, groups];
      const [k, count] = [groups * groupSize, channel ? 1 : groups];
      const values = Array.from({ length: n * count }, (_, i) => i + 1);
      const from = Math.floor(n / 3);
      const check = (packed: number[], first: number): void => {
        const along = packedGroups(k, count);
        expect(packed.length * 4).toBe(packedScaleBytes(n - first, k, count));
        packed.forEach((v, at) => {
          const [row, g] = [Math.floor(at / (8 * along)) * 8 + (at % 8), Math.floor(at / 8) % along];
          expect(v).toBe(first + row < n && g < count ? values[(first + row) * count + g] : 0);
        });
      };
      const scales = constantOf(tensorOf('f32', shape, values));
      expect(groupsOf(scales)).toBe(count);
      check(floats(packScales(scales, k).bytes()), 0);
      check(floats(packScales(scales, k, from, n).bytes()), from);
      const zeros = packZeroPoints(constantOf(tensorOf('i64', shape, values)), k, from, n);
      expect(zeros.type.dtype).toBe('i32');
      check([...new Int32Array(zeros.bytes().slice().buffer)], from);
    }),
    { numRuns: 60 },
  );
});

test('every weight of a padded row has a group', () => {
  // [K, groups] and the groups that stand in the padded row.
  for (const [k, groups, expected] of [
    [64, 2, 2],
    [40, 5, 8],
    [40, 2, 4],
    [37, 1, 1],
    [36, 3, 6],
    [7, 7, 32],
    [0, 1, 1],
  ] as const)
    expect(packedGroups(k, groups), `K ${k} in ${groups}`).toBe(expected);
});

test('scales of other dtypes become f32, equal ones are packed once', () => {
  const scales = constantOf(tensorOf('f64', [1, 2], [0.1, 3]));
  expect(floats(packScales(scales, 64).bytes()).filter((v) => v !== 0)).toEqual([Math.fround(0.1), 3]);
  expect(packScales(scales, 64)).toBe(packScales(scales, 64));
  expect(packScales(scales, 64)).not.toBe(packScales(scales, 32));
});

test('a zero point that no float difference holds is refused', () => {
  expect(zeroPointsFit(constantOf(tensorOf('i64', [2], [-(2 ** 22), 5])))).toEqual({ ok: true });
  expect(zeroPointsFit(constantOf(tensorOf('u8', [1], [255])))).toEqual({ ok: true });
  expect(zeroPointsFit(constantOf(tensorOf('i64', [2], [1, 2 ** 23])))).toMatchObject({
    ok: false,
    why: expect.stringContaining('8388608'),
  });
});

test('a power of two for each row that is as large as its scales', () => {
  const scales = constantOf(tensorOf('f32', [3, 2], [0.25, 0.1, -5, 3, 0, 0]));
  const tops = packTops(packScales(scales, 64));
  expect(floats(tops.bytes())).toEqual([0.25, 8, 1, 1, 1, 1, 1, 1]);
  const extreme = constantOf(tensorOf('f32', [2, 1], [3e38, 1e-45]));
  expect(floats(packTops(packScales(extreme, 64)).bytes()).slice(0, 2)).toEqual([2 ** 126, 2 ** -126]);
});
