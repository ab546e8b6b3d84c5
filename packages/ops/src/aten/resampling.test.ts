import { dimText, Graph, tensorOf, tensorType } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { inferOp, pattern, rounded, runOp } from '../../test/run-op.js';
import { GridSampler, GridSampler2d, GridSampler3d } from './grid-sampler.js';
import {
  UpsampleNearest1d,
  UpsampleNearest1dVec,
  UpsampleNearest2dVec,
  UpsampleNearestExact1dVec,
  UpsampleNearestExact3d,
} from './upsample-nearest.js';
import {
  UpsampleBicubic2dVec,
  UpsampleBilinear2d,
  UpsampleBilinear2dVec,
  UpsampleLinear1d,
  UpsampleLinear1dVec,
  UpsampleTrilinear3d,
} from './upsample-smooth.js';

const f32 = (...shape: Parameters<typeof tensorType>[1]) => tensorType('f32', shape);

describe('upsampling as torch', () => {
  test('nearest by size and by scale', () => {
    const input = pattern([1, 1, 5]);
    expect(rounded(runOp(UpsampleNearest1dVec, { input }, { output_size: [3] })[0])).toEqual([-2, -1, 1]);
    expect(rounded(runOp(UpsampleNearest1dVec, { input }, { scale_factors: [1.5] })[0])).toEqual([-2, -2, -1, 0, 0, 1, 2]);
    expect(rounded(runOp(UpsampleNearestExact1dVec, { input }, { output_size: [3] })[0])).toEqual([-2, 0, 2]);
  });

  test('linear, with corners aligned or not', () => {
    const self = pattern([1, 1, 4]);
    expect(rounded(runOp(UpsampleLinear1d, { self }, { output_size: [6], align_corners: false })[0])).toEqual([
      -2, -1.5, -0.833333, -0.166667, 0.5, 1,
    ]);
    expect(rounded(runOp(UpsampleLinear1d, { self }, { output_size: [6], align_corners: true })[0])).toEqual([
      -2, -1.4, -0.8, -0.2, 0.4, 1,
    ]);
    expect(
      rounded(runOp(UpsampleTrilinear3d, { self: pattern([1, 1, 2, 1, 2]) }, { output_size: [3, 1, 3], align_corners: true })[0]),
    ).toEqual([-2, -1.5, -1, -1, -0.5, 0, 0, 0.5, 1]);
  });

  test('bilinear by scales', () => {
    const y = [-2, -1.75, -1.25, -0.75, -0.25, 0, -0.5, -0.25, 0.25, 0.75, 1.25, 1.5, 1, 1.25, 1.75, 2.25, 2.75, 3];
    expect(
      rounded(runOp(UpsampleBilinear2dVec, { input: pattern([1, 1, 2, 3]) }, { scale_factors: [1.5, 2], align_corners: false })[0]),
    ).toEqual(y);
    expect(
      rounded(
        runOp(
          UpsampleBilinear2d,
          { self: pattern([1, 1, 2, 3]) },
          { output_size: [3, 6], scales_h: 1.5, scales_w: 2, align_corners: false },
        )[0],
      ),
    ).toEqual(y);
  });

  test('bicubic', () =>
    expect(
      rounded(runOp(UpsampleBicubic2dVec, { input: pattern([1, 1, 3, 3]) }, { output_size: [2, 4], align_corners: false })[0]),
    ).toEqual([-1.515223, -0.738583, 0.317564, 0.89209, 3.742611, 0.49247, -1.112873, 0.083496]));
});

test('nearest keeps the dtype, bytes included', () =>
  expect(runOp(UpsampleNearest1d, { self: tensorOf('u8', [1, 1, 2], [7, 200]) }, { output_size: [3] })[0]).toEqual(
    tensorOf('u8', [1, 1, 3], [7, 7, 200]),
  ));

test('a stated scale moves positions although the size is the same', () => {
  const self = pattern([1, 1, 4]);
  const by = (scales?: number) => rounded(runOp(UpsampleNearest1d, { self }, { output_size: [6], scales })[0]);
  expect([by(), by(2)]).toEqual([
    [-2, -2, -1, 0, 0, 1],
    [-2, -2, -1, -1, 0, 0],
  ]);
});

test('an empty batch stays empty', () =>
  expect(runOp(UpsampleNearest2dVec, { input: tensorOf('f32', [0, 1, 2, 2], []) }, { output_size: [4, 4] })[0]!.shape).toEqual([
    0, 1, 4, 4,
  ]));

test('symbolic sizes', () => {
  const graph = new Graph();
  const h = graph.env.declare('h', { min: 4 });
  const by = (scale_factors: number[]) =>
    inferOp(UpsampleNearest2dVec, { input: f32(1, 1, h, 4) }, { scale_factors }, graph)[0]!.shape.map(dimText);
  expect(by([2, 2])).toEqual(['1', '1', '2*h', '8']);
  expect(by([1.5, 0.5])).toEqual(['1', '1', 'floordiv(3*h, 2)', '2']);
  expect(() => by([1.7, 1.7])).toThrow('scale factor 1.7 of the symbolic size [h] has no exact result; give output_size instead');
});

test('refusals of upsampling', () => {
  expect(() => inferOp(UpsampleLinear1dVec, { input: f32(1, 1, 4) }, { align_corners: false })).toThrow(
    'expected one of output_size and scale_factors',
  );
  expect(() => inferOp(UpsampleLinear1dVec, { input: f32(1, 4) }, { output_size: [4], align_corners: false })).toThrow(
    'input has shape [1, 4] and output_size has 1 entries, expected rank 3 and 1 entries',
  );
  expect(() => inferOp(UpsampleNearest1d, { self: f32(1, 1, 4) }, { output_size: [0] })).toThrow(
    'output_size is [0], expected at least 1 each',
  );
  expect(() => inferOp(UpsampleNearestExact3d, { self: f32(1, 1, 4, 4, 0) }, { output_size: [1, 1, 1] })).toThrow(
    'expected only the batch axis to be empty',
  );
  expect(() => inferOp(UpsampleLinear1d, { self: tensorType('u8', [1, 1, 4]) }, { output_size: [2], align_corners: false })).toThrow('u8');
});

describe('grid sampling as torch', () => {
  const input = pattern([1, 1, 3, 3]);
  const grid = tensorOf('f32', [1, 1, 3, 2], [-0.5, 0.25, 0.9, -1.2, 1.6, 0.1]);
  test.each([
    [0, 0, [1.71875, 0, 0]],
    [0, 1, [1.375, -0.1, 2.6]],
    [0, 2, [1.71875, 0, 2]],
    [1, 0, [1, 0, 0]],
    [1, 1, [1, 0, 3]],
    [1, 2, [1, 0, 3]],
    [2, 0, [2.48436, -0.028509, -0.293625]],
    [2, 1, [1.609375, -0.36325, 2.926249]],
    [2, 2, [2.030556, -0.189376, 2.352739]],
  ])('interpolation %i, padding %i', (interpolation_mode, padding_mode, expected) => {
    rounded(runOp(GridSampler, { input, grid }, { interpolation_mode, padding_mode, align_corners: padding_mode === 1 })[0]).forEach(
      (x, i) => expect(x).toBeCloseTo(expected[i]!, 5),
    );
  });

  test('three axes', () => {
    const places = tensorOf('f32', [1, 1, 1, 2, 3], [-0.5, 0.25, 0.1, 1.2, -0.3, 0.4]);
    const options = { interpolation_mode: 0, padding_mode: 0, align_corners: false };
    expect(rounded(runOp(GridSampler3d, { input: pattern([1, 1, 2, 2, 2]), grid: places }, options)[0])).toEqual([1.9, 0.522]);
  });

  test('coordinates that are not numbers', () => {
    const nowhere = tensorOf('f32', [1, 1, 2, 2], [NaN, 0, Infinity, 0]);
    const at = (interpolation_mode: number, padding_mode: number) => [
      ...runOp(GridSampler2d, { input, grid: nowhere }, { interpolation_mode, padding_mode, align_corners: false })[0]!.data,
    ];
    expect(at(0, 0)).toEqual([NaN, NaN]);
    expect(at(1, 0)).toEqual([0, 0]);
    expect(at(1, 1)).toEqual([1, 3]);
  });

  test('refusals', () => {
    const options = { interpolation_mode: 0, padding_mode: 0, align_corners: false };
    const refused = (a: ReturnType<typeof f32>, b: ReturnType<typeof f32>, why: string, attrs = options) =>
      expect(() => inferOp(GridSampler, { input: a, grid: b }, attrs)).toThrow(why);
    refused(f32(1, 3, 3), f32(1, 3, 2), 'input has shape [1, 3, 3], expected rank 4 or 5');
    refused(f32(1, 1, 3, 3), f32(2, 1, 3, 2), 'expected [N, C, …] with 2 axes and [N, …, 2]');
    refused(f32(1, 1, 3, 3), tensorType('f64', [1, 1, 3, 2]), 'expected one dtype');
    refused(f32(1, 1, 3, 0), f32(1, 1, 3, 2), 'expected non-empty axes');
    refused(f32(1, 1, 3, 3, 3), f32(1, 1, 1, 3, 3), 'bicubic', { ...options, interpolation_mode: 2 });
    refused(f32(1, 1, 3, 3), f32(1, 1, 3, 2), 'padding_mode', { ...options, padding_mode: 3 });
  });
});
