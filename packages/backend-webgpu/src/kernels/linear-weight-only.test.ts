import { fused } from '@qfuse/ops';
import { constantOf, Editor, type Graph, tensorOf, tensorType } from '@qfuse/plugin';
import { describe, expect, test } from 'vitest';
import { inputFor } from '../../test/compare.js';
import { useDevice } from '../../test/device.js';
import { runGuarded } from '../../test/guarded.js';
import {
  checkLayer,
  layer,
  type LayerOptions,
  type LayerShape,
  linearOp,
  outside,
  shapes,
  sumsOf,
  targets,
} from '../../test/packed-layer.js';
import { compileProgram, planProgram } from '../compile.js';
import { createTarget, portableTarget, withLimits } from '../target.js';
import { weightOnlyLinearKernels } from './linear-weight-only.js';

const gpu = useDevice('maximum');
const { error } = weightOnlyLinearKernels[0]!;
const on = (name: string) => targets[name]!(gpu.device);

describe.each([8, 4] as const)('%d bits', (bits) => {
  // Half of the shapes with zero points, the other half of them with the other width; all in the full suite.
  test.each(shapes.map((shape, i) => [(i + bits / 4) % 2 === 0, ...shape] as const))(
    'zero points: %s, %d×%d×%d, groups of %s',
    async (zeros, rows, k, n, groupSize) => {
      const bias = n % 2 === 1 ? 'input' : undefined;
      expect(await checkLayer(gpu.device, { bits, rows, k, n, groupSize, zeros, bias }, on('software'))).toEqual([]);
    },
  );
});

// Compiling the kernels of GPUs takes a software adapter seconds: here a few, each form and shape in the full suite.
test.each<[bits: 4 | 8, zeros: boolean, shape: LayerShape]>([
  [8, false, [1, 37, 19, undefined]],
  // So many rows that a thread takes two blocks of them.
  [4, true, [1, 96, 3090, 32]],
  [4, false, [3, 40, 17, 8]],
  [8, true, [7, 66, 70, undefined]],
  [4, false, [20, 260, 70, 20]],
])('on a GPU, %d bits, zero points: %s, %j', async (bits, zeros, [rows, k, n, groupSize]) => {
  expect(await checkLayer(gpu.device, { bits, rows, k, n, groupSize, zeros, bias: 'input' }, on('gpu, 16 KiB'))).toEqual([]);
});

describe('numbers', () => {
  const k = 64;
  const rows = 6;
  const x = (f: (m: number, i: number) => number) =>
    tensorOf(
      'f32',
      [rows, k],
      Array.from({ length: rows * k }, (_, i) => f(Math.floor(i / k), i % k)),
    );
  const patterns: Readonly<Record<string, readonly [weight: LayerOptions['weight'], x: ReturnType<typeof x>]>> = {
    'smallest and largest integers': [(n, i) => ((n + i) % 2 === 0 ? -8 : 7), x((m, i) => (i % 2 === 0 ? 1 : -1) * (m + 1))],
    'zero rows of weights and inputs': [(n) => (n % 2 === 0 ? 0 : 5), x((m, i) => (m % 2 === 0 ? 0 : i))],
    'one spike': [(n, i) => (i === n % k ? -8 : 0), x((m, i) => (i === 63 - m ? 1e6 : 1e-6))],
    'nearly cancelling sums': [() => 7, x((_m, i) => (i % 2 === 0 ? 1 : -1) * (1 + i * 1e-7))],
    'huge inputs': [undefined, x((m, i) => (m % 2 === 0 ? 1 : -1) * 1e33 * (1 + i))],
    'subnormal inputs': [undefined, x((m, i) => (i - 30) * 1e-40 * (m + 1))],
    'negative zeros': [undefined, x(() => -0)],
  };
  test.each(Object.entries(patterns))('%s', async (_name, [weight, inputs]) => {
    for (const bits of [8, 4] as const)
      for (const [groupSize, zeros] of [
        [undefined, false],
        [32, true],
        [8, false],
      ] as const)
        expect(
          await checkLayer(gpu.device, { bits, rows, k, n: 9, groupSize, zeros, weight }, on('software'), inputs),
          `${bits} bits, groups of ${groupSize}`,
        ).toEqual([]);
  });

  test('the edges of 8 bits', async () => {
    const weight = (n: number, i: number): number => (n === 0 ? -128 : n === 1 ? 127 : ((i * 5 + n) % 256) - 128);
    for (const zeros of [false, 'i16'] as const)
      expect(await checkLayer(gpu.device, { bits: 8, rows, k, n: 20, groupSize: 16, zeros, weight }, on('software'))).toEqual([]);
  });

  test('zero, infinite and NaN rows stay apart', async () => {
    for (const bits of [8, 4] as const) {
      const graph = layer({ bits, k: 37, n: 9, rows: 6 });
      const input = inputFor(graph.inputs[0]!, [6, 37], 5);
      const data = input.data as Float32Array;
      data.fill(0, 0, 37);
      data[2 * 37 + 1] = Number.POSITIVE_INFINITY;
      data[4 * 37 + 36] = Number.NaN;
      const [result] = await runGuarded(gpu.device, graph, [input], weightOnlyLinearKernels, on('software'));
      const y = result!.data as Float32Array;
      expect(y.subarray(0, 9).every((v) => v === 0)).toBe(true);
      expect([1, 3, 5].every((row) => y.subarray(row * 9, row * 9 + 9).every(Number.isFinite))).toBe(true);
      expect(y.subarray(4 * 9, 5 * 9).every(Number.isNaN)).toBe(true);
    }
  });

  test('rows and columns in another order give the same results in that order, bit for bit, in every run', async () => {
    const [n, length] = [19, 45];
    const order = Array.from({ length: n }, (_, i) => (i * 7) % n);
    const weight = (row: number, i: number): number => ((row * 13 + i * 5) % 15) - 7;
    const run = async (f: (row: number) => number, flip: boolean) => {
      const graph = layer({ bits: 4, k: length, n, rows: 5, weight: (row, i) => weight(f(row), i), scales: 'f32' });
      const given = inputFor(graph.inputs[0]!, [5, length], 3);
      const rowsOf = Array.from({ length: 5 }, (_, m) => (given.data as Float32Array).slice(m * length, (m + 1) * length));
      const flat = Float32Array.from((flip ? rowsOf.toReversed() : rowsOf).flatMap((r) => [...r]));
      const constant = { ...given, data: flat };
      return (await runGuarded(gpu.device, sameScales(graph), [constant], weightOnlyLinearKernels, on('software')))[0]!
        .data as Float32Array;
    };
    const plain = await run((row) => row, false);
    expect(await run((row) => row, false)).toEqual(plain);
    const turned = await run((row) => order[row]!, true);
    for (let m = 0; m < 5; m++) for (let c = 0; c < n; c++) expect(turned[m * n + c]).toBe(plain[(4 - m) * n + order[c]!]);
  });
});

/** The layer with scale 1 in every channel. */
function sameScales(graph: Graph): Graph {
  const edit = new Editor(graph);
  const [node] = graph.nodes();
  const [n] = node!.operand('weight').type.shape as [number, number];
  const scales = edit.addConstant('ones', 'parameter', constantOf(tensorOf('f32', [n], new Array<number>(n).fill(1))));
  const again = edit.create(
    node!.op as typeof fused.LinearQcs4w,
    {
      input: node!.operand('input'),
      weight: node!.operand('weight'),
      scales,
    } as never,
  );
  edit.setOutputs(again.results);
  return graph;
}

test('takes any number of rows without compiling again', async () => {
  for (const [bits, groupSize] of [
    [8, undefined],
    [4, 20],
  ] as const) {
    const graph = layer({ bits, k: 40, n: 24, groupSize });
    const program = await compileProgram(graph, { device: gpu.device, target: on('software') });
    const all = inputFor(graph.inputs[0]!, [70, 40], 3);
    for (const m of [1, 3, 0, 7, 70, 2]) {
      const part = tensorOf('f32', [m, 40], (all.data as Float32Array).subarray(0, m * 40));
      const [y] = (await program.run([part])).outputs;
      expect(outside(y!, sumsOf(graph, [part]), 40, error).wrong, `${m} rows`).toEqual([]);
    }
    program.dispose();
  }
});

test.each([8, 4] as const)('a weight of %d bits that is larger than a binding is split by rows', async (bits) => {
  const target = withLimits(createTarget(gpu.device), { maxStorageBufferBindingSize: 64 * 64 });
  const k = bits === 8 ? 64 : 128;
  for (const groupSize of [undefined, 32]) {
    const options = { bits, k, n: 150, groupSize, zeros: true, bias: 'f32' } as const;
    const plan = planProgram(layer(options), target, { sizes: { m: 5 } });
    expect(plan.dispatches.filter((d) => d.grid![0] > 0)).toHaveLength(3);
    for (const rows of [1, 5]) expect(await checkLayer(gpu.device, { ...options, rows }, target)).toEqual([]);
  }
});

test('many scales a row split a weight too', () => {
  const target = withLimits(portableTarget, { maxStorageBufferBindingSize: 64 * 64 * 4 });
  // 64 weights of 4 bits are 32 bytes a row, their 64 scales 256.
  const plan = planProgram(layer({ bits: 4, k: 64, n: 128, groupSize: 1, rows: 1 }), target);
  expect(plan.dispatches).toHaveLength(2);
});

test('kernels that the row count rules out are left out', () => {
  const labels = (rows?: number, k = 32) =>
    planProgram(layer({ bits: 4, k, n: 16, rows }), portableTarget).dispatches.map((d) => d.dispatch);
  expect(labels(1)).toEqual(['gemv']);
  expect(labels(3)).toEqual(['gemv 4 rows']);
  expect(labels(5)).toEqual(['gemm 16×64']);
  expect(labels(5, 1024)).toEqual(['gemm 16×64', 'parts of K']);
  expect(labels(65)).toEqual(['gemm 64×64']);
  expect(labels()).toEqual(['gemv', 'gemv 4 rows', 'gemm 16×64', 'parts of K', 'gemm 32×64', 'parts of K', 'gemm 64×64', 'parts of K']);
});

test('scales and biases of any float dtype', async () => {
  for (const scales of ['f64', 'f16', 'bf16'] as const)
    expect(await checkLayer(gpu.device, { bits: 8, k: 16, n: 9, rows: 2, scales, bias: 'f16' }, on('software'))).toEqual([]);
});

test('results without columns, inputs without K', async () => {
  for (const [k, n] of [
    [0, 5],
    [8, 0],
  ] as const)
    for (const groupSize of [undefined, 8])
      expect(await checkLayer(gpu.device, { bits: 4, k, n, rows: 3, groupSize, zeros: true, bias: 'input' }, on('gpu, 16 KiB'))).toEqual(
        [],
      );
});

describe('refusals', () => {
  const graphWith = (given: Readonly<Record<string, 'input' | 'far'>>): Graph => {
    const graph = layer({ bits: 8, k: 8, n: 4, rows: 2, zeros: 'i64' });
    const edit = new Editor(graph);
    const [node] = graph.nodes();
    const operands = Object.fromEntries(
      ['input', 'weight', 'scales', 'bias', 'zero_points'].map((name) => {
        const value = node!.operandOrNone(name as never);
        if (given[name] === 'input') return [name, edit.addInput(`${name}_in`, value!.type)];
        const far = constantOf(tensorOf('i64', [4], [0, 1 << 23, 0, 0]));
        return [name, given[name] === 'far' ? edit.addConstant('far', 'constant', far) : value];
      }),
    );
    edit.setOutputs(edit.create(linearOp({ bits: 8, groupSize: undefined }), operands as never).results);
    return graph;
  };

  test.each([
    [{ weight: 'input' }, /the weight is computed, expected a constant/],
    [{ scales: 'input' }, /the scales are computed, expected a constant/],
    [{ zero_points: 'far' }, /the weight has the zero point 8388608, expected at most/],
  ] as const)('%j', (given, message) => {
    expect(() => planProgram(graphWith(given), portableTarget)).toThrow(message);
  });

  test('computed zero points', () => {
    // Of a dtype that buffers hold, so that it is the kernel that refuses.
    const graph = layer({ bits: 8, k: 8, n: 4, rows: 2 });
    const edit = new Editor(graph);
    const [node] = graph.nodes();
    const zero_points = edit.addInput('z', tensorType('i32', [4]));
    const [input, weight, scales] = [node!.operand('input'), node!.operand('weight'), node!.operand('scales')];
    edit.setOutputs(edit.create(fused.LinearQcs8w, { input, weight, scales, zero_points }).results);
    expect(() => planProgram(graph, portableTarget)).toThrow(/the zero points are computed, expected a constant/);
  });
});

test('a shared weight is packed once', () => {
  const graph = layer({ bits: 8, k: 32, n: 16, rows: 4 });
  const edit = new Editor(graph);
  const [w, s] = [graph.named('w')!, graph.named('s')!];
  const again = edit.create(fused.LinearQcs8w, { input: graph.inputs[0]!, weight: w, scales: s });
  edit.setOutputs([...graph.outputs, again.result]);
  const plan = planProgram(graph, portableTarget);
  expect(plan.dispatches).toHaveLength(2);
  expect(plan.constantBytes).toBe(16 * 32 + 16 * 4);
});
