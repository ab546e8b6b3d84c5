import { boolScalar, floatScalar, Graph, intScalar, type Scalar, tensorOf, tensorType, typeText } from '@qfuse/ir';
import { describe, expect, it, test } from 'vitest';
import { inferOp, runOp } from '../../test/run-op.js';
import * as aten from './index.js';

const only = (out: readonly { readonly data: ArrayLike<number | bigint> }[]) => Array.from(out[0]!.data);

describe('arange', () => {
  const range = (start: Scalar, end: Scalar, step: Scalar, dtype?: 'i64' | 'f32' | 'i8') =>
    only(runOp(aten.ArangeStartStep, {}, { start, end, step, dtype }));

  it('is i64 unless a number is a float', () => {
    expect(range(intScalar(3), intScalar(0), intScalar(-2))).toEqual([3n, 1n]);
    expect(range(intScalar(0), floatScalar(1), floatScalar(0.5))).toEqual([0, 0.5]);
    expect(range(floatScalar(0.5), floatScalar(3.5), intScalar(1), 'i64')).toEqual([0n, 1n, 2n]);
    expect(only(runOp(aten.Arange, {}, { end: intScalar(0) }))).toEqual([]);
  });

  it('refuses steps that do not lead to the end', () => {
    expect(() => range(intScalar(1), intScalar(5), intScalar(-1))).toThrow(/from 1 to 5 by -1 has no elements in i64/);
    expect(() => range(intScalar(1), intScalar(5), intScalar(0))).toThrow(/a step other than 0/);
    expect(() => range(intScalar(1), floatScalar(Infinity), intScalar(1))).toThrow(/expected a finite range/);
  });

  it('counts to a size that is not known yet', () => {
    const graph = new Graph();
    const end = graph.env.declare('s0', { min: 1 });
    expect(inferOp(aten.ArangeSym, {}, { end }, graph).map(typeText)).toEqual(['i64[s0]']);
    expect(inferOp(aten.ArangeSym, {}, { start: 1, end, step: 2, dtype: 'f32' }, graph)[0]!.shape).toHaveLength(1);
    expect(only(runOp(aten.ArangeSym, {}, { start: 1, end: 6, step: 2, dtype: 'f32' }))).toEqual([1, 3, 5]);
  });
});

test('full finds the dtype of its number and refuses what does not fit', () => {
  const dtypeOf = (fill_value: Scalar) => inferOp(aten.Full, {}, { size: [2], fill_value })[0]!.dtype;
  expect([intScalar(1), floatScalar(1), boolScalar(true)].map(dtypeOf)).toEqual(['i64', 'f32', 'bool']);
  expect(() => inferOp(aten.Full, {}, { size: [2], fill_value: intScalar(300), dtype: 'u8' })).toThrow(
    /fill_value is 300, which u8 cannot hold/,
  );
  expect(only(runOp(aten.Full, {}, { size: [1], fill_value: intScalar(-1), dtype: 'u8' }))).toEqual([255]);
  expect(() => inferOp(aten.Zeros, {}, { size: [-1] })).toThrow(/expected no negative numbers/);
});

test('like and new take the dtype of a tensor, and shapes may be symbolic', () => {
  const graph = new Graph();
  const size = graph.env.declare('n', { min: 2 });
  const self = tensorType('i8', [size]);
  expect(inferOp(aten.ZerosLike, { self }, {}, graph).map(typeText)).toEqual(['i8[n]']);
  expect(inferOp(aten.NewOnes, { self }, { size: [size, 2], dtype: 'bool' }, graph).map(typeText)).toEqual(['bool[n, 2]']);
});

test('linspace meets both ends, integers are cut', () => {
  const space = (steps: number, dtype?: 'i64') =>
    only(runOp(aten.Linspace, {}, { start: intScalar(-10), end: intScalar(3), steps, dtype }));
  expect(space(6, 'i64')).toEqual([-10n, -7n, -4n, -2n, 0n, 3n]);
  expect(space(1)).toEqual([-10]);
  expect(() => space(-1)).toThrow(/steps is -1/);
  expect(() => runOp(aten.LinspaceTensorTensor, { start: tensorOf('f32', [1], [0]), end: tensorOf('f32', [], [1]) }, { steps: 2 })).toThrow(
    /expected a 0-d tensor/,
  );
});

test('identity matrices', () => {
  expect(only(runOp(aten.EyeM, {}, { n: 2, m: 3, dtype: 'i32' }))).toEqual([1, 0, 0, 0, 1, 0]);
  expect(() => inferOp(aten.Eye, {}, { n: -1 })).toThrow(/expected no negative numbers/);
});
