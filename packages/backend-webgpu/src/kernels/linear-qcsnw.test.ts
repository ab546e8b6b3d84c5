import { fused } from '@qfuse/ops';
import { constantOf, Editor, Graph, symbol, tensorOf, tensorType } from '@qfuse/plugin';
import { describe, expect, test } from 'vitest';
import { compileProgram, planProgram } from '../compile.js';
import { createTarget, portableTarget, type WebGPUTarget, withLimits } from '../target.js';
import { difference, differences, inputFor, randomNumbers } from '../../test/compare.js';
import { useDevice } from '../../test/device.js';
import { linearQcsKernels } from './linear-qcsnw.js';

const gpu = useDevice('maximum');
const bound = linearQcsKernels[0]!.error;
const targets: Record<string, (device: GPUDevice) => WebGPUTarget> = {
  software: (device) => createTarget(device),
  // The kernels of real GPUs, on the adapter at hand.
  'gpu, 16 KiB': (device) => ({ ...withLimits(createTarget(device), portableTarget.limits), software: false }),
  'gpu, 32 KiB': (device) => ({ ...createTarget(device), software: false }),
};

/** A graph with one fused linear layer; weights over the whole range of their dtype. */
function layer(bits: 4 | 8, k: number, n: number, options: { bias?: boolean; rows?: number; scales?: 'f32' | 'f64' } = {}): Graph {
  const graph = new Graph('layer');
  const edit = new Editor(graph);
  const m = options.rows ?? symbol('m');
  const next = randomNumbers(k * 1000 + n);
  const half = 2 ** (bits - 1);
  const weight = tensorOf(
    bits === 8 ? 'i8' : 'i4',
    [n, k],
    Array.from({ length: n * k }, (_, i) => (i % 7 === 0 ? -half : Math.floor(next() * half))),
  );
  const scales = tensorOf(
    options.scales ?? 'f32',
    [n],
    Array.from({ length: n }, () => Math.fround((next() + 1.5) / half)),
  );
  const input = edit.addInput('x', tensorType('f32', [m, k]));
  const operands = {
    input,
    weight: edit.addConstant('w', 'parameter', constantOf(weight)),
    scales: edit.addConstant('s', 'parameter', constantOf(scales)),
    bias: options.bias === true ? edit.addInput('b', tensorType('f32', [n])) : undefined,
  };
  edit.setOutputs(edit.create(bits === 8 ? fused.LinearQcs8w : fused.LinearQcs4w, operands as never).results);
  return graph;
}

const shapes: readonly (readonly [m: number, k: number, n: number])[] = [
  [1, 1, 1],
  [1, 37, 19],
  [2, 64, 48],
  [5, 37, 19],
  [9, 33, 70],
  [3, 300, 17],
  [130, 32, 65],
];

describe.each([8, 4] as const)('fused.linear_qcs%dw', (bits) => {
  // Compiling the kernels of GPUs takes a software adapter seconds: here each once, all shapes in the full suite.
  test.each([
    ...shapes.map((shape) => ['software', ...shape] as const),
    ['gpu, 16 KiB', 1, 37, 19] as const,
    ['gpu, 16 KiB', 3, 300, 17] as const,
    ['gpu, 16 KiB', 70, 33, 70] as const,
    ...(bits === 4 ? [['gpu, 32 KiB', 130, 37, 65] as const] : []),
  ])('%s %d×%d×%d', async (name, m, k, n) => {
    const graph = layer(bits, k, n, { bias: n % 2 === 1, rows: m });
    const inputs = graph.inputs.map((v, i) => inputFor(v, i === 0 ? [m, k] : [n], i + m));
    expect(await differences(gpu.device, graph, inputs, bound, targets[name]!(gpu.device))).toEqual([]);
  });

  test('takes any number of rows without compiling again', async () => {
    const graph = layer(bits, 40, 24);
    for (const name of ['software']) {
      const program = await compileProgram(graph, { device: gpu.device, target: targets[name]!(gpu.device) });
      const all = inputFor(graph.inputs[0]!, [70, 40], 3);
      const whole = (await program.run([all])).outputs[0]!.data as Float32Array;
      for (const m of [1, 3, 0, 7, 70, 2]) {
        const [part] = (await program.run([tensorOf('f32', [m, 40], (all.data as Float32Array).subarray(0, m * 40))])).outputs;
        const expected = tensorOf('f32', [m, 24], whole.subarray(0, m * 24));
        expect(difference(part!, expected, bound), `${m} rows on ${name}`).toBeUndefined();
      }
      program.dispose();
    }
  });

  test('splits a weight that is larger than a binding, by rows', async () => {
    const target = withLimits(createTarget(gpu.device), { maxStorageBufferBindingSize: 64 * 64 });
    const k = bits === 8 ? 64 : 128;
    const graph = layer(bits, k, 150, { bias: true });
    expect(planProgram(graph, target, { sizes: { m: 5 } }).dispatches.filter((d) => d.grid![0] > 0)).toHaveLength(3);
    for (const m of [1, 5])
      expect(
        await differences(gpu.device, graph, [inputFor(graph.inputs[0]!, [m, k], 1), inputFor(graph.inputs[1]!, [150], 2)], bound, target),
      ).toEqual([]);
  });

  test('keeps zero, infinite and NaN rows apart', async () => {
    const graph = layer(bits, 37, 9);
    const x = inputFor(graph.inputs[0]!, [6, 37], 5);
    const data = x.data as Float32Array;
    data.fill(0, 0, 37);
    data[2 * 37 + 1] = Number.POSITIVE_INFINITY;
    data[4 * 37 + 36] = Number.NaN;
    for (const name of ['software']) {
      const program = await compileProgram(graph, { device: gpu.device, target: targets[name]!(gpu.device) });
      const y = (await program.run([x])).outputs[0]!.data as Float32Array;
      expect(y.subarray(0, 9).every((v) => v === 0)).toBe(true);
      expect([1, 3, 5].every((row) => y.subarray(row * 9, row * 9 + 9).every(Number.isFinite))).toBe(true);
      expect(y.subarray(4 * 9, 5 * 9).every(Number.isNaN)).toBe(true);
      program.dispose();
    }
  });

  test('leaves out kernels that the row count rules out', () => {
    const labels = (rows?: number) =>
      planProgram(layer(bits, 32, 16, { ...(rows !== undefined && { rows }) }), portableTarget).dispatches.map((d) => d.dispatch);
    expect(labels(1)).toEqual(['gemv']);
    expect(labels(3)).toEqual(['gemv 4 rows']);
    expect(labels(5)).toEqual(['gemm 64×64']);
    expect(labels()).toEqual(['gemv', 'gemv 4 rows', 'gemm 64×64']);
  });

  test('takes scales of any float dtype', async () => {
    const graph = layer(bits, 16, 8, { scales: 'f64' });
    expect(await differences(gpu.device, graph, [inputFor(graph.inputs[0]!, [2, 16], 1)], bound)).toEqual([]);
  });

  test('has results without columns, inputs without K', async () => {
    for (const [k, n] of [
      [0, 5],
      [8, 0],
    ] as const) {
      const graph = layer(bits, k, n);
      expect(await differences(gpu.device, graph, [inputFor(graph.inputs[0]!, [3, k], 1)], bound)).toEqual([]);
    }
  });

  test('refuses a weight that is computed', () => {
    const graph = new Graph();
    const edit = new Editor(graph);
    const operands = {
      input: edit.addInput('x', tensorType('f32', [2, 8])),
      weight: edit.addInput('w', tensorType(bits === 8 ? 'i8' : 'i4', [4, 8])),
      scales: edit.addInput('s', tensorType('f32', [4])),
    };
    edit.setOutputs(edit.create(bits === 8 ? fused.LinearQcs8w : fused.LinearQcs4w, operands as never).results);
    expect(() => planProgram(graph, portableTarget)).toThrow(/the weight is computed, expected a constant/);
  });
});

test('packs a shared weight once', () => {
  const graph = layer(8, 32, 16, { rows: 4 });
  const edit = new Editor(graph);
  const [w, s] = [graph.named('w')!, graph.named('s')!];
  const again = edit.create(fused.LinearQcs8w, { input: graph.inputs[0]!, weight: w, scales: s });
  edit.setOutputs([...graph.outputs, again.result]);
  const plan = planProgram(graph, portableTarget);
  expect(plan.dispatches).toHaveLength(2);
  expect(plan.constantBytes).toBe(16 * 32 + 16 * 4);
});
