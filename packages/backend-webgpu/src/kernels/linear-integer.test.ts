import { expect, test } from 'vitest';
import { useDevice } from '../../test/device.js';
import { runGuarded } from '../../test/guarded.js';
import { integerLayer, type IntegerOptions, integerSums, integerTargets, outsideBound } from '../../test/integer-layer.js';
import { runGraph } from '@qfuse/interp';
import { differingBits } from '../../test/compare-bits.js';
import { codesLinearKernels } from './linear-codes.js';
import { integerLinearKernels } from './linear-integer.js';

const gpu = useDevice('maximum');

const shapes: readonly (readonly [m: number, k: number, n: number, groupSize?: number])[] = [
  [1, 1, 1],
  [1, 37, 19],
  [5, 37, 19],
  [3, 300, 17, 100],
  [6, 40, 12, 8],
  [1, 96, 33, 32],
  [2, 64, 48, 32],
  [7, 20, 9, 4],
  [4, 35, 10, 7],
  [5, 36, 8, 12],
  [9, 33, 70, 11],
];

async function check(target: string, options: IntegerOptions): Promise<string[]> {
  const layer = integerLayer(options);
  const [y] = await runGuarded(gpu.device, layer.graph, layer.inputs, integerLinearKernels, integerTargets[target]!(gpu.device));
  return outsideBound(y!, integerSums(layer));
}

test.each(
  [8, 4].flatMap((bits) =>
    shapes
      .filter((x) => x[3]! > 5 && x[3]! % 4 !== 0)
      .flatMap((s) => ['software', 'software, no dots'].map((t) => ({ t, bits: bits as 4 | 8, s }))),
  ),
)('%j', async ({ t, bits, s: [m, k, n, groupSize] }) => {
  const base = { bits, m, k, n, groupSize, scale: 'input rows' } as const;
  expect(await check(t, base)).toEqual([]);
  expect(await check(t, { ...base, zero: 'input rows', zeroType: 'i8', bias: 'input' })).toEqual([]);
  expect(await check(t, { ...base, codes: 'u8', zero: 'constant', weightZeros: true, bias: 'constant' })).toEqual([]);
});

test.each(
  (
    [
      [1, 37, 20],
      [5, 64, 18],
      [3, 0, 6],
    ] as const
  ).flatMap(
    ([m, k, n]) =>
      [
        {
          m,
          k,
          n,
          bits: 8,
          op: 'codes',
          codes: 'i8',
          zero: 'constant',
          output: { scale: 0.37, zero: -5, qmin: -128, qmax: 127, dtype: 'i8' },
        },
        {
          m,
          k,
          n,
          bits: 8,
          op: 'codes',
          codes: 'u8',
          zero: 'constant',
          bias: 'constant',
          weightZeros: true,
          weightScale: () => 2 ** -10,
          output: { scale: 2, zero: 128, qmin: 130, qmax: 250, dtype: 'u8' },
        },
        { m, k, n, bits: 4, op: 'codes', codes: 'i8', bias: 'constant', output: { scale: 4, qmin: -128, qmax: 127, dtype: 'i8' } },
      ] as const,
  ),
)('codes %j', async (options) => {
  const layer = integerLayer(options);
  const [y] = await runGuarded(gpu.device, layer.graph, layer.inputs, codesLinearKernels, integerTargets['software']!(gpu.device));
  expect(differingBits(y!, runGraph(layer.graph, layer.inputs).outputs[0]!)).toBeUndefined();
});
