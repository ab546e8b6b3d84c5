import { fused } from '@qfuse/ops';
import { Editor, Graph, type HostTensor, tensorOf, tensorType } from '@qfuse/plugin';
import { describe, expect, test } from 'vitest';
import { useDevice } from '../../test/device.js';
import { checkIntegerLayer, integerLayer, type IntegerOptions, integerTargets, integerVariants } from '../../test/integer-layer.js';
import { compileProgram, planProgram } from '../compile.js';
import { portableTarget, type WebGPUTarget, withLimits } from '../target.js';

const gpu = useDevice('maximum');
const on = (name: string): WebGPUTarget => integerTargets[name]!(gpu.device);

const shapes: readonly (readonly [m: number, k: number, n: number, groupSize?: number])[] = [
  [1, 1, 1],
  [5, 37, 19],
  [3, 300, 17, 100],
  [6, 40, 12, 8],
  [1, 96, 33, 32],
  [4, 35, 10, 7],
  [5, 36, 8, 12],
  [1, 26, 5, 13],
  [2, 64, 48, 16],
];

describe.each([8, 4] as const)('%d bits', (bits) => {
  // Compiling takes a software adapter a moment for each of these; all variants of all forms are in the full suite.
  test.each(shapes.map((shape, i) => ({ shape, i })))('software %j', async ({ shape: [m, k, n, groupSize], i }) => {
    const target = on(i % 2 === 0 ? 'software' : 'software, no dots');
    const variant = integerVariants[(i + bits) % integerVariants.length]!;
    expect(await checkIntegerLayer(gpu.device, { bits, m, k, n, groupSize, ...variant }, target), JSON.stringify(variant)).toEqual([]);
  });

  test.each([
    { m: 1, k: 96, n: 33, groupSize: 32, variant: 1 },
    { m: 3, k: 300, n: 17, variant: 2 },
    { m: 9, k: 96, n: 70, groupSize: 32, variant: bits === 8 ? 4 : 1 },
  ])('gpu %j', async ({ variant, ...shape }) => {
    expect(await checkIntegerLayer(gpu.device, { bits, ...shape, ...integerVariants[variant] }, on('gpu'))).toEqual([]);
  });

  test('holds the extremes of integers', async () => {
    for (const [x, w, z] of [
      [-128, -(2 ** (bits - 1)), 127],
      [127, 2 ** (bits - 1) - 1, -128],
      [-128, 2 ** (bits - 1) - 1, -128],
    ] as const) {
      const ends = { x: () => x, weight: () => w, inputZero: () => z, zero: 'constant', scale: 'input rows' } as const;
      expect(await checkIntegerLayer(gpu.device, { bits, m: 2, k: 4000, n: 5, ...ends }, on('software'))).toEqual([]);
      expect(await checkIntegerLayer(gpu.device, { bits, m: 2, k: 96, n: 5, groupSize: 32, ...ends }, on('software'))).toEqual([]);
    }
  });
});

/** The rows `from` … of the inputs that have one for each row. */
const rowsOf = (inputs: readonly HostTensor[], from: number, count: number, all: number): HostTensor[] =>
  inputs.map((t) => {
    if (t.shape[0] !== all) return t;
    const width = t.data.length / all;
    return tensorOf(t.dtype, [count, ...t.shape.slice(1)], (t.data as Float32Array).slice(from * width, (from + count) * width) as never);
  });

test('a row has the same bits alone, in any batch, in every form, with and without integer dot products', async () => {
  const rows = 70;
  const options = {
    bits: 4,
    k: 352,
    n: 22,
    groupSize: 32,
    scale: 'input rows',
    zero: 'input rows',
    zeroType: 'i8',
    bias: 'constant',
  } as const;
  const { graph, inputs } = integerLayer(options, rows);
  let expected: Uint32Array | undefined;
  const bitsOf = ({ data }: HostTensor): Uint32Array => new Uint32Array(Float32Array.from(data as Float32Array).buffer);
  for (const name of ['software', 'software, no dots', 'gpu']) {
    const program = await compileProgram(graph, { device: gpu.device, target: on(name) });
    const run = async (from: number, count: number): Promise<Uint32Array> =>
      bitsOf((await program.run(rowsOf(inputs, from, count, rows))).outputs[0]!);
    expected ??= await run(0, rows);
    expect(await run(0, rows), name).toEqual(expected);
    for (const [from, count] of [
      ...Array.from({ length: rows }, (_, i) => [i, 1] as const),
      [3, 2],
      [7, 3],
      [66, 4],
      [5, 5],
      [2, 64],
      [4, 66],
    ] as const)
      expect(await run(from, count), `rows ${from} … of ${count} on ${name}`).toEqual(expected.slice(from * 22, (from + count) * 22));
    program.dispose();
  }
});

test('splits a weight that is larger than a binding, by rows', async () => {
  const target = withLimits(on('software'), { maxStorageBufferBindingSize: 64 * 64 });
  const options = { bits: 4, k: 128, n: 150, groupSize: 64, zero: 'constant', bias: 'constant', weightZeros: true } as const;
  expect(planProgram(integerLayer({ ...options, m: 5 }).graph, target).dispatches).toHaveLength(3);
  for (const m of [1, 5]) expect(await checkIntegerLayer(gpu.device, { ...options, m }, target)).toEqual([]);
});

test('has no rows, results without columns, inputs without K', async () => {
  for (const [m, k, n] of [
    [0, 8, 4],
    [3, 0, 5],
    [3, 8, 0],
  ] as const)
    for (const name of ['software', 'gpu'])
      expect(await checkIntegerLayer(gpu.device, { bits: 8, m, k, n, zero: 'constant', bias: 'constant' }, on(name))).toEqual([]);
});

test('leaves out forms that the row count rules out', () => {
  const labels = (options: Partial<IntegerOptions>): string[] =>
    planProgram(integerLayer({ bits: 4, k: 64, n: 16, ...options }, 1).graph, portableTarget).dispatches.map((d) => d.dispatch);
  expect(labels({ m: 1 })).toEqual(['integer gemv']);
  expect(labels({ m: 3, groupSize: 32 })).toEqual(['integer gemv 4 rows']);
  expect(labels({})).toEqual([
    'integer gemv',
    'integer gemv 4 rows',
    'integer gemm 16×64',
    'join',
    'integer gemm 32×64',
    'join',
    'integer gemm 64×64',
    'join',
  ]);
  expect(labels({ groupSize: 16 })).toEqual(['integer 1×4 tile', 'integer 4×4 tile']);
});

describe('zero points of the input of which nothing is known', () => {
  test('are exact within ±255, and within the bound beyond', async () => {
    for (const far of [200, -255, 256, 1e5, -3e6])
      expect(
        await checkIntegerLayer(
          gpu.device,
          { bits: 8, m: 3, k: 64, n: 8, scale: 'input rows', zero: 'input rows', zeroType: 'i32', inputZero: (m) => (m === 1 ? far : m) },
          on('software'),
        ),
      ).toEqual([]);
  });
});

test.each<[string, Partial<IntegerOptions>, RegExp]>([
  [
    'sums beyond 32 bits',
    { k: 70000, n: 1, zero: 'constant' },
    /70000 weights share a scale: their integer sums may be beyond 32 bits, expected at most \d+/,
  ],
  ['unknown zero points', { k: 50000, n: 1, zero: 'input' }, /expected at most 43804/],
  ['zero points that are floats', { k: 8, n: 1, zero: 'input', zeroType: 'f32' }, /zero point is computed in f32, expected integers/],
  [
    'a zero point between integers',
    { k: 8, n: 1, zero: 'constant', zeroType: 'f32', inputZero: () => 0.5 },
    /zero point is 0.5, expected an integer/,
  ],
])('refuses %s', (_name, options, why) => {
  expect(() => planProgram(integerLayer({ bits: 8, m: 1, k: 8, n: 1, ...options }).graph, portableTarget)).toThrow(why);
});

test('whether there are integer dot products is asked of the device', async () => {
  const program = await compileProgram(integerLayer({ bits: 8, m: 1, k: 8, n: 4 }).graph, { device: gpu.device });
  expect(program.target.languageFeatures).toEqual(['packed_4x8_integer_dot_product']);
  program.dispose();
});

test('refuses a weight that is computed', () => {
  const graph = new Graph();
  const edit = new Editor(graph);
  const operands = {
    input: edit.addInput('x', tensorType('i8', [2, 8])),
    input_scale: edit.addInput('xs', tensorType('f32', [])),
    weight: edit.addInput('w', tensorType('i8', [4, 8])),
    scales: edit.addInput('s', tensorType('f32', [4])),
  };
  edit.setOutputs(edit.create(fused.LinearDq8caQ8csw, operands).results);
  expect(() => planProgram(graph, portableTarget)).toThrow(/the weight is computed, expected a constant/);
});
