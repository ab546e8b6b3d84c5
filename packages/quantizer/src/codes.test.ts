import { expect, test } from 'vitest';
import { codesOf, codesOfTensor } from './codes.js';
import { gridOf } from './grid.js';
import { affineMinMaxObserver, quantizeTensor } from './observers/index.js';
import type { Grid, SpecGranularity } from './observer.js';
import { errorOf, numbers, tensor } from './test-support.js';
import { constantOf, tensorOf } from '@qfuse/plugin';

const granularities: readonly SpecGranularity[] = [
  { kind: 'tensor' },
  { kind: 'axis', axis: 0 },
  { kind: 'axis', axis: 1 },
  { kind: 'axis', axis: -1 },
  { kind: 'group', axis: 1, size: 3 },
  { kind: 'group', axis: -1, size: 2 },
  { kind: 'row' },
];
const ranges = [
  ['i8', -128, 127],
  ['i8', -8, 7],
  ['u8', 0, 255],
  ['i4', -8, 7],
  ['i16', -32768, 32767],
] as const;
const grids = granularities.flatMap((granularity) =>
  ranges.flatMap(([dtype, qmin, qmax]) =>
    (['affine', 'symmetric'] as const).map((mapping): Grid => ({ dtype, qmin, qmax, mapping, granularity })),
  ),
);

test('codes are those of the reference, on every grid', () => {
  // Numbers beyond the observed range are clamped, and halves of steps are ties.
  const wide = Float32Array.from(numbers(240, 5), (x, i) => (i % 7 === 0 ? 4 * x : i % 5 === 0 ? Math.round(x * 256) / 512 : x));
  for (const grid of grids) {
    const observer = affineMinMaxObserver().create(grid);
    observer.observe(tensor([4, 6, 10], 3));
    const parameters = observer.qparams();
    expect(codesOfTensor(tensor([4, 6, 10], wide), parameters, grid)).toEqual(quantizeTensor(tensor([4, 6, 10], wide), parameters, grid));
  }
});

test('infinities are clamped, and other dtypes go by the reference', () => {
  const grid = grids[0]!;
  const parameters = { scale: tensor([], [0.5]), zeroPoint: tensorOf('i32', [], [3]) };
  const x = tensor([5], [Infinity, -Infinity, 0.25, 0.75, -1e30]);
  expect(Array.from(codesOfTensor(x, parameters, grid).data, Number)).toEqual([127, -128, 3, 5, -128]);
  const half = tensorOf('f16', [5], [1, 2, 3, 4, 5]);
  expect(codesOfTensor(half, parameters, grid)).toEqual(quantizeTensor(half, parameters, grid));
});

test('equal parameters give one constant, others another', async () => {
  const weight = constantOf(tensor([2, 3]));
  const grid = gridOf({ kind: 'fixed', dtype: 'i8', scale: 1, zeroPoint: 0 });
  const parameters = (scale: number) => ({ scale: tensor([], [scale]), zeroPoint: tensorOf('i32', [], [0]) });
  expect(codesOf(weight, parameters(0.5), grid)).toBe(codesOf(weight, parameters(0.5), grid));
  expect(codesOf(weight, parameters(0.25), grid)).not.toBe(codesOf(weight, parameters(0.5), grid));
  const wrong = { scale: tensor([3], [1, 2, 3]), zeroPoint: tensorOf('i32', [], [0]) };
  expect(await errorOf(() => codesOf(weight, wrong, grid))).toContain('quantizer/quantize: scale has shape [3], expected []');
});
