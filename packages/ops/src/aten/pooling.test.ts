import { dimText, Graph, hostTensor, tensorOf, tensorType } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { inferOp, pattern, rounded, runOp } from '../../test/run-op.js';
import { AdaptiveAvgPool1d, AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, AvgPool3d } from './avg-pool.js';
import { AdaptiveMaxPool2d, MaxPool1d, MaxPool1dWithIndices, MaxPool2d, MaxPool2dWithIndices, MaxPool3d } from './max-pool.js';

const f32 = (...shape: Parameters<typeof tensorType>[1]) => tensorType('f32', shape);
const image = pattern([1, 1, 4, 5], 11);
const overhanging = { kernel_size: [3, 2], stride: [2, 2], padding: [1, 1], ceil_mode: true };

describe('max pooling', () => {
  test('with ceil_mode, padding and stride', () => {
    const [values, indices] = runOp(MaxPool2dWithIndices, { self: image }, overhanging);
    expect(values!.shape).toEqual([1, 1, 3, 3]);
    expect(rounded(values)).toEqual([3, 5, 7, 8, 5, 7, 2, 4, 6]);
    expect(indices!.dtype).toBe('i64');
    expect(rounded(indices)).toEqual([5, 7, 9, 10, 7, 9, 15, 17, 19]);
    expect(runOp(MaxPool2d, { self: image }, overhanging)).toEqual([values]);
  });

  test('with dilation; an empty stride is the kernel', () => {
    const [values, indices] = runOp(MaxPool1dWithIndices, { self: pattern([1, 1, 7], 5) }, { kernel_size: [2], stride: [], dilation: [3] });
    expect([rounded(values), rounded(indices)]).toEqual([
      [1, 0],
      [3, 2],
    ]);
  });

  test('the first of equals and the last NaN win', () => {
    const self = tensorOf('f32', [1, 6], [1, NaN, 3, NaN, 5, 6]);
    const [values, indices] = runOp(MaxPool1dWithIndices, { self }, { kernel_size: [3], stride: [1] });
    expect([...values!.data]).toEqual([NaN, NaN, NaN, NaN]);
    expect(rounded(indices)).toEqual([1, 3, 3, 3]);
    expect(rounded(runOp(MaxPool1dWithIndices, { self: tensorOf('i32', [1, 3], [4, 4, 4]) }, { kernel_size: [3] })[1])).toEqual([0]);
  });

  test('of integers, without a batch axis, of -inf', () => {
    expect([...runOp(MaxPool1d, { self: tensorOf('i64', [1, 2], [2n ** 60n, 2n ** 60n + 1n]) }, { kernel_size: [2] })[0]!.data]).toEqual([
      2n ** 60n + 1n,
    ]);
    expect(runOp(MaxPool3d, { self: pattern([2, 2, 2, 2]) }, { kernel_size: [2] })[0]!.shape).toEqual([2, 1, 1, 1]);
    expect([...runOp(MaxPool1d, { self: tensorOf('f32', [1, 2], [-Infinity, -Infinity]) }, { kernel_size: [2] })[0]!.data]).toEqual([
      -Infinity,
    ]);
  });

  test('adaptive', () => {
    const [values, indices] = runOp(AdaptiveMaxPool2d, { self: pattern([1, 1, 3, 4], 11) }, { output_size: [2, 3] });
    expect([rounded(values), rounded(indices)]).toEqual([
      [3, 4, 5, 7, 8, 8],
      [5, 6, 7, 9, 10, 10],
    ]);
  });

  test('a window that dilation and padding leave without elements is refused', () => {
    expect(() => runOp(MaxPool1d, { self: pattern([1, 1, 1]) }, { kernel_size: [2], stride: [1], padding: [1], dilation: [2] })).toThrow(
      'a window holds no element',
    );
  });
});

describe('average pooling', () => {
  test('counts padding or not', () => {
    expect(rounded(runOp(AvgPool2d, { self: image }, overhanging)[0])).toEqual([
      0.166667, 1.333333, 2.666667, 2.166667, 2.166667, 4.166667, 0.5, 1.75, 2.75,
    ]);
    expect(rounded(runOp(AvgPool2d, { self: image }, { ...overhanging, count_include_pad: false })[0])).toEqual([
      0.5, 2, 4, 4.333333, 2.166667, 4.166667, 2, 3.5, 5.5,
    ]);
  });

  test('with another divisor', () => {
    expect(rounded(runOp(AvgPool2d, { self: pattern([1, 1, 4, 4], 11) }, { kernel_size: [2], divisor_override: 3 })[0])).toEqual([
      0.666667, 3.333333, 4, 3,
    ]);
    expect(() => inferOp(AvgPool2d, { self: f32(1, 4, 4) }, { kernel_size: [2], divisor_override: 0 })).toThrow('divisor_override is 0');
  });

  test('of integers truncates', () =>
    expect(rounded(runOp(AvgPool1d, { self: tensorOf('i64', [1, 1, 6], [-2, -1, 0, 1, 2, 3]) }, { kernel_size: [2] })[0])).toEqual([
      -1, 0, 2,
    ]));

  test('adaptive: parts overlap when sizes do not divide', () => {
    expect(rounded(runOp(AdaptiveAvgPool2d, { self: pattern([1, 1, 3, 4], 11) }, { output_size: [2, 3] })[0])).toEqual([
      0.5, 1.5, 2.5, 4.5, 5.5, 3.75,
    ]);
    expect(runOp(AdaptiveAvgPool1d, { self: pattern([2, 3]) }, { output_size: [0] })[0]!.shape).toEqual([2, 0]);
  });

  test('infinities and NaN go through', () =>
    expect([...runOp(AvgPool1d, { self: tensorOf('f32', [1, 4], [Infinity, 1, NaN, 1]) }, { kernel_size: [2] })[0]!.data]).toEqual([
      Infinity,
      NaN,
    ]));
});

test('an empty batch stays empty', () => {
  const self = hostTensor('f32', [0, 2, 4]);
  expect(runOp(MaxPool1d, { self }, { kernel_size: [2] })[0]!.shape).toEqual([0, 2, 2]);
  expect(runOp(AvgPool1d, { self }, { kernel_size: [2] })[0]!.shape).toEqual([0, 2, 2]);
});

test('symbolic sizes', () => {
  const graph = new Graph();
  const h = graph.env.declare('h', { min: 4 });
  const [type] = inferOp(MaxPool2d, { self: f32(1, 1, h, 8) }, { kernel_size: [2] }, graph);
  expect(type!.shape.map(dimText)).toEqual(['1', '1', 'floordiv(h - 2, 2) + 1', '4']);
});

describe('refusals', () => {
  test.each([
    [{ kernel_size: [2], padding: [2] }, f32(1, 1, 8), 'padding is [2], expected at most half of the window, which spans 2'],
    [{ kernel_size: [0] }, f32(1, 1, 8), 'kernel_size is [0], expected numbers of at least 1'],
    [{ kernel_size: [9] }, f32(1, 1, 8), 'a window that spans [9] does not fit'],
    [{ kernel_size: [2, 2] }, f32(1, 1, 8), 'kernel_size is [2, 2], expected 1 or 1 numbers'],
    [{ kernel_size: [2] }, f32(8), 'self has shape [8], expected rank 2 (no batch axis) or 3'],
    [{ kernel_size: [1] }, f32(1, 0, 8), 'expected only the batch axis to be empty'],
  ])('%j', (attrs, self, why) => {
    expect(() => inferOp(MaxPool1dWithIndices, { self }, attrs)).toThrow(why);
    expect(() => inferOp(AvgPool1d, { self }, attrs)).toThrow(why);
  });

  test('of dtypes that torch has no kernel for', () => {
    expect(() => inferOp(MaxPool1d, { self: tensorType('bool', [1, 4]) }, { kernel_size: [2] })).toThrow('bool');
    expect(() => inferOp(AvgPool3d, { self: tensorType('i32', [1, 4, 4, 4]) }, { kernel_size: [2] })).toThrow('i32');
    expect(() => inferOp(AdaptiveAvgPool2d, { self: tensorType('i64', [1, 4, 4]) }, { output_size: [2] })).toThrow('i64');
  });
});
