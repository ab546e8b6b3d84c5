import { boolScalar, floatScalar, intScalar, tensorOf, tensorType } from '@qfuse/ir';
import { describe, expect, it, test } from 'vitest';
import { inferOp, runOp } from '../../test/run-op.js';
import * as aten from './index.js';

const f32 = (...values: number[]) => tensorOf('f32', [values.length], values);
const i64 = (...values: (number | bigint)[]) => tensorOf('i64', [values.length], values);
const u8 = (...values: number[]) => tensorOf('u8', [values.length], values);
const bools = (...values: number[]) => tensorOf('bool', [values.length], values);
const only = (out: readonly { readonly data: ArrayLike<number | bigint> }[]) => Array.from(out[0]!.data);

describe('arithmetic', () => {
  it('wraps integers and keeps i64 exact', () => {
    expect(only(runOp(aten.AddTensor, { self: u8(200), other: u8(100) }))).toEqual([44]);
    expect(only(runOp(aten.MulTensor, { self: i64(2n ** 62n, 3_037_000_500n), other: i64(2, 3_037_000_500n) }))).toEqual([
      -(2n ** 63n),
      9_223_372_037_000_250_000n - 2n ** 64n,
    ]);
    expect(only(runOp(aten.Neg, { self: u8(200) }))).toEqual([56]);
  });

  it('adds bools as "or" and refuses to subtract them', () => {
    expect(only(runOp(aten.AddTensor, { self: bools(1, 1, 0), other: bools(1, 0, 0) }))).toEqual([1, 1, 0]);
    expect(() => runOp(aten.SubTensor, { self: bools(1), other: bools(1) })).toThrow(/an operand is bool: a difference needs numbers/);
    expect(() => runOp(aten.Neg, { self: bools(1) })).toThrow(/self is bool, expected numbers/);
  });

  it('scales by alpha and refuses a float one for integers', () => {
    expect(only(runOp(aten.SubTensor, { self: f32(1), other: f32(3) }, { alpha: floatScalar(0.5) }))).toEqual([-0.5]);
    expect(only(runOp(aten.RsubScalar, { self: i64(3) }, { other: intScalar(10), alpha: intScalar(2) }))).toEqual([4n]);
    expect(() => runOp(aten.AddTensor, { self: i64(1), other: i64(1) }, { alpha: floatScalar(0.5) })).toThrow(
      /alpha is a float, but the operands are integers/,
    );
  });

  it('promotes: a float number makes integers f32, an integer number does not', () => {
    const self = tensorType('i8', [2]);
    expect(inferOp(aten.MulScalar, { self }, { other: floatScalar(2) })[0]!.dtype).toBe('f32');
    expect(inferOp(aten.MulScalar, { self }, { other: intScalar(300) })[0]!.dtype).toBe('i8');
    expect(inferOp(aten.DivScalar, { self }, { other: intScalar(2) })[0]!.dtype).toBe('f32');
    expect(inferOp(aten.AddTensor, { self, other: tensorType('u8', [1]) })[0]).toBe(tensorType('i16', [2]));
    expect(inferOp(aten.AddTensor, { self: tensorType('f16', [2]), other: tensorType('f64', []) })[0]!.dtype).toBe('f16');
  });

  it('refuses shapes that do not broadcast', () => {
    expect(() => runOp(aten.MulTensor, { self: f32(1, 2), other: f32(1, 2, 3) })).toThrow(/shapes \[2\] and \[3\] do not broadcast/);
  });
});

describe('division', () => {
  it('refuses integers by 0, floats follow IEEE', () => {
    for (const op of [aten.FloorDivide, aten.RemainderTensor, aten.FmodTensor])
      expect(() => runOp(op, { self: i64(1), other: i64(0) }), op.name).toThrow(/an integer is divided by 0/);
    expect(only(runOp(aten.DivTensor, { self: i64(1, -1), other: i64(0, 0) }))).toEqual([Infinity, -Infinity]);
    expect(only(runOp(aten.FloorDivide, { self: f32(1, 0), other: f32(0, 0) }))).toEqual([Infinity, Number.NaN]);
  });

  it('rounds towards minus infinity or 0', () => {
    const operands = { self: i64(7, -7, 7, -7), other: i64(2, 2, -2, -2) };
    expect(only(runOp(aten.DivTensorMode, operands, { rounding_mode: 'floor' }))).toEqual([3n, -4n, -4n, 3n]);
    expect(only(runOp(aten.DivTensorMode, operands, { rounding_mode: 'trunc' }))).toEqual([3n, -3n, -3n, 3n]);
    expect(only(runOp(aten.RemainderTensor, operands))).toEqual([1n, 1n, -1n, -1n]);
    expect(only(runOp(aten.FmodTensor, operands))).toEqual([1n, -1n, 1n, -1n]);
    expect(runOp(aten.DivTensorMode, operands)[0]!.dtype).toBe('f32');
  });
});

test('powers: of integers to negative numbers refused, one half is a square root', () => {
  expect(() => runOp(aten.PowTensorScalar, { self: i64(2) }, { exponent: intScalar(-1) })).toThrow(
    /to the negative power -1 are no integers/,
  );
  expect(only(runOp(aten.PowTensorScalar, { self: f32(-Infinity, 4) }, { exponent: floatScalar(0.5) }))).toEqual([Number.NaN, 2]);
  expect(only(runOp(aten.PowTensorTensor, { self: f32(1), exponent: f32(Number.NaN) }))).toEqual([1]);
  expect(only(runOp(aten.PowScalar, { exponent: i64(64) }, { self: intScalar(3) }))).toEqual([BigInt.asIntN(64, 3n ** 64n)]);
});

test('comparisons round numbers to the dtype of the tensor first', () => {
  expect(only(runOp(aten.EqScalar, { self: f32(0.1) }, { other: floatScalar(0.1) }))).toEqual([1]);
  expect(only(runOp(aten.LtScalar, { self: u8(200, 3) }, { other: intScalar(-1) }))).toEqual([1, 1]);
  expect(only(runOp(aten.NeTensor, { self: f32(Number.NaN), other: f32(Number.NaN) }))).toEqual([1]);
});

test('NaN wins in maximum and loses in fmax', () => {
  const operands = { self: f32(Number.NaN, 1), other: f32(2, Number.NaN) };
  expect(only(runOp(aten.Maximum, operands))).toEqual([Number.NaN, Number.NaN]);
  expect(only(runOp(aten.Fmax, operands))).toEqual([2, 1]);
});

test('shifts by the width and more, or by negative numbers, move all bits out', () => {
  const operands = { self: i64(3, -7, -7), other: i64(70, 64, -1) };
  expect(only(runOp(aten.BitwiseLeftShiftTensor, operands))).toEqual([0n, 0n, 0n]);
  expect(only(runOp(aten.BitwiseRightShiftTensor, operands))).toEqual([0n, -1n, -1n]);
  expect(() => runOp(aten.BitwiseAndTensor, { self: f32(1), other: f32(1) })).toThrow(/operands are f32, expected integers or bools/);
});

describe('clamp', () => {
  it('lets the upper bound win and keeps NaN', () => {
    expect(only(runOp(aten.Clamp, { self: f32(Number.NaN, 5) }, { min: intScalar(3), max: intScalar(1) }))).toEqual([Number.NaN, 1]);
    expect(only(runOp(aten.ClampTensor, { self: i64(-4, 9), max: i64(3, 3) }))).toEqual([-4n, 3n]);
  });

  it('needs a bound, one that the dtype holds', () => {
    expect(() => runOp(aten.Clamp, { self: f32(1) })).toThrow(/neither min nor max/);
    expect(() => runOp(aten.Clamp, { self: u8(1) }, { max: intScalar(300) })).toThrow(/max is 300, which u8 cannot hold/);
  });
});

describe('masks', () => {
  it('promotes what is chosen from, not what is filled', () => {
    expect(runOp(aten.WhereScalarOther, { condition: bools(0), self: i64(1) }, { other: floatScalar(0.5) })[0]).toMatchObject({
      dtype: 'f32',
      data: new Float32Array([0.5]),
    });
    expect(only(runOp(aten.MaskedFillScalar, { self: i64(1, 2), mask: bools(1, 0) }, { value: floatScalar(1.7) }))).toEqual([1n, 2n]);
    expect(runOp(aten.WhereScalar, { condition: bools(1) }, { self: boolScalar(true), other: boolScalar(false) })[0]!.dtype).toBe('bool');
  });

  it('refuses numbers that do not fit, and values with axes', () => {
    expect(() => runOp(aten.MaskedFillScalar, { self: i64(1), mask: bools(1) }, { value: floatScalar(Infinity) })).toThrow(
      /value is inf, which i64 cannot hold/,
    );
    expect(() => runOp(aten.MaskedFillTensor, { self: i64(1), mask: bools(1), value: i64(1) })).toThrow(/expected a 0-d tensor/);
    expect(() =>
      inferOp(aten.WhereSelf, { condition: tensorType('i64', [1]), self: tensorType('f32', [1]), other: tensorType('f32', [1]) }),
    ).toThrow(/condition/);
  });
});

test('casts cut and wrap as C on x86 does', () => {
  const cast = (dtype: 'i32' | 'i64' | 'u8' | 'bool' | 'bf16', ...values: number[]) =>
    only(runOp(aten.ToCopy, { self: tensorOf('f64', [values.length], values) }, { dtype }));
  expect(cast('i32', 2.9, -2.9, Number.NaN, Infinity, 3e9)).toEqual([2, -2, -(2 ** 31), -(2 ** 31), -(2 ** 31)]);
  expect(cast('i64', 2 ** 53 + 2, 1e30)).toEqual([2n ** 53n + 2n, -(2n ** 63n)]);
  expect(cast('u8', -1, 300, 1e10)).toEqual([255, 44, 0]);
  expect(cast('bool', 0, -0, Number.NaN, 0.1)).toEqual([0, 0, 1, 1]);
  expect(cast('bf16', 1.00390625, 1.01171875)).toEqual([1, 1.015625]);
});

test('copies and casts to the own dtype are the operand itself', () => {
  const self = f32(1, 2);
  for (const op of [aten.Clone, aten.Contiguous, aten.Alias, aten.Detach, aten.LiftFreshCopy])
    expect(runOp(op, { self })[0], op.name).toBe(self);
  for (const op of [aten.ToDtype, aten.ToDtypeLayout, aten.ToDevice]) expect(runOp(op, { self }, { dtype: 'f32' })[0], op.name).toBe(self);
  expect(runOp(aten.Dropout, { input: self }, { p: 0.5, train: false })[0]).toBe(self);
});

test('training is refused', () => {
  expect(() => runOp(aten.Dropout, { input: f32(1) }, { p: 0.5, train: true })).toThrow(/train is true/);
  expect(() => runOp(aten.Rrelu, { self: f32(1) }, { training: true })).toThrow(/training is true/);
});

test('floats only: activations and fractions refuse integers', () => {
  for (const op of [aten.Gelu, aten.Silu, aten.Elu, aten.Mish, aten.LeakyRelu, aten.Hardswish, aten.Frac])
    expect(() => runOp(op, { self: i64(1) }), op.name).toThrow(/self is i64, expected a float dtype/);
  expect(() => runOp(aten.Hardtanh, { self: u8(1) }, {})).toThrow(/a bound is negative, expected a signed dtype/);
  expect(() => runOp(aten.Glu, { self: f32(1, 2, 3) })).toThrow(/is odd, expected an even size/);
});
