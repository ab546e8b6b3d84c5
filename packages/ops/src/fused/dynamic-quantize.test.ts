import { type AttrRecord, Graph, type HostTensor, tensorOf, tensorType, typeText } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { generator, numbersOf } from '../../test/quantized.js';
import { inferOp, runOp } from '../../test/run-op.js';
import { ChooseQparams, Quantize } from '../quant/index.js';
import { DynamicQuantize } from './index.js';

const floats = (dtype: HostTensor['dtype'], shape: readonly number[], seed: number): HostTensor => {
  const next = generator(seed);
  return tensorOf(
    dtype,
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => (next() - 0.3) * 7),
  );
};
const tensor = { granularity: 'tensor', mapping: 'asymmetric', qmin: -128, qmax: 127, dtype: 'i8' } as const;

describe('is choose_qparams and quantize', () => {
  test.each<[string, HostTensor, AttrRecord]>([
    ['of the whole tensor', floats('f32', [3, 5], 1), tensor],
    ['of rows', floats('f32', [2, 3, 7], 2), { ...tensor, granularity: 'row' }],
    ['of an axis', floats('f32', [4, 3], 3), { ...tensor, granularity: 'axis', axis: 0 }],
    ['of groups', floats('f32', [2, 8], 4), { ...tensor, granularity: 'group', axis: 1, group_size: 4 }],
    ['of blocks', floats('f32', [4, 6], 5), { ...tensor, granularity: 'block', block_size: [2, 3] }],
    ['to unsigned integers', floats('f32', [9], 6), { ...tensor, qmin: 0, qmax: 255, dtype: 'u8' }],
    ['around 0', floats('f32', [2, 6], 7), { ...tensor, granularity: 'row', mapping: 'symmetric', qmin: -127 }],
    ['without clipping', floats('f32', [2, 6], 8), { ...tensor, mapping: 'symmetric_no_clipping_err' }],
    ['as XNNPACK chooses', floats('f32', [3, 6], 9), { ...tensor, granularity: 'row', zero_point_rule: 'smaller_error', eps: 2 ** -23 }],
    ['rounded after the zero point', floats('f32', [40], 10), { ...tensor, round_last: true }],
    ['of f16, in f32', floats('f16', [3, 6], 11), { ...tensor, granularity: 'row', compute: 'f32', quantize_compute: 'f32' }],
    ['of bf16, in bf16', floats('bf16', [3, 6], 12), { ...tensor, compute: 'bf16', quantize_compute: 'bf16' }],
    ['with results in other dtypes', floats('f32', [3, 6], 13), { ...tensor, scale_dtype: 'f64', zero_point_dtype: 'i64' }],
    ['of one number', floats('f32', [], 14), tensor],
    ['of zeros', tensorOf('f32', [4], [0, 0, 0, 0]), { ...tensor, eps: 0.1 }],
  ])('%s', (_, input, attrs) => {
    const { dtype, quantize_compute: compute, round_last: last, ...choose } = attrs;
    const [scale, zero_point] = runOp(ChooseQparams, { input }, choose) as [HostTensor, HostTensor];
    const { granularity, axis, group_size, block_size, qmin, qmax } = attrs;
    const grid = { granularity, axis, group_size, block_size, qmin, qmax } as AttrRecord;
    const [q] = runOp(Quantize, { input, scale, zero_point }, { ...grid, dtype, compute, round_last: last } as AttrRecord);
    const out = runOp(DynamicQuantize, { input }, attrs, 'decompose');
    expect(out.map((t) => [t.dtype, t.shape, numbersOf(t)])).toEqual([q!, scale, zero_point].map((t) => [t.dtype, t.shape, numbersOf(t)]));
  });
});

test('results are integers, scale and zero point', () => {
  const out = runOp(DynamicQuantize, { input: tensorOf('f32', [3], [-1, 0, 1.55]) }, tensor, 'decompose');
  expect(out.map(numbersOf)).toEqual([[-128, -28, 127], [Math.fround(Math.fround(2.55) / 255)], [-28]]);
});

test('rows without elements have no scale to choose', () => {
  expect(() => runOp(DynamicQuantize, { input: tensorOf('f32', [0], []) }, tensor, 'decompose')).toThrow(/no elements/);
  const rows = runOp(DynamicQuantize, { input: tensorOf('f32', [0, 4], []) }, { ...tensor, granularity: 'row' }, 'decompose');
  expect(rows.map((t) => t.shape)).toEqual([
    [0, 4],
    [0, 1],
    [0, 1],
  ]);
});

test('types follow from the attributes', () => {
  const graph = new Graph();
  const m = graph.env.declare('m', { min: 1 });
  const input = tensorType('f32', [m, 8]);
  expect(inferOp(DynamicQuantize, { input }, { ...tensor, granularity: 'row', zero_point_dtype: 'i8' }, graph).map(typeText)).toEqual([
    'i8[m, 8]',
    'f32[m, 1]',
    'i8[m, 1]',
  ]);
  expect(() => inferOp(DynamicQuantize, { input }, { ...tensor, qmin: 5, qmax: 5 }, graph)).toThrow(/qmin 5 is not below qmax 5/);
  expect(() => inferOp(DynamicQuantize, { input }, { ...tensor, dtype: 'f32' }, graph)).toThrow(/dtype is f32, expected one of i8, u8/);
  expect(() => inferOp(DynamicQuantize, { input: tensorType('i8', [2]) }, tensor)).toThrow(/input.*i8/);
});
