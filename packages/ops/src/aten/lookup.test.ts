import { dimText, Graph, tensorOf, tensorType } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { inferOp, pattern, rounded, runOp } from '../../test/run-op.js';
import { CosineSimilarity } from './cosine-similarity.js';
import { Embedding } from './embedding.js';

describe('embedding', () => {
  const weight = pattern([3, 2]);
  test('takes rows by i64 and i32, in any shape', () => {
    expect(runOp(Embedding, { weight, indices: tensorOf('i64', [2, 1], [2, 0]) }, { padding_idx: 0 })[0]).toEqual(
      tensorOf('f32', [2, 1, 2], [2, 3, -2, -1]),
    );
    expect(runOp(Embedding, { weight, indices: tensorOf('i32', [], [1]) })[0]).toEqual(tensorOf('f32', [2], [0, 1]));
    expect(runOp(Embedding, { weight, indices: tensorOf('i64', [0], []) })[0]!.shape).toEqual([0, 2]);
  });
  test('keeps the dtype of the weight', () =>
    expect(runOp(Embedding, { weight: tensorOf('i64', [1, 1], [2n ** 60n]), indices: tensorOf('i64', [1], [0]) })[0]!.data[0]).toBe(
      2n ** 60n,
    ));
  test('symbolic sizes', () => {
    const n = new Graph().env.declare('n');
    expect(inferOp(Embedding, { weight: tensorType('f32', [8, 4]), indices: tensorType('i64', [1, n]) })[0]!.shape.map(dimText)).toEqual([
      '1',
      'n',
      '4',
    ]);
  });
  test('refusals', () => {
    for (const index of [-1, 3])
      expect(() => runOp(Embedding, { weight, indices: tensorOf('i64', [1], [index]) })).toThrow(
        `index ${index} is out of range for a weight of 3 rows`,
      );
    expect(() => inferOp(Embedding, { weight: tensorType('f32', [8]), indices: tensorType('i64', [1]) })).toThrow(
      'weight has shape [8], expected [V, D]',
    );
    expect(() => inferOp(Embedding, { weight: tensorType('f32', [8, 1]), indices: tensorType('u8', [1]) })).toThrow('u8');
  });
});

describe('cosine similarity', () => {
  test('along an axis that goes', () =>
    expect(rounded(runOp(CosineSimilarity, { x1: pattern([2, 3]), x2: pattern([2, 3], 5) })[0])).toEqual([1, -0.089087]));
  test('broadcasts; the norms are at least eps', () => {
    const [y] = runOp(CosineSimilarity, { x1: pattern([2, 1, 3]), x2: pattern([4, 3], 5) }, { dim: -1, eps: 0.5 });
    expect(y!.shape).toEqual([2, 4]);
    expect(rounded(y)).toEqual([1, -0.596285, 0.632456, -0.298142, -0.478091, -0.089087, 0.377964, -0.445435]);
    expect(rounded(runOp(CosineSimilarity, { x1: tensorOf('f32', [2], [0, 0]), x2: tensorOf('f32', [2], [1, 1]) }, { dim: 0 })[0])).toEqual(
      [0],
    );
  });
  test('promotes', () => {
    expect(inferOp(CosineSimilarity, { x1: tensorType('f32', [2]), x2: tensorType('f64', [2]) }, { dim: 0 })[0]!.dtype).toBe('f64');
    expect(() => inferOp(CosineSimilarity, { x1: tensorType('i64', [2]), x2: tensorType('i32', [2]) }, { dim: 0 })).toThrow(
      'operands are i64 and i32, expected floats',
    );
    expect(() => inferOp(CosineSimilarity, { x1: tensorType('f32', [2]), x2: tensorType('f32', [2]) })).toThrow('dim 1 is out of range');
  });
});
