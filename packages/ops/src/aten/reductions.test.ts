import { floatScalar, Graph, intScalar, tensorOf, tensorType, typeText } from '@qfuse/ir';
import { describe, expect, it, test } from 'vitest';
import { inferOp, roundedTo, runOp } from '../../test/run-op.js';
import * as aten from './index.js';

const matrix = tensorOf('f32', [2, 3], [3, -1, 2, 5, 0, -4]);
const none = tensorOf('f32', [0, 3], []);
const only = (out: readonly { readonly data: ArrayLike<number | bigint> }[]) => Array.from(out[0]!.data);

describe('axes', () => {
  it('an absent or empty list means all, but for any and all an empty one means none', () => {
    expect(only(runOp(aten.SumDimIntList, { self: matrix }, { dim: [] }))).toEqual([5]);
    expect(only(runOp(aten.AnyDims, { self: matrix }))).toEqual([1]);
    expect(only(runOp(aten.AnyDims, { self: matrix }, { dim: [] }))).toEqual([1, 1, 1, 1, 0, 1]);
  });

  it('count from the end, keep their place with size 1, and are refused when wrong', () => {
    expect(runOp(aten.MeanDim, { self: matrix }, { dim: [-1], keepdim: true })[0]!.shape).toEqual([2, 1]);
    expect(() => runOp(aten.SumDimIntList, { self: matrix }, { dim: [2] })).toThrow(/dim 2 is out of range for rank 2/);
    expect(() => runOp(aten.SumDimIntList, { self: matrix }, { dim: [0, -2] })).toThrow(/repeat one/);
  });

  it('may be symbolic', () => {
    const graph = new Graph();
    const [s0] = ['s0', 's1'].map((name) => graph.env.declare(name, { min: 2 }));
    const infer = (op: (typeof aten)['SumDimIntList'], attrs: object) =>
      inferOp(op, { self: tensorType('f32', [s0!, 3]) }, attrs as never, graph).map(typeText);
    expect(infer(aten.SumDimIntList, { dim: [1], keepdim: true })).toEqual(['f32[s0, 1]']);
    expect(infer(aten.MaxDim as never, { dim: 0 })).toEqual(['f32[3]', 'i64[3]']);
  });
});

describe('no elements', () => {
  it('sums to 0, multiplies to 1, averages to NaN', () => {
    expect(only(runOp(aten.Sum, { self: none }))).toEqual([0]);
    expect(only(runOp(aten.ProdDimInt, { self: none }, { dim: 0 }))).toEqual([1, 1, 1]);
    expect(only(runOp(aten.Mean, { self: none }))).toEqual([Number.NaN]);
    expect(only(runOp(aten.All, { self: none }))).toEqual([1]);
    expect(only(runOp(aten.Logsumexp, { self: none }, { dim: [0] }))).toEqual([-Infinity, -Infinity, -Infinity]);
  });

  it('has no extremes', () => {
    for (const op of [aten.Max, aten.Amin, aten.Argmax, aten.Aminmax])
      expect(() => runOp(op, { self: none }), op.name).toThrow(/axis 0 of shape \[0, 3\] has no elements/);
    expect(runOp(aten.Amax, { self: none }, { dim: [1] })[0]!.shape).toEqual([0]);
    expect(() => runOp(aten.LinalgVectorNorm, { self: none }, { ord: floatScalar(Infinity) })).toThrow(/has no elements/);
  });
});

describe('dtypes', () => {
  it('integers and bools are summed in i64, exactly', () => {
    expect(runOp(aten.Sum, { self: tensorOf('i8', [2], [127, 127]) })[0]).toMatchObject({ dtype: 'i64', data: BigInt64Array.of(254n) });
    expect(only(runOp(aten.Cumsum, { self: tensorOf('i64', [2], [2n ** 62n, 2n ** 62n]) }, { dim: 0 }))).toEqual([2n ** 62n, -(2n ** 63n)]);
    expect(only(runOp(aten.Sum, { self: tensorOf('f32', [2], [1.7, 1.7]) }, { dtype: 'i32' }))).toEqual([2]);
  });

  it('means, variances and norms want floats', () => {
    const self = tensorOf('i64', [2], [1, 2]);
    for (const op of [aten.Mean, aten.Var, aten.LinalgVectorNorm])
      expect(() => runOp(op, { self }), op.name).toThrow(/expected a float dtype/);
    expect(only(runOp(aten.Mean, { self }, { dtype: 'f32' }))).toEqual([1.5]);
    expect(() => runOp(aten.LinalgVectorNorm, { self: matrix }, { dtype: 'f16' })).toThrow(/holds all values of f32/);
  });
});

test('extremes: NaN wins, the first of equals is found', () => {
  const self = tensorOf('f32', [4], [2, Number.NaN, 5, Number.NaN]);
  expect(only(runOp(aten.Argmax, { self }))).toEqual([1n]);
  expect(only(runOp(aten.Max, { self }))).toEqual([Number.NaN]);
  expect(runOp(aten.MaxDim, { self: tensorOf('i64', [3], [7, 7, 1]) }, { dim: 0 }).map((t) => t.data[0])).toEqual([7n, 0n]);
  expect(runOp(aten.Cummax, { self: tensorOf('f32', [4], [1, 1, 0, 2]) }, { dim: 0 })[1]!.data).toEqual(BigInt64Array.of(0n, 1n, 1n, 3n));
});

test('variance divides by what is left of the count', () => {
  const self = tensorOf('f32', [2], [1, 3]);
  expect(only(runOp(aten.Var, { self }))).toEqual([2]);
  expect(only(runOp(aten.VarCorrection, { self }, { correction: intScalar(0) }))).toEqual([1]);
  expect(only(runOp(aten.VarCorrection, { self }, { correction: intScalar(2) }))).toEqual([Infinity]);
  const graph = new Graph();
  const size = graph.env.declare('n', { min: 1 });
  expect(inferOp(aten.StdMean, { self: tensorType('f32', [size]) }, {}, graph).map(typeText)).toEqual(['f32[]', 'f32[]']);
});

test('softmax: infinite rows, half_to_float', () => {
  const rows = tensorOf('f32', [2, 2], [-Infinity, -Infinity, 1000, 1000]);
  expect(only(runOp(aten.SoftmaxInt, { self: rows }, { dim: -1 }))).toEqual([Number.NaN, Number.NaN, 0.5, 0.5]);
  expect(only(runOp(aten.SafeSoftmax, { self: rows }, { dim: -1 }))).toEqual([0, 0, 0.5, 0.5]);
  expect(runOp(aten.Softmax, { self: tensorOf('f16', [1], [1]) }, { dim: 0, half_to_float: true })[0]!.dtype).toBe('f32');
  expect(() => runOp(aten.SoftmaxInt, { self: tensorOf('i64', [1], [1]) }, { dim: 0 })).toThrow(/elements are i64, expected floats/);
});

test('matrix norms by singular values', () => {
  const self = tensorOf('f64', [2, 2], [3, 0, 4, 5]);
  const digits = roundedTo(9);
  expect(digits(runOp(aten.LinalgMatrixNorm, { self }, { ord: intScalar(2) })[0])).toEqual(digits(tensorOf('f64', [], [Math.sqrt(45)])));
  expect(digits(runOp(aten.LinalgMatrixNormStrOrd, { self }, { ord: 'nuc' })[0])).toEqual(
    digits(tensorOf('f64', [], [Math.sqrt(45) + Math.sqrt(5)])),
  );
  expect(only(runOp(aten.LinalgMatrixNorm, { self }, { ord: intScalar(1) }))).toEqual([7]);
  expect(() => runOp(aten.LinalgMatrixNorm, { self }, { ord: intScalar(3) })).toThrow(/ord is 3, expected one of/);
});
