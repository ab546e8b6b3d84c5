import { type Dim, dimMul, dimText, Graph, tensorOf, tensorType } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { inferOp, pattern, runOp } from '../../test/run-op.js';
import type { OpDefinition } from '../define.js';
import { FlattenUsingInts, Ravel, Reshape, UnflattenInt, View, ViewAs } from './reshape.js';
import { Squeeze, SqueezeDim, SqueezeDims, Unsqueeze } from './squeeze.js';

const graph = new Graph();
const n = graph.env.declare('n', { min: 2 });
const m = graph.env.declare('m', { min: 0, divisor: 4 });

/** The result's shape as text. */
function shapeOf(op: OpDefinition, shape: readonly Dim[], attrs = {}): string {
  return inferOp(op, { self: tensorType('f32', shape) }, attrs, graph)[0]!
    .shape.map(dimText)
    .join(' ');
}

describe('symbolic sizes', () => {
  test.each([
    [View, [n, 6], { size: [n, 2, -1] }, 'n 2 3'],
    [View, [n, 6], { size: [-1, 3] }, '2*n 3'],
    [View, [n, 6], { size: [-1, n] }, '6 n'],
    [View, [m], { size: [4, -1] }, '4 floordiv(m, 4)'],
    [Reshape, [n, m], { shape: [dimMul(n, m)] }, 'm*n'],
    [Reshape, [n, 3], { shape: [3, n] }, '3 n'],
    [FlattenUsingInts, [2, n, 3], { start_dim: 1 }, '2 3*n'],
    [UnflattenInt, [dimMul(n, 6), 5], { dim: 0, sizes: [-1, 6] }, 'n 6 5'],
    [Ravel, [n, n], {}, 'n*n'],
    [Squeeze, [1, n, 1], {}, 'n'],
    [SqueezeDim, [n, m], { dim: 0 }, 'n m'],
    [SqueezeDims, [1, m, 1], { dim: [0, 1] }, 'm 1'],
    [Unsqueeze, [n], { dim: -1 }, 'n 1'],
  ] as const)('%#', (op, shape, attrs, wanted) => expect(shapeOf(op, shape, attrs)).toBe(wanted));

  test('of another tensor', () => {
    const [type] = inferOp(ViewAs, { self: tensorType('i8', [n, 6]), other: tensorType('f32', [dimMul(n, 2), 3]) }, {}, graph);
    expect(type!).toBe(tensorType('i8', [dimMul(n, 2), 3]));
  });
});

describe('refusals', () => {
  test.each([
    [View, [2, 3], { size: [4] }, 'shape [2, 3] has [6] elements, size [4] has [4]'],
    [View, [2, 3], { size: [-1, 4] }, 'its [6] elements are not a multiple of 4'],
    [View, [2, 3], { size: [-1, -1] }, 'expected at most one -1'],
    [View, [0, 3], { size: [0, -1] }, 'the -1 can be anything'],
    [View, [n, 3], { size: [n, 4] }, 'shape [n, 3] has [3*n] elements, size [n, 4] has [4*n]'],
    [View, [m, 3], { size: [-1, 5] }, undefined],
    [FlattenUsingInts, [2, 3], { start_dim: 1, end_dim: 0 }, 'start_dim 1 lies after end_dim 0'],
    [UnflattenInt, [2, 6], { dim: 1, sizes: [4, -1] }, 'its [6] elements are not a multiple of 4'],
    [UnflattenInt, [], { dim: 0, sizes: [1] }, '0-d'],
    [SqueezeDim, [2], { dim: 1 }, 'dim 1 is out of range for rank 1'],
    [SqueezeDims, [1, 1], { dim: [0, -2] }, 'dim [0, -2] repeats one'],
    [Unsqueeze, [2], { dim: 3 }, 'dim 3 is out of range'],
  ] as const)('%#', (op, shape, attrs, why) => {
    if (why === undefined) expect(shapeOf(op, shape, attrs)).toBe('floordiv(3*m, 5) 5');
    else expect(() => shapeOf(op, shape, attrs)).toThrow(why);
  });
});

test('elements are shared, not copied', () => {
  const x = pattern([2, 3]);
  expect(runOp(View, { self: x }, { size: [3, 2] })[0]!.data).toBe(x.data);
  expect(runOp(UnflattenInt, { self: tensorOf('i64', [4], [1n, 2n, 3n, 4n]) }, { dim: 0, sizes: [2, 2] }, 'decompose')[0]!.data).toEqual(
    BigInt64Array.of(1n, 2n, 3n, 4n),
  );
});
