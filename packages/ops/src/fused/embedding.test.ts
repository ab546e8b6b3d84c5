import { Graph, tensorOf, type TensorType, tensorType, typeText } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { dequantized, dyadics, generator, integers, numbersOf } from '../../test/quantized.js';
import { inferOp, runOp } from '../../test/run-op.js';
import type { OpDefinition } from '../define.js';
import { EmbeddingQ4csw, EmbeddingQ4gsw, EmbeddingQ8csw, EmbeddingQ8gsw } from './index.js';

interface Case {
  /** Shape of the indices. */
  readonly shape?: readonly number[];
  readonly rows?: number;
  readonly size?: number;
  readonly zeros?: 'i8' | 'i32';
  readonly float?: 'f32' | 'f64' | 'f16' | 'bf16';
  readonly scale?: 'f32' | 'f64' | 'f16' | 'bf16';
  readonly index?: 'i64' | 'i32';
}

describe.each([
  [EmbeddingQ8csw, 8, false],
  [EmbeddingQ4csw, 4, false],
  [EmbeddingQ8gsw, 8, true],
  [EmbeddingQ4gsw, 4, true],
] as const)('$0.name', (op, bits, grouped) => {
  test.each<[string, Case]>([
    ['some rows, some of them twice', {}],
    ['indices in i32', { index: 'i32' }],
    ['one index without axes', { shape: [] }],
    ['indices with three axes', { shape: [2, 1, 3], size: 5 }],
    ['no indices', { shape: [0] }],
    ['no indices in the middle', { shape: [2, 0, 3] }],
    ['a table of one row', { rows: 1, size: 1 }],
    ['odd sizes', { rows: 13, size: 7 }],
    ['groups of 32', { size: 32 }],
    ['zero points', { zeros: 'i32' }],
    ['zero points in 8 bits', { zeros: 'i8', size: 3 }],
    ['scales in f16', { scale: 'f16' }],
    ['scales in f64', { scale: 'f64', float: 'f64' }],
    ['a result in f16', { float: 'f16', zeros: 'i32' }],
    ['a result in bf16', { float: 'bf16', scale: 'bf16' }],
  ])('%s', (_, { shape = [2, 4], rows = 6, size = 4, float = 'f32', scale = 'f32', index = 'i64', zeros }) => {
    const next = generator(rows + size);
    const groups = grouped ? 3 : 1;
    const [width, qparams] = [groups * size, grouped ? [rows, groups] : [rows]];
    const operands = {
      weight: integers(next, bits === 4 ? 'i4' : 'i8', [rows, width], -(2 ** (bits - 1)), 2 ** (bits - 1) - 1),
      scales: dyadics(next, scale, qparams),
      zero_points: zeros === undefined ? undefined : integers(next, zeros, qparams, -20, 20),
      indices: integers(next, index, shape, 0, rows - 1),
    };
    const table = dequantized(operands.weight, operands.scales, operands.zero_points);
    const wanted = numbersOf(operands.indices).flatMap((i) => table[i]!);
    expect(runOp(op, operands, { dtype: float })).toEqual([tensorOf(float, [...shape, width], wanted)]);
  });
});

const table = {
  weight: tensorOf('i4', [2, 4], [1, 2, 3, 4, -5, -6, -7, -8]),
  scales: tensorOf('f32', [2, 2], [1, 0.5, 0.25, 0.1]),
};

test.each(['f32', 'f16', 'f64'] as const)('products are rounded to f32, then to %s', (dtype) => {
  const [row] = runOp(EmbeddingQ4gsw, { ...table, indices: tensorOf('i64', [], [1]) }, { dtype });
  const wanted = [-1.25, -1.5, Math.fround(-7 * Math.fround(0.1)), Math.fround(-8 * Math.fround(0.1))];
  expect(row).toEqual(tensorOf(dtype, [4], wanted));
});

test.each(['f16', 'bf16'] as const)('products may be rounded to %s before they are f32', (compute) => {
  const [row] = runOp(EmbeddingQ4gsw, { ...table, indices: tensorOf('i64', [], [1]) }, { compute });
  const wanted = [-1.25, -1.5, -7 * Math.fround(0.1), -8 * Math.fround(0.1)];
  expect(row).toEqual(tensorOf('f32', [4], tensorOf(compute, [4], wanted).data));
});

test.each([-1, 2])('refuses the index %i of a table of two rows', (index) =>
  expect(() => runOp(EmbeddingQ4gsw, { ...table, indices: tensorOf('i64', [1], [index]) })).toThrow(
    `index ${index} is out of range for a weight of 2 rows`,
  ),
);

describe('types', () => {
  const graph = new Graph();
  const m = graph.env.declare('m', { min: 1 });
  const good = { weight: tensorType('i4', [6, 8]), scales: tensorType('f32', [6, 2]), indices: tensorType('i64', [2, m]) };
  test('indices may be symbolic, the dtype is that of the attribute', () => {
    expect(inferOp(EmbeddingQ4gsw, good, {}, graph).map(typeText)).toEqual(['f32[2, m, 8]']);
    expect(inferOp(EmbeddingQ4gsw, { ...good, indices: tensorType('i32', []) }, { dtype: 'bf16' }, graph).map(typeText)).toEqual([
      'bf16[8]',
    ]);
  });
  test.each<[string, OpDefinition, Readonly<Record<string, TensorType>>, object, RegExp]>([
    ['indices that are floats', EmbeddingQ4gsw, { ...good, indices: tensorType('f32', [2]) }, {}, /indices.*f32/],
    ['a weight of another width', EmbeddingQ8gsw, good, {}, /weight.*i4.*i8/],
    ['scales of channels', EmbeddingQ4gsw, { ...good, scales: tensorType('f32', [6]) }, {}, /scales has shape \[6\], expected \[6, G\]/],
    ['scales of groups', EmbeddingQ4csw, good, {}, /scales has shape \[6, 2\], expected \[6\]/],
    [
      'groups that do not divide',
      EmbeddingQ4gsw,
      { ...good, scales: tensorType('f32', [6, 3]) },
      {},
      /\[3\] groups do not divide K = \[8\]/,
    ],
    [
      'zero points of another shape',
      EmbeddingQ4gsw,
      { ...good, zero_points: tensorType('i8', [6, 1]) },
      {},
      /zero_points has shape \[6, 1\]/,
    ],
    ['a result of integers', EmbeddingQ4gsw, good, { dtype: 'i8' }, /dtype is i8, expected a float dtype/],
    ['products of integers', EmbeddingQ4gsw, good, { compute: 'i32' }, /compute is i32, expected a float dtype/],
  ])('refuses %s', (_, op, operands, attrs, why) => expect(() => inferOp(op, operands, { ...attrs }, graph)).toThrow(why));
});
