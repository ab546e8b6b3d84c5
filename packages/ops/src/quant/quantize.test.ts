import { Graph, tensorOf, tensorType, typeText } from '@qfuse/ir';
import { describe, expect, it } from 'vitest';
import { inferOp, runOp } from '../../test/run-op.js';
import { ChooseQparams, Dequantize, Quantize } from './index.js';

// The formulas themselves are compared with torch and torchao bit for bit in aten/torch-calls.test.ts.

const scalar = (x: number) => tensorOf('f32', [], [x]);
const byte = { granularity: 'tensor', qmin: -128, qmax: 127, dtype: 'i8' } as const;
const data = (out: readonly { readonly data: ArrayLike<number | bigint> }[], i = 0) => Array.from(out[i]!.data);

describe('quantize', () => {
  it('rounds ties to even, before or after the zero point', () => {
    const operands = { input: tensorOf('f32', [4], [0.5, 1.5, 2.5, -0.5]), scale: scalar(1), zero_point: tensorOf('i32', [], [1]) };
    expect(data(runOp(Quantize, operands, byte))).toEqual([1, 3, 3, 1]);
    expect(data(runOp(Quantize, operands, { ...byte, round_last: true }))).toEqual([2, 2, 4, 0]);
  });

  it('multiplies by the reciprocal in f32, or in another dtype', () => {
    const operands = { input: tensorOf('f32', [1], [0.45]), scale: tensorOf('f64', [], [0.1]) };
    expect(Math.fround(Math.fround(0.45) * 10)).toBe(4.5);
    expect(data(runOp(Quantize, operands, byte))).toEqual([4]);
    expect(data(runOp(Quantize, { ...operands, input: tensorOf('f64', [1], [0.4500001]) }, { ...byte, compute: 'f64' }))).toEqual([5]);
  });

  it('rounds the zero point before it adds', () => {
    const operands = { input: tensorOf('f32', [1], [1]), scale: scalar(1), zero_point: tensorOf('i32', [], [2 ** 24 + 1]) };
    expect(data(runOp(Quantize, operands, { granularity: 'tensor', qmin: 0, qmax: 2 ** 30, dtype: 'i32' }))).toEqual([2 ** 24]);
  });

  it('saturates, NaN becomes 0', () => {
    expect(data(runOp(Quantize, { input: tensorOf('f32', [3], [Infinity, -1e9, Number.NaN]), scale: scalar(0.1) }, byte))).toEqual([
      127, -128, 0,
    ]);
  });

  it('refuses what does not fit', () => {
    const types = { input: tensorType('f32', [4, 6]), scale: tensorType('f32', [3]) };
    expect(() => inferOp(Quantize, types, { ...byte, granularity: 'axis', axis: 0 })).toThrow(
      /scale has shape \[3\], expected \[4\] for granularity "axis"/,
    );
    expect(() => inferOp(Quantize, types, { ...byte, granularity: 'axis' })).toThrow(/granularity "axis" needs axis/);
    expect(() => inferOp(Quantize, types, { ...byte, granularity: 'group', axis: 1, group_size: 4 })).toThrow(/4 does not divide axis 1/);
    expect(() => inferOp(Quantize, { ...types, scale: tensorType('f32', []) }, { ...byte, compute: 'i8' })).toThrow(
      /compute is i8, expected a float dtype/,
    );
    expect(() => inferOp(Quantize, { ...types, scale: tensorType('f32', []) }, { ...byte, qmin: 5, qmax: 5 })).toThrow(
      /qmin 5 is not below qmax 5/,
    );
  });

  it('takes groups of symbolic axes and checks them when the size is known', () => {
    const graph = new Graph();
    const n = graph.env.declare('n', { min: 2 });
    const attrs = { ...byte, granularity: 'group', axis: 1, group_size: 2 } as const;
    expect(
      inferOp(Quantize, { input: tensorType('f32', [2, n]), scale: tensorType('f32', [2, graph.env.declare('g')]) }, attrs, graph).map(
        typeText,
      ),
    ).toEqual(['i8[2, n]']);
    expect(
      data(runOp(Quantize, { input: tensorOf('f32', [1, 4], [1, 2, 3, 4]), scale: tensorOf('f32', [1, 2], [1, 0.5]) }, attrs)),
    ).toEqual([1, 2, 6, 8]);
  });
});

describe('dequantize', () => {
  it('rounds difference, scale and product to f32, or to another dtype', () => {
    const operands = { input: tensorOf('i32', [1], [2 ** 24 + 1]), scale: tensorOf('f64', [], [0.1]) };
    const i32 = { granularity: 'tensor', qmin: -(2 ** 31), qmax: 2 ** 31 - 1 } as const;
    expect(data(runOp(Dequantize, operands, { ...i32, dtype: 'f32' }))).toEqual([Math.fround(2 ** 24 * Math.fround(0.1))]);
    expect(data(runOp(Dequantize, operands, { ...i32, dtype: 'f64', compute: 'f64' }))).toEqual([(2 ** 24 + 1) * 0.1]);
    expect(
      data(
        runOp(
          Dequantize,
          { ...operands, input: tensorOf('i16', [1], [257]), scale: scalar(1) },
          { ...i32, dtype: 'f32', difference: 'bf16' },
        ),
      ),
    ).toEqual([256]);
  });

  it('reads a scale and a zero point for each box', () => {
    const operands = {
      input: tensorOf('i8', [2, 4], [1, 2, 3, 4, 5, 6, 7, 8]),
      scale: tensorOf('f32', [1, 2], [1, 10]),
      zero_point: tensorOf('i8', [1, 2], [0, 1]),
    };
    expect(data(runOp(Dequantize, operands, { granularity: 'block', block_size: [2, 2], qmin: -128, qmax: 127, dtype: 'f32' }))).toEqual([
      1, 2, 20, 30, 5, 6, 60, 70,
    ]);
  });
});

describe('choose_qparams', () => {
  const asymmetric = { granularity: 'tensor', mapping: 'asymmetric', qmin: -128, qmax: 127 } as const;
  const input = tensorOf('f32', [4], [-1, 0.5, 3, 2]);

  it('maps a range that contains 0', () => {
    const [scale, zero] = runOp(ChooseQparams, { input }, asymmetric);
    expect([scale!.data[0], zero!.data[0]]).toEqual([Math.fround(4 / 255), -64]);
    expect(data(runOp(ChooseQparams, { input: tensorOf('f32', [2], [5, 10]) }, asymmetric), 1)).toEqual([-128]);
  });

  it('has a symmetric middle, which may be given', () => {
    const of = (more: object) => runOp(ChooseQparams, { input }, { ...asymmetric, mapping: 'symmetric', ...more }).map((t) => t.data[0]);
    expect(of({})).toEqual([Math.fround(3 / 127.5), 0]);
    expect(of({ qmin: 0, qmax: 255 })).toEqual([Math.fround(3 / 127.5), 128]);
    expect(of({ zero_point: 5, mapping: 'symmetric_no_clipping_err' })).toEqual([Math.fround(3 / 127), 5]);
  });

  it('bounds the scale from below', () => {
    const zeros = tensorOf('f32', [2], [0, 0]);
    expect(data(runOp(ChooseQparams, { input: zeros }, asymmetric))).toEqual([2 ** -126]);
    expect(data(runOp(ChooseQparams, { input: zeros }, { ...asymmetric, eps: 0.5 }))).toEqual([0.5]);
  });

  it('gives one pair for each row, in the dtypes that are asked for', () => {
    const types = inferOp(
      ChooseQparams,
      { input: tensorType('bf16', [2, 3]) },
      { ...asymmetric, granularity: 'row', scale_dtype: 'f64', zero_point_dtype: 'i64' },
    );
    expect(types.map(typeText)).toEqual(['f64[2, 1]', 'i64[2, 1]']);
    expect(() => inferOp(ChooseQparams, { input: tensorType('bf16', [2, 3]) }, { ...asymmetric, scale_dtype: 'i8' })).toThrow(
      /scale_dtype is i8, expected a float dtype/,
    );
  });

  it('refuses tensors without elements', () => {
    for (const by of ['reference', 'decompose'] as const)
      expect(() => runOp(ChooseQparams, { input: tensorOf('f32', [0], []) }, asymmetric, by), by).toThrow(/no elements/);
  });
});
