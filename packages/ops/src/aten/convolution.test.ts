import { type AttrRecord, dimText, Graph, hostTensor, QfuseError, tensorOf, tensorType } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { inferOp, pattern, rounded, runOp } from '../../test/run-op.js';
import {
  Conv1d,
  Conv1dPadding,
  Conv2d,
  Conv2dPadding,
  Conv3d,
  ConvTranspose1d,
  ConvTranspose2dInput,
  ConvTranspose3dInput,
  Convolution,
} from './convolution.js';

const f32 = (...shape: Parameters<typeof tensorType>[1]) => tensorType('f32', shape);

describe('convolutions as torch computes them', () => {
  test('stride, padding and bias', () => {
    const [y] = runOp(
      Conv2d,
      { input: pattern([1, 2, 4, 3]), weight: pattern([2, 2, 3, 2], 5), bias: tensorOf('f32', [2], [1, -1]) },
      { stride: [2, 1], padding: [1, 0] },
    );
    expect(y!.shape).toEqual([1, 2, 2, 2]);
    expect(rounded(y)).toEqual([11, -2, 7, 4, -14, -10, 4, -9]);
  });

  test('dilation and groups', () => {
    const [y] = runOp(Conv2d, { input: pattern([1, 2, 5, 4]), weight: pattern([4, 1, 2, 2], 5) }, { dilation: [2], groups: 2 });
    expect(y!.shape).toEqual([1, 4, 3, 2]);
    expect(rounded(y)).toEqual([5, 3, -10, -5, 3, 1, -3, -4, -7, 6, -4, -5, 6, -1, -1, 6, -1, -1, -5, -4, -1, 14, -4, -3]);
  });

  test('three axes', () =>
    expect(rounded(runOp(Conv3d, { input: pattern([1, 1, 2, 3, 2]), weight: pattern([1, 1, 2, 2, 1], 5) })[0])).toEqual([3, 1, -1, -3]));

  test('padding "same" puts an odd position after', () => {
    expect(rounded(runOp(Conv1dPadding, { input: pattern([1, 1, 5]), weight: pattern([1, 1, 4], 5) }, { padding: 'same' })[0])).toEqual([
      2, 6, 4, -1, -4,
    ]);
    expect(
      rounded(runOp(Conv1dPadding, { input: pattern([1, 1, 5]), weight: pattern([1, 1, 2], 5) }, { padding: 'same', dilation: [2] })[0]),
    ).toEqual([1, 4, 1, -2, -2]);
  });

  test('padding by name in terms of other ops', () => {
    for (const [padding, kernel] of [
      ['same', [2, 3]],
      ['same', [3, 3]],
      ['valid', [2, 2]],
    ] as const) {
      const operands = { input: pattern([1, 2, 4, 5]), weight: pattern([3, 2, ...kernel], 5) };
      expect(runOp(Conv2dPadding, operands, { padding }, 'decompose')).toEqual(runOp(Conv2dPadding, operands, { padding }));
    }
  });

  test('transposed: stride, padding, output padding', () => {
    const operands = { input: pattern([1, 2, 3]), weight: pattern([2, 1, 3], 5), bias: tensorOf('f32', [1], [10]) };
    expect(rounded(runOp(ConvTranspose1d, operands, { stride: [2], padding: [1], output_padding: [1] })[0])).toEqual([
      14, 12, 15, 9, 16, 4,
    ]);
  });

  test('transposed: groups and dilation', () => {
    const [y] = runOp(
      ConvTranspose2dInput,
      { input: pattern([1, 2, 2, 2]), weight: pattern([2, 1, 2, 2], 5) },
      { stride: [2, 1], groups: 2, dilation: [1, 2] },
    );
    expect(rounded(y)).toEqual([4, 2, 2, 1, 0, 0, -2, -1, 0, -2, 0, -1, 0, 0, 0, 1, 4, 6, -4, -6, -2, -3, 0, 0, 8, -4, -8, 4, -4, 2, 0, 0]);
  });
});

test('without a batch axis the result has none', () => {
  const weight = pattern([2, 1, 2], 5);
  const [batched] = runOp(Conv1d, { input: pattern([1, 1, 5]), weight });
  const [alone] = runOp(Conv1d, { input: pattern([1, 5]), weight });
  expect(alone!.shape).toEqual([2, 4]);
  expect(alone!.data).toEqual(batched!.data);
  expect(runOp(ConvTranspose1d, { input: pattern([2, 5]), weight })[0]!.shape).toEqual([1, 6]);
});

test('an empty batch stays empty, no channels make zeros', () => {
  expect(runOp(Conv1d, { input: hostTensor('f32', [0, 1, 5]), weight: pattern([2, 1, 2]) })[0]!.shape).toEqual([0, 2, 4]);
  expect(
    rounded(
      runOp(Conv1d, { input: hostTensor('f32', [1, 0, 3]), weight: hostTensor('f32', [1, 0, 2]), bias: tensorOf('f32', [1], [3]) })[0],
    ),
  ).toEqual([3, 3]);
});

test('integers are exact and wrap', () => {
  const input = tensorOf('i64', [1, 1, 2], [2n ** 62n, 3n]);
  expect([...runOp(Conv1d, { input, weight: tensorOf('i64', [1, 1, 2], [2n, 1n]) })[0]!.data]).toEqual([-(2n ** 63n) + 3n]);
  expect([...runOp(ConvTranspose1d, { input, weight: tensorOf('i64', [1, 1, 1], [2n]) })[0]!.data]).toEqual([-(2n ** 63n), 6n]);
  expect([...runOp(Conv1d, { input: tensorOf('i8', [1, 1, 2], [100, 100]), weight: tensorOf('i8', [1, 1, 2], [1, 1]) })[0]!.data]).toEqual([
    -56,
  ]);
});

test('halves are rounded once', () => {
  const [y] = runOp(Conv1d, { input: tensorOf('f16', [1, 1, 3], [1, 2 ** -11, 2 ** -11]), weight: tensorOf('f16', [1, 1, 3], [1, 1, 1]) });
  expect([...y!.data]).toEqual([1 + 2 ** -10]);
});

test('symbolic sizes', () => {
  const graph = new Graph();
  const n = graph.env.declare('n', { min: 1 });
  const h = graph.env.declare('h', { min: 8 });
  const shapeOf = (...args: Parameters<typeof inferOp>) => inferOp(args[0], args[1], args[2], graph)[0]!.shape.map(dimText);
  expect(shapeOf(Conv2d, { input: f32(n, 3, h, 8), weight: f32(4, 3, 3, 3) }, { stride: [2], padding: [1] })).toEqual([
    'n',
    '4',
    'floordiv(h - 1, 2) + 1',
    '4',
  ]);
});

test('symbolic sizes of padded and transposed ones', () => {
  const graph = new Graph();
  const h = graph.env.declare('h', { min: 8 });
  const [same] = inferOp(Conv2dPadding, { input: f32(1, 1, h, 8), weight: f32(1, 1, 4, 3) }, { padding: 'same' }, graph);
  expect(same!.shape.map(dimText)).toEqual(['1', '1', 'h', '8']);
  const [up] = inferOp(ConvTranspose1d, { input: f32(1, 1, graph.env.declare('l', { min: 1 })), weight: f32(1, 1, 2) }, { stride: [2] });
  expect(up!.shape.map(dimText)).toEqual(['1', '1', '2*l']);
});

describe('refusals', () => {
  test.each([
    ['weight', { input: f32(1, 1, 5), weight: f32(1, 1) }, {}, 'weight has shape [1, 1], expected rank 3'],
    ['rank', { input: f32(5), weight: f32(1, 1, 2) }, {}, 'input has shape [5], expected rank 2 (no batch axis) or 3'],
    ['channels', { input: f32(1, 3, 5), weight: f32(1, 2, 2) }, {}, 'input has [3] channels, expected [2]'],
    ['groups', { input: f32(1, 4, 5), weight: f32(3, 2, 2) }, { groups: 2 }, 'weight makes [3] channels, expected a multiple of groups 2'],
    ['bias', { input: f32(1, 1, 5), weight: f32(3, 1, 2), bias: f32(1) }, {}, 'bias has shape [1], expected [3]'],
    ['dtypes', { input: f32(1, 1, 5), weight: tensorType('f64', [3, 1, 2]) }, {}, 'operands have dtypes f32, f64, expected one dtype'],
    ['bool', { input: tensorType('bool', [1, 1, 5]), weight: tensorType('bool', [1, 1, 2]) }, {}, 'operands are bool'],
    ['kernel', { input: f32(1, 1, 2), weight: f32(1, 1, 3) }, {}, 'a window that spans [3] does not fit an axis of size [2]'],
    ['stride', { input: f32(1, 1, 5), weight: f32(1, 1, 2) }, { stride: [0] }, 'stride is [0], expected numbers of at least 1'],
    ['padding', { input: f32(1, 1, 5), weight: f32(1, 1, 2) }, { padding: [-1] }, 'padding is [-1], expected numbers of at least 0'],
    ['list', { input: f32(1, 1, 5), weight: f32(1, 1, 2) }, { stride: [1, 1] }, 'stride is [1, 1], expected 1 or 1 numbers'],
    ['outs', { input: f32(1, 1, 5), weight: f32(0, 1, 2) }, {}, 'expected at least one output channel'],
  ] as const)('%s', (_, operands, attrs, why) => expect(() => inferOp(Conv1d, operands, attrs)).toThrow(why));

  test('of a strided "same"', () =>
    expect(() => inferOp(Conv1dPadding, { input: f32(1, 1, 5), weight: f32(1, 1, 2) }, { padding: 'same', stride: [2] })).toThrow(
      'only defined for stride 1',
    ));

  test('of transposed ones', () => {
    const input = f32(1, 2, 1, 1, 1);
    const refused = (weight: readonly number[], attrs: AttrRecord, why: string) =>
      expect(() => inferOp(ConvTranspose3dInput, { input, weight: f32(...weight) }, attrs)).toThrow(why);
    refused([3, 1, 1, 1, 1], {}, 'input has [2] channels, expected [3]');
    refused([2, 1, 1, 1, 1], { groups: 4 }, 'expected a multiple of groups 4');
    refused([2, 1, 1, 1, 1], { output_padding: [1, 1, 1] }, 'expected less than stride or dilation');
    refused([2, 1, 1, 1, 1], { padding: [1, 1, 1] }, 'the result would have size [-1]');
    expect(() =>
      inferOp(
        Convolution,
        { input: f32(1, 1), weight: f32(1, 1) },
        { stride: [1], padding: [0], dilation: [1], transposed: false, output_padding: [0], groups: 1 },
      ),
    ).toThrow(QfuseError);
  });
});
