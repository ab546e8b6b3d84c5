import { dimText, Graph, hostTensor, tensorOf, tensorType } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { inferOp, pattern, rounded, runOp } from '../../test/run-op.js';
import { BatchNorm, NativeBatchNormLegitFunctional, NativeBatchNormLegitNoStats, NativeBatchNormLegitNoTraining } from './batch-norm.js';
import { GroupNorm, InstanceNorm, NativeGroupNorm } from './group-norm.js';
import { LayerNorm, NativeLayerNorm, RmsNorm } from './layer-norm.js';

const f32 = (...shape: Parameters<typeof tensorType>[1]) => tensorType('f32', shape);
const row = (...values: number[]) => tensorOf('f32', [values.length], values);

describe('layer norm', () => {
  const operands = { input: pattern([2, 3]), weight: row(1, 2, 3), bias: row(0, 1, 2) };
  const y = [-0.92582, 1, 4.77746, -0.92582, 1, 4.77746];

  test('with its statistics', () => {
    const results = runOp(NativeLayerNorm, operands, { normalized_shape: [3], eps: 0.5 });
    expect(results.map(rounded)).toEqual([y, [-1, 2], [0.92582, 0.92582]]);
    expect(results[1]!.shape).toEqual([2, 1]);
  });

  test('without', () => expect(runOp(LayerNorm, operands, { normalized_shape: [3], eps: 0.5 }).map(rounded)).toEqual([y]));

  test('over several axes, without parameters, in halves', () => {
    const [out, mean] = runOp(NativeLayerNorm, { input: tensorOf('bf16', [1, 2, 2], [1, 2, 3, 4]) }, { normalized_shape: [2, 2], eps: 0 });
    expect(mean).toEqual(tensorOf('bf16', [1, 1, 1], [2.5]));
    expect(out).toEqual(tensorOf('bf16', [1, 2, 2], [-1.341640786, -0.447213595, 0.447213595, 1.341640786]));
  });

  test('weight of f32 beside an input of halves', () =>
    expect(runOp(LayerNorm, { input: tensorOf('f16', [2], [-1, 1]), weight: row(2, 2) }, { normalized_shape: [2], eps: 0 })[0]).toEqual(
      tensorOf('f16', [2], [-2, 2]),
    ));

  test('a constant row with eps 0 is NaN, an empty one has mean 0', () => {
    expect([...runOp(LayerNorm, { input: row(3, 3) }, { normalized_shape: [2], eps: 0 })[0]!.data]).toEqual([NaN, NaN]);
    const [, mean, rstd] = runOp(NativeLayerNorm, { input: hostTensor('f32', [1, 0]) }, { normalized_shape: [0], eps: 1 });
    expect([mean!.data[0], rstd!.data[0]]).toEqual([0, NaN]);
  });

  test('symbolic sizes', () => {
    const graph = new Graph();
    const [n, c] = [graph.env.declare('n'), graph.env.declare('c', { min: 1 })];
    expect(
      inferOp(NativeLayerNorm, { input: f32(n, c) }, { normalized_shape: [c], eps: 1 }, graph).map((t) => t.shape.map(dimText).join()),
    ).toEqual(['n,c', 'n,1', 'n,1']);
  });

  test('refusals', () => {
    const refused = (operands: Parameters<typeof inferOp>[1], normalized_shape: number[], why: string) =>
      expect(() => inferOp(LayerNorm, operands, { normalized_shape })).toThrow(why);
    refused({ input: f32(2, 3) }, [2], 'input has shape [2, 3], expected it to end in normalized_shape [2]');
    refused({ input: f32(2, 3) }, [], 'normalized_shape is empty');
    refused({ input: f32(2, 3), weight: f32(1) }, [3], 'weight has shape [1], expected [3]');
    refused({ input: f32(2, 3), bias: tensorType('f64', [3]) }, [3], 'bias is f64, expected f32');
    refused({ input: tensorType('i64', [3]) }, [3], 'i64');
  });
});

describe('rms norm', () => {
  test('as torch', () =>
    expect(rounded(runOp(RmsNorm, { input: pattern([2, 3]), weight: row(1, 2, 3) }, { normalized_shape: [3], eps: 0.5 })[0])).toEqual([
      -1.358732, -1.358732, 0, 0.439941, 1.759765, 3.959472,
    ]));

  test('keeps the dtype of the input; eps defaults to the machine epsilon of f32, or f64', () => {
    const tiny = 2 ** -12;
    expect(runOp(RmsNorm, { input: tensorOf('bf16', [1], [tiny]), weight: row(1) }, { normalized_shape: [1] })[0]).toEqual(
      tensorOf('bf16', [1], [tiny / Math.sqrt(tiny ** 2 + 2 ** -23)]),
    );
    expect(runOp(RmsNorm, { input: tensorOf('f64', [1], [2 ** -26]) }, { normalized_shape: [1] })[0]!.data[0]).toBeCloseTo(
      Math.SQRT1_2,
      12,
    );
  });
});

describe('group and instance norm', () => {
  const operands = { input: pattern([1, 4, 2]), weight: row(1, 2, 3, 4), bias: row(0, 1, 2, 3) };
  const y = [-1.133893, -0.377964, 1.755929, 3.267787, 2.314486, 3.572427, 6.773826, -3.289709];

  test('of groups, with and without statistics', () => {
    const results = runOp(NativeGroupNorm, operands, { N: 1, C: 4, HxW: 2, group: 2, eps: 0.5 });
    expect(results.map(rounded)).toEqual([y, [-0.5, 1.75], [0.755929, 0.419314]]);
    expect(runOp(GroupNorm, operands, { num_groups: 2, eps: 0.5 }).map(rounded)).toEqual([y]);
  });

  test('of instances, from the input or from running statistics', () => {
    const input = pattern([1, 2, 3]);
    expect(rounded(runOp(InstanceNorm, { input, weight: row(1, 2) }, { use_input_stats: true, momentum: 0.1, eps: 0.5 })[0])).toEqual([
      -0.92582, 0, 0.92582, -1.85164, 0, 1.85164,
    ]);
    expect(
      rounded(
        runOp(
          InstanceNorm,
          { input, running_mean: row(0, 1), running_var: row(3, 8) },
          { use_input_stats: false, momentum: 0.1, eps: 1 },
        )[0],
      ),
    ).toEqual([-1, -0.5, 0, 0, 0.333333, 0.666667]);
    expect(() => inferOp(InstanceNorm, { input: f32(1, 2, 3) }, { use_input_stats: false, momentum: 0.1, eps: 1 })).toThrow(
      'expected running_mean and running_var',
    );
  });

  test('refusals', () => {
    expect(() => inferOp(GroupNorm, { input: f32(1, 4, 2) }, { num_groups: 3 })).toThrow(
      'input has [4] channels, expected a multiple of num_groups 3',
    );
    expect(() => inferOp(GroupNorm, { input: f32(4) }, { num_groups: 2 })).toThrow('expected at least 2 axes');
    expect(() => inferOp(NativeGroupNorm, { input: f32(1, 4, 2) }, { N: 1, C: 4, HxW: 3, group: 2, eps: 1 })).toThrow(
      'expected N·C·HxW = [12] elements',
    );
    expect(() => inferOp(NativeGroupNorm, { input: f32(1, 4, 2) }, { N: 1, C: 4, HxW: 2, group: 3, eps: 1 })).toThrow(
      'expected a multiple of group 3',
    );
  });
});

describe('batch norm', () => {
  const input = pattern([2, 2, 2]);
  const running = { running_mean: row(0.5, 1), running_var: row(1, 4) };
  const numbers = { momentum: 0.1, eps: 0.5 };
  const evaluated = [-1.041241, -0.224745, -1.942809, -1, 2.224745, 3.041241, 1.828427, -3.828427];
  const trained = [-1.147079, -0.688247, -0.329293, 0.109764, 0.688247, 1.147079, 1.426935, -1.207407];

  test('with running statistics', () => {
    const operands = { input, weight: row(1, 2), bias: row(1, -1), ...running };
    expect(rounded(runOp(BatchNorm, operands, { training: false, ...numbers })[0])).toEqual(evaluated);
    expect(runOp(NativeBatchNormLegitNoTraining, operands, numbers).map(rounded)).toEqual([evaluated, [], []]);
    expect(runOp(NativeBatchNormLegitFunctional, operands, { training: false, ...numbers }).map(rounded)).toEqual([
      evaluated,
      [],
      [],
      [0.5, 1],
      [1, 4],
    ]);
  });

  test('with the statistics of the batch, and the new running ones', () => {
    const statistics = [
      [0.5, 0.75],
      [0.458831, 0.439057],
    ];
    expect(rounded(runOp(BatchNorm, { input, ...running }, { training: true, ...numbers })[0])).toEqual(trained);
    expect(runOp(NativeBatchNormLegitNoStats, { input }, { training: true, ...numbers }).map(rounded)).toEqual([trained, ...statistics]);
    expect(runOp(NativeBatchNormLegitFunctional, { input, ...running }, { training: true, ...numbers }).map(rounded)).toEqual([
      trained,
      ...statistics,
      [0.5, 0.975],
      [1.466667, 4.225],
    ]);
  });

  test('an empty tensor stays empty, whatever its rank', () =>
    expect(runOp(BatchNorm, { input: hostTensor('f32', [0]) }, { training: true, ...numbers })[0]!.shape).toEqual([0]));

  test('refusals', () => {
    expect(() => inferOp(BatchNorm, { input: f32(2, 2) }, { training: false, ...numbers })).toThrow(
      'training is false, expected running_mean and running_var',
    );
    expect(() => inferOp(BatchNorm, { input: f32(2) }, { training: true, ...numbers })).toThrow('expected at least 2 axes');
    expect(() => inferOp(BatchNorm, { input: f32(2, 3), weight: f32(2) }, { training: true, ...numbers })).toThrow(
      'weight has shape [2], expected [3]',
    );
    expect(() => inferOp(NativeBatchNormLegitNoStats, { input: f32(2, 3) }, { training: false, ...numbers })).toThrow(
      'there are no running statistics',
    );
  });
});
