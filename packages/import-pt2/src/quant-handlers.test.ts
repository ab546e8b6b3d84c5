import { opTable, printGraph } from '@qfuse/plugin';
import { quant } from '@qfuse/ops';
import { describe, expect, it } from 'vitest';
import { archive, type Doc, meta, node, program } from '../test/program-builder.js';
import { importPt2 } from './import-pt2.js';

const U8 = 1;
const I8 = 2;
const I32 = 4;
const I64 = 5;
const F16 = 6;
const F32 = 7;
const F64 = 8;
const int = (value: number): Doc => ({ as_int: value });
const dtype = (value: number): Doc => ({ as_scalar_type: value });
const range = (min: number, max: number): Record<string, Doc> => ({ quant_min: int(min), quant_max: int(max) });
const ops = opTable(Object.values(quant));

/** The node (and constants) that one quantization operator becomes. */
function lines(target: string, inputs: Record<string, Doc>, args: Record<string, Doc>, result: Doc): string[] {
  const given = Object.fromEntries(Object.keys(inputs).map((name) => [name, name]));
  const document = program({ inputs, nodes: [node(target, { ...given, ...args }, ['r'])], values: { r: result }, outputs: ['r'] });
  return printGraph(importPt2(archive({ document }), { ops }))
    .trim()
    .split('\n')
    .slice(1, -1)
    .map((l) => l.trim())
    .filter((l) => !l.startsWith('return'));
}

describe('quantized_decomposed', () => {
  it('per tensor with numbers: 0-d constants, f32 when that is exact', () => {
    const [scale, zero, q] = lines(
      'quantized_decomposed.quantize_per_tensor.default',
      { input: meta(F32, [2, 3]) },
      { scale: { as_float: 0.5 }, zero_point: int(3), ...range(-128, 127), dtype: dtype(I8) },
      meta(I8, [2, 3]),
    );
    expect([scale, zero]).toEqual([expect.stringContaining('f32[] = dense<[0.5]>'), expect.stringContaining('i32[] = dense<[3]>')]);
    expect(q).toMatch(
      /^%0 = quant\.quantize\(%input, %\w+, %\w+\) \{dtype = i8, granularity = "tensor", qmax = 127, qmin = -128\} : i8\[2, 3\]$/,
    );
    expect(
      lines(
        'quantized_decomposed.quantize_per_tensor.default',
        { input: meta(F32, [2]) },
        { scale: { as_float: 0.1 }, zero_point: int(0), ...range(0, 255), dtype: dtype(U8) },
        meta(U8, [2]),
      )[0],
    ).toContain('f64[] = dense<[0.1]>');
  });

  it('per tensor with tensors', () => {
    const inputs = { input: meta(I8, [2]), scale: meta(F64, [1]), zero_point: meta(I64, [1]) };
    expect(
      lines('quantized_decomposed.dequantize_per_tensor.tensor', inputs, { ...range(-128, 127), dtype: dtype(I8) }, meta(F32, [2])),
    ).toEqual([
      '%0 = quant.dequantize(%input, %scale, %zero_point) {dtype = f32, granularity = "tensor", qmax = 127, qmin = -128} : f32[2]',
    ]);
  });

  it('bounds as tensors must be constants', () => {
    const inputs = {
      input: meta(F32, [2]),
      scale: meta(F32, [1]),
      zero_point: meta(I64, [1]),
      quant_min: meta(I64, [1]),
      quant_max: meta(I64, [1]),
    };
    expect(() => lines('quantized_decomposed.quantize_per_tensor.tensor2', inputs, { dtype: dtype(I8) }, meta(I8, [2]))).toThrow(
      /argument "quant_min" of .* is computed at run time/,
    );
  });

  it('per channel, with and without zero points', () => {
    const inputs = { input: meta(I8, [4, 3]), scales: meta(F32, [4]), zero_points: meta(I32, [4]) };
    const args = { axis: int(0), ...range(-8, 7), dtype: dtype(I8) };
    expect(lines('quantized_decomposed.dequantize_per_channel.default', inputs, args, meta(F32, [4, 3]))).toEqual([
      '%0 = quant.dequantize(%input, %scales, %zero_points) {axis = 0, dtype = f32, granularity = "axis", qmax = 7, qmin = -8} : f32[4, 3]',
    ]);
    const { input, scales } = inputs;
    expect(
      lines(
        'quantized_decomposed.dequantize_per_channel.default',
        { input, scales },
        { ...args, zero_points: { as_none: true }, out_dtype: dtype(F16) },
        meta(F16, [4, 3]),
      )[0],
    ).toMatch(/dtype = f16.* f16\[4, 3\]$/);
  });

  it('per group and per token', () => {
    const group = { input: meta(I8, [4, 64]), scales: meta(F32, [4, 2]), zero_points: meta(I32, [4, 2]) };
    expect(
      lines(
        'quantized_decomposed.dequantize_per_channel_group.default',
        group,
        { ...range(-8, 7), dtype: dtype(I8), group_size: int(32), output_dtype: dtype(F32) },
        meta(F32, [4, 64]),
      )[0],
    ).toContain('{axis = 1, dtype = f32, granularity = "group", group_size = 32,');
    const token = { input: meta(F32, [5, 8]), scales: meta(F32, [5, 1]), zero_points: meta(I64, [5, 1]) };
    expect(
      lines('quantized_decomposed.quantize_per_token.default', token, { ...range(-128, 127), dtype: dtype(I8) }, meta(I8, [5, 8]))[0],
    ).toContain('granularity = "row"');
  });

  it('refuses integers of another dtype than declared', () => {
    const inputs = { input: meta(U8, [2]), scale: meta(F32, [1]), zero_point: meta(I64, [1]) };
    expect(() =>
      lines('quantized_decomposed.dequantize_per_tensor.tensor', inputs, { ...range(-128, 127), dtype: dtype(I8) }, meta(F32, [2])),
    ).toThrow(/declares i8 and reads u8/);
  });
});

describe('torchao', () => {
  const quantize = (shape: number[], block: number[], scale: number[], zero = scale) =>
    lines(
      'torchao.quantize_affine.default',
      { input: meta(F32, shape), scale: meta(F32, scale), zero_point: meta(I32, zero) },
      { block_size: { as_ints: block }, output_dtype: dtype(I8), ...range(-128, 127) },
      meta(I8, shape),
    );

  it.each<[string, number[], number[], number[], string]>([
    ['the whole tensor', [4, 8], [4, 8], [], 'granularity = "tensor"'],
    ['rows', [2, 4, 8], [1, 1, 8], [2, 4, 1], 'granularity = "row"'],
    ['rows whose scales lack the last axis', [4, 8], [1, 8], [4], 'granularity = "row"'],
    ['an axis that is not the first', [4, 8], [4, 1], [8], 'axis = 1, dtype = i8, granularity = "axis"'],
    ['groups along the last axis', [4, 8], [1, 2], [4, 4], 'granularity = "group", group_size = 2'],
    ['boxes', [4, 8], [2, 2], [2, 4], 'block_size = [2, 2], dtype = i8, granularity = "block"'],
  ])('block_size over %s', (_, shape, block, scale, expected) => expect(quantize(shape, block, scale).at(-1)).toContain(expected));

  it('takes the range of the dtype when none is given', () => {
    const inputs = { input: meta(F32, [4]), scale: meta(F32, []), zero_point: meta(I32, []) };
    expect(
      lines('torchao.quantize_affine.default', inputs, { block_size: { as_ints: [4] }, output_dtype: dtype(U8) }, meta(U8, [4]))[0],
    ).toContain('qmax = 255, qmin = 0');
  });

  it('takes floats as bounds and other result dtypes', () => {
    const inputs = { input: meta(I8, [4, 8]), scale: meta(F32, [4]), zero_point: meta(I8, [4]) };
    const args = {
      block_size: { as_ints: [1, 8] },
      input_dtype: dtype(I8),
      quant_min: { as_float: -8 },
      quant_max: { as_float: 7 },
      output_dtype: dtype(F16),
    };
    expect(lines('torchao.dequantize_affine.default', inputs, args, meta(F16, [4, 8]))[0]).toContain(
      'dtype = f16, granularity = "row", qmax = 7, qmin = -8',
    );
  });

  it('refuses a block_size of another rank', () =>
    expect(() => quantize([4, 8], [8], [4])).toThrow(/block_size.* has 1 sizes, expected 2/));
});
