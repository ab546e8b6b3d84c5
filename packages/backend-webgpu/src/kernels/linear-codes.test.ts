import { runGraph } from '@qfuse/interp';
import { type HostTensor, tensorOf } from '@qfuse/plugin';
import { describe, expect, test } from 'vitest';
import { differingBits } from '../../test/compare-bits.js';
import { useDevice } from '../../test/device.js';
import { runGuarded } from '../../test/guarded.js';
import { integerLayer, type IntegerOptions, integerTargets } from '../../test/integer-layer.js';
import { compileProgram, planProgram } from '../compile.js';
import { portableTarget, withLimits } from '../target.js';
import { codesLinearKernels } from './linear-codes.js';

const gpu = useDevice('maximum');

const i8 = { qmin: -128, qmax: 127, dtype: 'i8' } as const;
const variants: readonly Omit<IntegerOptions, 'k' | 'n' | 'bits'>[] = [
  { zero: 'constant', output: { scale: 0.37, zero: -5, ...i8 } },
  {
    codes: 'u8',
    zero: 'constant',
    bias: 'constant',
    weightZeros: true,
    output: { scale: 0.11, zero: 128, qmin: 130, qmax: 250, dtype: 'u8' },
  },
  { bias: 'constant', output: { scale: 4, ...i8 } },
];

/** Runs a layer between guard bands; what is not the code that float64 gives. */
async function check(options: Omit<IntegerOptions, 'op'> & { readonly m: number }, target: string): Promise<string | undefined> {
  const { graph, inputs } = integerLayer({ ...options, op: 'codes' });
  const [y] = await runGuarded(gpu.device, graph, inputs, codesLinearKernels, integerTargets[target]!(gpu.device));
  return differingBits(y!, runGraph(graph, inputs).outputs[0]!);
}

describe.each([8, 4] as const)('%d bits', (bits) => {
  test.each([
    ['software', 1, 37, 20, 0],
    ['software, no dots', 5, 64, 18, 1],
    ['software', 3, 0, 6, 2],
    ['software', 6, 33, 5, 2],
    ['gpu', 1, 100, 21, 1],
    ['gpu', 3, 37, 20, 0],
    ['gpu', 9, 40, 70, bits === 8 ? 1 : 2],
  ] as const)('%s %d×%d×%d, variant %d', async (target, m, k, n, variant) => {
    expect(await check({ bits, m, k, n, ...variants[variant] }, target)).toBeUndefined();
  });
});

describe('ties', () => {
  // Scales are powers of two, so half of all results lie between two codes, exactly.
  const even = { bits: 8, k: 24, n: 12, zero: 'constant', inputZero: () => 3, weightScale: () => 0.5, inputScale: 0.25 } as const;

  test('go to the even code', async () => {
    for (const output of [
      { scale: 0.25, zero: 1, ...i8 },
      { scale: 128, zero: -7, ...i8 },
    ])
      for (const bias of [undefined, () => 64 * 0.125, () => -1000])
        expect(await check({ ...even, m: 40, bias: bias && 'constant', biasValue: bias, output }, 'software')).toBeUndefined();
  });

  test('are told from what is a part in 2^40 away', async () => {
    // With a scale like this D · m is k + ½ ± tiny for odd D; a product in f32 is k + ½ exactly.
    const near = (scale: number) => ({ ...even, m: 40, output: { scale, ...i8 } });
    for (const scale of [0.25 * (1 + 2 ** -23), 0.25 * (1 - 2 ** -24), 16 * (1 + 2 ** -23)])
      expect(await check(near(scale), 'software'), `scale ${scale}`).toBeUndefined();
    const large = { x: () => -128, weight: (n: number, k: number) => (k === 0 ? n : -128), inputZero: () => 127, k: 600 } as const;
    expect(
      await check({ ...even, ...large, m: 2, weightScale: (n) => 1 / (3 + n), output: { scale: 2 ** 14, ...i8 } }, 'software'),
    ).toBeUndefined();
  });

  test('are seen where a large bias takes most of the sum away', async () => {
    const bias = (n: number): number => -(2 ** 20) + n / 2;
    const options = {
      ...even,
      k: 8,
      x: () => 127,
      weight: () => 127,
      inputZero: () => -128,
      bias: 'constant',
      biasValue: bias,
      m: 3,
    } as const;
    for (const weightScale of [() => (2 ** 20 / (255 * 127 * 8)) * 4, (n: number) => ((2 ** 20 + n * 0.37) / (255 * 127 * 8)) * 4])
      expect(await check({ ...options, weightScale, output: { scale: 1, ...i8 } }, 'software')).toBeUndefined();
  });
});

test('a row has the same codes alone and in any batch', async () => {
  const options = { bits: 8, k: 40, n: 22, op: 'codes', ...variants[1] } as const;
  const { graph, inputs } = integerLayer(options, 70);
  const all = runGraph(graph, inputs).outputs[0]!.data as Uint8Array;
  for (const name of ['software', 'gpu']) {
    const program = await compileProgram(graph, { device: gpu.device, target: integerTargets[name]!(gpu.device) });
    const x = inputs[0]!.data as Uint8Array;
    const run = async (from: number, m: number): Promise<HostTensor> =>
      (await program.run([tensorOf('u8', [m, 40], x.slice(from * 40, (from + m) * 40))])).outputs[0]!;
    for (const [from, m] of [
      [0, 70],
      [69, 1],
      [3, 1],
      [5, 3],
      [0, 0],
      [1, 5],
      [2, 66],
    ] as const)
      expect((await run(from, m)).data, `rows ${from} … of ${m} on ${name}`).toEqual(all.slice(from * 22, (from + m) * 22));
    program.dispose();
  }
});

test('splits a weight that is larger than a binding, by rows', async () => {
  const target = withLimits(integerTargets['software']!(gpu.device), { maxStorageBufferBindingSize: 80 * 64 });
  const { graph, inputs } = integerLayer({ bits: 8, m: 3, k: 64, n: 150, op: 'codes', ...variants[0] });
  const [y] = await runGuarded(gpu.device, graph, inputs, codesLinearKernels, target);
  expect(differingBits(y!, runGraph(graph, inputs).outputs[0]!)).toBeUndefined();
});

test('packs rows that share words in a dispatch of its own', () => {
  const labels = (n: number): string[] =>
    planProgram(integerLayer({ bits: 8, m: 9, k: 64, n, op: 'codes', ...variants[0] }).graph, portableTarget).dispatches.map(
      (d) => d.dispatch,
    );
  expect(labels(64)).toEqual(['integer gemm 16×64']);
  expect(labels(63)).toEqual(['integer gemm 16×64', 'pack rows']);
});

test.each<[string, Partial<IntegerOptions>, RegExp]>([
  ['a scale that is computed', { scale: 'input' }, /input_scale is computed, expected a constant/],
  ['a bias that is computed', { bias: 'input' }, /bias is computed, expected a constant/],
  ['a zero point that is computed', { zero: 'input', zeroType: 'i32' }, /zero point is not known to be so small/],
  ['a zero point far away', { output: { scale: 1, zero: 2 ** 24, ...i8 } }, /the zero point of the result is 16777216/],
  ['steps that are far too small', { output: { scale: 1e-30, ...i8 } }, /column 0 may be .* steps of the result from its zero point/],
])('refuses %s', (_name, options, why) => {
  const { graph } = integerLayer({ bits: 8, m: 1, k: 8, n: 4, op: 'codes', ...variants[0], ...options });
  expect(() => planProgram(graph, portableTarget)).toThrow(why);
});
