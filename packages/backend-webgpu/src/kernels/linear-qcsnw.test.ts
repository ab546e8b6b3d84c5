import { fused } from '@qfuse/ops';
import { Editor, Graph, tensorOf, tensorType } from '@qfuse/plugin';
import { describe, expect, test } from 'vitest';
import { compileProgram, planProgram } from '../compile.js';
import { createTarget, portableTarget, withLimits } from '../target.js';
import { difference, differences, inputFor } from '../../test/compare.js';
import { useDevice } from '../../test/device.js';
import { layer, targets } from '../../test/packed-layer.js';
import { linearQcsKernels } from './linear-qcsnw.js';

const gpu = useDevice('maximum');
const bound = linearQcsKernels[0]!.error;
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
