import { dimText, Graph, tensorOf, type TensorType, tensorType } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { inferOp, rounded, runOp } from '../../test/run-op.js';
import type { OpDefinition } from '../define.js';
import { Cat, Hstack, Stack } from './cat.js';
import { BroadcastTensors, Expand, ExpandAs } from './expand.js';
import { MeshgridIndexing } from './meshgrid.js';
import { ChannelShuffle, Flip, Roll } from './rearrange.js';
import { PixelShuffle } from './pixel-shuffle.js';
import { Repeat, RepeatInterleaveSelfInt, Tile } from './repeat.js';

const graph = new Graph();
const n = graph.env.declare('n', { min: 2 });
const m = graph.env.declare('m', { min: 2 });
const f32 = (...shape: TensorType['shape']): TensorType => tensorType('f32', shape);

const shapeOf = (op: OpDefinition, operands: Parameters<typeof inferOp>[1], attrs = {}): string =>
  inferOp(op, operands, attrs, graph)[0]!.shape.map(dimText).join(' ');

describe('symbolic sizes', () => {
  test.each([
    [Cat, { tensors: [f32(n, 3), f32(m, 3)] }, {}, 'm + n 3'],
    [Cat, { tensors: [f32(n, 3), f32(5, 3)] }, { dim: 1 }, '5 6'],
    [Cat, { tensors: [f32(0), f32(n, 3)] }, { dim: 1 }, 'n 3'],
    [Stack, { tensors: [f32(n), f32(n)] }, { dim: -1 }, 'n 2'],
    [Hstack, { tensors: [f32(n, 2), f32(n, m)] }, {}, 'n m + 2'],
    [Expand, { self: f32(1, 3) }, { size: [n, -1] }, 'n 3'],
    [Expand, { self: f32(n, 1) }, { size: [-1, m] }, 'n m'],
    [ExpandAs, { self: f32(1), other: f32(n, m) }, {}, 'n m'],
    [BroadcastTensors, { tensors: [f32(1, n), f32(m, 1)] }, {}, 'm n'],
    [MeshgridIndexing, { tensors: [f32(n), f32(m)] }, { indexing: 'xy' }, 'm n'],
    [PixelShuffle, { self: f32(n, 4, m, 3) }, { upscale_factor: 2 }, 'n 1 2*m 6'],
    [ChannelShuffle, { self: f32(n, 4, m) }, { groups: 2 }, 'n 4 m'],
    [Repeat, { self: f32(n) }, { repeats: [2, m] }, '2 m*n'],
    [Tile, { self: f32(n, 3) }, { dims: [2] }, 'n 6'],
    [RepeatInterleaveSelfInt, { self: f32(n, m) }, { repeats: 2 }, '2*m*n'],
    [Roll, { self: f32(n) }, { shifts: [m], dims: [0] }, 'n'],
  ] as const)('%#', (op, operands, attrs, wanted) => expect(shapeOf(op, operands, attrs)).toBe(wanted));
});

describe('refusals', () => {
  test.each([
    [Cat, { tensors: [] }, {}, 'tensors is an empty list'],
    [Cat, { tensors: [undefined] }, {}, 'entry 0 of tensors is None'],
    [Cat, { tensors: [f32()] }, {}, 'a 0-d tensor cannot be concatenated'],
    [Cat, { tensors: [f32(2, 3), f32(3, 2)] }, {}, 'shapes [2, 3] and [3, 2] cannot be joined along axis 0'],
    [Cat, { tensors: [f32(n, 3), f32(n, 4)] }, {}, 'shapes [n, 3] and [n, 4] cannot be joined along axis 0'],
    [Stack, { tensors: [f32(2), f32(3)] }, {}, 'shapes [2] and [3] differ'],
    [Expand, { self: f32(2, 3) }, { size: [3] }, 'it has more axes'],
    [Expand, { self: f32(2) }, { size: [3] }, 'only axes of size 1 expand, unlike axis 0'],
    [Expand, { self: f32(2) }, { size: [-1, 2] }, 'axis 0 is new, so -1 does not say its size'],
    [Flip, { self: f32(2) }, { dims: [0, -1] }, 'dims [0, -1] repeat one'],
    [Roll, { self: f32(2, 2) }, { shifts: [1, 1] }, 'shifts has 2 numbers and dims 0'],
    [Repeat, { self: f32(2, 3) }, { repeats: [2] }, 'expected a number for each of the 2 axes'],
    [PixelShuffle, { self: f32(3, 2, 2) }, { upscale_factor: 2 }, 'self has 3 channels, expected a multiple of upscale_factor² = 4'],
    [ChannelShuffle, { self: f32(1, 4, 2) }, { groups: 3 }, 'groups is 3, expected a divisor of the 4 channels'],
    [RepeatInterleaveSelfInt, { self: f32(2) }, { repeats: 2, output_size: 5 }, 'output_size is 5, expected 4'],
    [MeshgridIndexing, { tensors: [f32(2, 2)] }, { indexing: 'ij' }, 'a tensor has shape [2, 2], expected rank 0 or 1'],
  ] as const)('%#', (op, operands, attrs, why) => expect(() => shapeOf(op, operands, attrs)).toThrow(why));
});

test('a joined tensor is of the promoted dtype', () => {
  const [y] = runOp(Cat, { tensors: [tensorOf('i8', [2], [-1, 1]), tensorOf('u8', [1], [255]), tensorOf('bool', [1], [1])] });
  expect(y!.dtype).toBe('i16');
  expect(rounded(y)).toEqual([-1, 1, 255, 1]);
});
