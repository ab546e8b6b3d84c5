import { type Dim, dimSub, dimText, evaluateDim, Graph, tensorType } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { inferOp } from '../../test/run-op.js';
import type { OpDefinition } from '../define.js';
import { DiagEmbed, Diagonal } from './diagonal.js';
import { Narrow, SelectInt, SliceTensor, UnbindInt } from './slice.js';
import { Chunk, SplitTensor, SplitWithSizes, TensorSplitIndices, TensorSplitSections } from './split.js';

const graph = new Graph();
const n = graph.env.declare('n', { min: 5 });
const few = graph.env.declare('few', { min: 3, max: 4 });

/** Shapes of the results as text. */
const shapesOf = (op: OpDefinition, shape: readonly Dim[], attrs = {}): string[] =>
  inferOp(op, { self: tensorType('f32', shape) }, attrs, graph).map((t) => t.shape.map(dimText).join(' '));

describe('symbolic sizes', () => {
  test.each([
    [SliceTensor, [n], { start: 1 }, ['n - 1']],
    [SliceTensor, [n], { end: -1 }, ['n - 1']],
    [SliceTensor, [n], { start: -3 }, ['3']],
    [SliceTensor, [n], { end: 4 }, ['4']],
    [SliceTensor, [n], { end: 9 }, ['min(9, n)']],
    [SliceTensor, [n], { start: 2, end: Number.MAX_SAFE_INTEGER }, ['n - 2']],
    [SliceTensor, [8], { end: few }, ['few']],
    [SelectInt, [n, 2], { dim: 0, index: dimSub(n, 1) }, ['2']],
    [Narrow, [n, 2], { dim: 0, start: 1, length: dimSub(n, 1) }, ['n - 1 2']],
    [SplitWithSizes, [n], { split_sizes: [2, dimSub(n, 2)] }, ['2', 'n - 2']],
    [SplitTensor, [few], { split_size: 2 }, ['2', 'few - 2']],
    [TensorSplitIndices, [n], { indices: [1, -1] }, ['1', 'n - 2', '1']],
    [Diagonal, [n, n, 3], {}, ['3 n']],
    [DiagEmbed, [3, n], { offset: 1 }, ['3 n + 1 n + 1']],
  ] as const)('%#', (op, shape, attrs, wanted) => expect(shapesOf(op, shape, attrs)).toEqual(wanted));

  test.each([
    [Chunk, { chunks: 2 }],
    [TensorSplitSections, { sections: 3 }],
    [SliceTensor, { step: 3 }],
  ] as const)('that are rounded, %#', (op, attrs) => {
    for (const size of [5, 6, 7, 11]) {
      const sizes = inferOp(op, { self: tensorType('f32', [n]) }, attrs, graph).map((t) =>
        evaluateDim(t.shape[0]!, new Map([['n', size]])),
      );
      expect(sizes).toEqual(inferOp(op, { self: tensorType('f32', [size]) }, attrs).map((t) => t.shape[0]));
    }
  });
});

describe('refusals', () => {
  test.each([
    [SliceTensor, [4], { step: 0 }, 'step is 0, expected at least 1'],
    [SelectInt, [n], { dim: 0, index: n }, 'index n is out of range for axis 0, which has size n'],
    [SelectInt, [4], { dim: 0, index: -5 }, 'index -5 is out of range'],
    [Narrow, [4], { dim: 0, start: 2, length: 3 }, 'start 2 and length 3 do not lie within axis 0, which has size 4'],
    [SplitTensor, [n], { split_size: 2 }, 'the number of parts, -floordiv(-n, 2), depends on symbolic dims'],
    [SplitTensor, [4], { split_size: 0 }, 'split_size is 0'],
    [SplitWithSizes, [5], { split_sizes: [2, 2] }, 'split sizes [2, 2] sum to 4, expected 5'],
    [UnbindInt, [n], {}, 'axis 0 has the symbolic size n'],
    [TensorSplitSections, [4], { sections: 0 }, 'expected at least 1'],
    [Diagonal, [2, 2], { dim1: 1, dim2: -1 }, 'dim1 and dim2 are the same axis 1'],
    [SliceTensor, [], {}, '0-d'],
  ] as const)('%#', (op, shape, attrs, why) => expect(() => shapesOf(op, shape, attrs)).toThrow(why));
});
