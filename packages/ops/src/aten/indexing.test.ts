import { dimText, Graph, tensorOf, type TensorType, tensorType } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { inferOp, pattern, rounded, runOp } from '../../test/run-op.js';
import type { OpDefinition } from '../define.js';
import { IndexPut, IndexTensor } from './advanced-index.js';
import { Gather, IndexSelect, TakeAlongDim } from './gather.js';
import { IndexAdd, MaskedScatter } from './index-write.js';
import { OneHot } from './one-hot.js';
import { ScatterAdd, ScatterReduceTwo, ScatterSrc, ScatterValue } from './scatter.js';
import { SearchsortedTensor } from './search.js';
import { Topk } from './sort.js';

const graph = new Graph();
const n = graph.env.declare('n', { min: 2 });
const m = graph.env.declare('m', { min: 2 });
const f32 = (...shape: TensorType['shape']): TensorType => tensorType('f32', shape);
const i64 = (...shape: TensorType['shape']): TensorType => tensorType('i64', shape);
const bool = (...shape: TensorType['shape']): TensorType => tensorType('bool', shape);
const long = (...values: number[]) => tensorOf('i64', [values.length], values);

const shapeOf = (op: OpDefinition, operands: Parameters<typeof inferOp>[1], attrs = {}): string =>
  inferOp(op, operands, attrs, graph)[0]!.shape.map(dimText).join(' ');

describe('symbolic sizes', () => {
  test.each([
    [IndexTensor, { self: f32(n, 3, 4), indices: [undefined, i64(m)] }, {}, 'n m 4'],
    [IndexTensor, { self: f32(n, 3, 4), indices: [i64(m, 1), undefined, i64(5)] }, {}, 'm 5 3'],
    [IndexPut, { self: f32(n, 3), indices: [i64(m)], values: f32(m, 3) }, {}, 'n 3'],
    [IndexPut, { self: f32(n, 3), indices: [bool(n)], values: f32() }, {}, 'n 3'],
    [Gather, { self: f32(n, 3), index: i64(m, 3) }, { dim: 0 }, 'm 3'],
    [IndexSelect, { self: f32(n, 3), index: i64(m) }, { dim: 1 }, 'n m'],
    [TakeAlongDim, { self: f32(1, 3), indices: i64(n, 2) }, { dim: 1 }, 'n 2'],
    [ScatterAdd, { self: f32(n), index: i64(m), src: f32(m) }, { dim: 0 }, 'n'],
    [MaskedScatter, { self: f32(3), mask: bool(n, 3), source: f32(m) }, {}, 'n 3'],
    [OneHot, { self: i64(n) }, { num_classes: 3 }, 'n 3'],
    [Topk, { self: f32(n, m) }, { k: 2 }, 'n 2'],
    [SearchsortedTensor, { sorted_sequence: f32(n, 4), self: f32(n, m) }, {}, 'n m'],
  ] as const)('%#', (op, operands, attrs, wanted) => expect(shapeOf(op, operands, attrs)).toBe(wanted));
});

describe('refusals', () => {
  test.each([
    [IndexTensor, { self: f32(2, 3), indices: [bool(2)] }, {}, 'the size of the result depends on the elements of a mask'],
    [IndexTensor, { self: f32(2), indices: [i64(1), i64(1)] }, {}, 'indices cover 2 axes, but self has shape [2]'],
    [IndexTensor, { self: f32(2), indices: [f32(1)] }, {}, 'an index is f32, expected i64, i32, or bool'],
    [IndexTensor, { self: f32(2, 2), indices: [i64(2), i64(3)] }, {}, 'shapes [2] and [3] do not broadcast'],
    [IndexTensor, { self: f32(2), indices: [] }, {}, 'expected at least one'],
    [IndexPut, { self: f32(2, 3), indices: [bool(3)], values: f32() }, {}, 'a mask has shape [3], expected the sizes [2]'],
    [
      IndexPut,
      { self: f32(2), indices: [i64(2)], values: f32(3) },
      {},
      'values has shape [3], which does not broadcast to the indexed shape [2]',
    ],
    [IndexPut, { self: f32(2), indices: [i64(2)], values: i64() }, {}, 'values is i64, expected f32'],
    [
      Gather,
      { self: f32(2, 3), index: i64(3, 3) },
      { dim: 1 },
      'index has shape [3, 3], expected the rank of self [2, 3] and no larger dims except along axis 1',
    ],
    [ScatterSrc, { self: f32(2), index: i64(2), src: f32(1) }, { dim: 0 }, 'expected the rank of src [1] and no larger dims'],
    [
      ScatterValue,
      { self: tensorType('i8', [2]), index: i64(2) },
      { dim: 0, value: { kind: 'int', value: 300 } },
      'value is 300, which i8 cannot hold',
    ],
    [Topk, { self: f32(2) }, { k: 3 }, 'k is 3, expected 0 to 2'],
    [OneHot, { self: i64(2) }, {}, '-1 would take the number of classes from the data'],
  ] as const)('%#', (op, operands, attrs, why) => expect(() => shapeOf(op, operands, attrs)).toThrow(why));

  test.each([
    [IndexTensor, { self: pattern([3]), indices: [long(3)] }, {}, 'index 3 is out of range for axis 0, which has size 3'],
    [Gather, { self: pattern([3]), index: long(-1) }, { dim: 0 }, 'index -1 is out of range for an axis of size 3'],
    [IndexSelect, { self: pattern([3]), index: long(-1) }, { dim: 0 }, 'index -1 is out of range'],
    [OneHot, { self: long(2) }, { num_classes: 2 }, 'self has the class 2, expected 0 to 1'],
    [
      MaskedScatter,
      { self: pattern([2]), mask: tensorOf('bool', [2], [1, 1]), source: pattern([1]) },
      {},
      'source has 1 elements, the mask has more true ones',
    ],
  ] as const)('of values, %#', (op, operands, attrs, why) => expect(() => runOp(op, operands, attrs)).toThrow(why));
});

describe('sums', () => {
  test('halves are rounded once', () => {
    const [y] = runOp(
      ScatterAdd,
      { self: tensorOf('f16', [1], [1]), index: long(0, 0), src: tensorOf('f16', [2], [2 ** -11, 2 ** -11]) },
      { dim: 0 },
    );
    expect(rounded(y)).toEqual([1.000977]);
  });

  test('integers wrap', () => {
    const [y] = runOp(IndexAdd, { self: tensorOf('i8', [1], [100]), index: long(0), source: tensorOf('i8', [1], [100]) }, { dim: 0 });
    expect([...y!.data]).toEqual([-56]);
    const [wide] = runOp(
      IndexPut,
      { self: tensorOf('i64', [1], [2n ** 62n]), indices: [long(0, 0)], values: tensorOf('i64', [], [2n ** 61n]) },
      { accumulate: true },
    );
    expect([...wide!.data]).toEqual([-(2n ** 63n)]);
  });

  test('means of integers wrap, then go to the smaller integer', () => {
    const mean = (dtype: 'i8' | 'u8', self: number, src: number) =>
      rounded(
        runOp(
          ScatterReduceTwo,
          { self: tensorOf(dtype, [1], [self]), index: long(0), src: tensorOf(dtype, [1], [src]) },
          { dim: 0, reduce: 'mean' },
        )[0],
      );
    expect([mean('i8', -3, -4), mean('i8', 100, 100), mean('u8', 250, 10)]).toEqual([[-4], [-28], [2]]);
  });
});
