import { fused } from '@qfuse/ops';
import { constantOf, Editor, Graph, symbol, tensorOf, tensorType } from '@qfuse/plugin';
import { expect, test } from 'vitest';
import { useDevice } from '../../test/device.js';
import { graphOfSample, runGuarded } from '../../test/guarded.js';
import { layer, weightOf } from '../../test/packed-layer.js';
import { difference, inputFor } from '../../test/compare.js';
import { compileProgram, planProgram } from '../compile.js';
import { oneRounding } from '../kernel.js';
import { createTarget, portableTarget, withLimits } from '../target.js';
import { runGraph } from '@qfuse/interp';
import { packedEmbeddingKernels } from './embedding-packed.js';
import { webgpuKernels } from './index.js';

const gpu = useDevice();

/** A lookup in a table of `rows` rows of 64 weights of 4 bits, groups of 32. */
function lookup(rows: number, count: number | 'tokens'): Graph {
  const graph = new Graph('lookup');
  const edit = new Editor(graph);
  const { weight, scales, zeros } = weightOf({ bits: 4, k: 64, n: rows, groupSize: 32, zeros: true });
  const operands = {
    weight: edit.addConstant('w', 'parameter', weight),
    scales: edit.addConstant('s', 'parameter', scales),
    zero_points: edit.addConstant('z', 'parameter', zeros!),
    indices: edit.addInput('i', tensorType('i64', [count === 'tokens' ? symbol('tokens') : count])),
  };
  edit.setOutputs(edit.create(fused.EmbeddingQ4gsw, operands).results);
  return graph;
}

test('an index that is no row reads NaN', async () => {
  const graph = lookup(9, 5);
  const given = tensorOf('i64', [5], [0, -1, 9, 8, 2 ** 31 - 1]);
  const [y] = await runGuarded(gpu.device, graph, [given], packedEmbeddingKernels, createTarget(gpu.device));
  const [expected] = runGraph(graph, [tensorOf('i64', [5], [0, 0, 0, 8, 0])]).outputs;
  const row = (data: ArrayLike<number>, i: number): number[] => Array.from(data).slice(64 * i, 64 * (i + 1));
  for (const i of [0, 3]) expect(row(y!.data as Float32Array, i)).toEqual(row(expected!.data as Float32Array, i));
  for (const i of [1, 2, 4]) expect(row(y!.data as Float32Array, i).every(Number.isNaN)).toBe(true);
});

test('a table that is larger than a binding is split by rows', async () => {
  const target = withLimits(createTarget(gpu.device), { maxStorageBufferBindingSize: 64 * 32 });
  const graph = lookup(150, 7);
  expect(planProgram(graph, target).dispatches).toHaveLength(3);
  const given = tensorOf('i64', [7], [0, 149, 63, 64, 127, 128, 150]);
  const [y] = await runGuarded(gpu.device, graph, [given], packedEmbeddingKernels, target);
  const [expected] = runGraph(graph, [tensorOf('i64', [7], [0, 149, 63, 64, 127, 128, 0])]).outputs;
  const known = { ...expected!, data: Float32Array.from(expected!.data as Float32Array).fill(Number.NaN, 6 * 64) };
  expect(difference(y!, known, oneRounding)).toBeUndefined();
  expect(() => planProgram(graph, withLimits(target, { maxStorageBufferBindingSize: 1024 }))).toThrow(/64 rows of 64 weights are beyond/);
});

test('takes any number of tokens', async () => {
  const graph = lookup(20, 'tokens');
  const program = await compileProgram(graph, { device: gpu.device });
  for (const count of [1, 0, 130]) {
    const given = tensorOf(
      'i64',
      [count],
      Array.from({ length: count }, (_, i) => (i * 7) % 20),
    );
    const [y] = (await program.run([given])).outputs;
    expect(difference(y!, runGraph(graph, [given]).outputs[0]!, oneRounding)).toBeUndefined();
  }
  program.dispose();
});

test.each([
  [8, undefined],
  [4, 32],
] as const)('a table of %d bits that is tied to a linear is packed and uploaded once (groups of %s)', async (bits, groupSize) => {
  const graph = layer({ bits, k: 64, n: 50, groupSize, rows: 2, zeros: true });
  const edit = new Editor(graph);
  const [weight, scales, zero_points] = ['w', 's', 'z'].map((name) => graph.named(name)!);
  const alone = planProgram(graph, createTarget(gpu.device)).constantBytes;
  const op = groupSize === undefined ? fused.EmbeddingQ8csw : fused.EmbeddingQ4gsw;
  const ids = edit.addInput('ids', tensorType('i32', [3]));
  edit.setOutputs([...graph.outputs, edit.create(op, { weight, scales, zero_points, indices: ids } as never).results[0]!]);
  for (const software of [true, false]) {
    const plan = planProgram(graph, { ...createTarget(gpu.device), software });
    expect(plan.constantBytes).toBe(alone);
  }
  const inputs = [inputFor(graph.inputs[0]!, [2, 64], 1), tensorOf('i32', [3], [49, 0, 7])];
  const program = await compileProgram(graph, { device: gpu.device });
  const { outputs } = await program.run(inputs);
  runGraph(graph, inputs).outputs.forEach((e, i) =>
    expect(difference(outputs[i]!, e, i === 0 ? { absolute: 0, relative: 2 ** -17, sums: true } : oneRounding)).toBeUndefined(),
  );
  program.dispose();
});

test('an empty table is refused, unless nothing is asked of it', () => {
  expect(() => planProgram(lookup(0, 2), portableTarget)).toThrow(/the table is empty/);
  expect(planProgram(lookup(0, 0), portableTarget).dispatches).toEqual([]);
});

test('the table must be constant', () => {
  const [kernel] = packedEmbeddingKernels;
  const { operands } = kernel!.samples[0]!;
  const { graph } = graphOfSample(kernel!, {
    operands: { ...operands, weight: { ...(operands['weight'] as object), constant: false } as never },
  });
  expect(() => planProgram(graph, portableTarget, { kernels: webgpuKernels })).toThrow(/the weight is computed/);
});

test.each([
  ['f16', [2 ** -24, 3 * 2 ** -23, 1e-5, 0.0123, 517]],
  ['bf16', [1e-30, 1e-5, 0.0123, 517, 1e30]],
] as const)('products are rounded to %s, ties to even, at both ends of its range', async (compute, given) => {
  const graph = new Graph('lookup');
  const edit = new Editor(graph);
  const columns = Array.from({ length: 256 }, (_, i) => i - 128);
  const operands = {
    weight: edit.addConstant(
      'w',
      'parameter',
      constantOf(
        tensorOf(
          'i8',
          [5, 256],
          given.flatMap(() => columns),
        ),
      ),
    ),
    scales: edit.addConstant('s', 'parameter', constantOf(tensorOf(compute, [5], given))),
    indices: edit.addInput('i', tensorType('i64', [5])),
  };
  edit.setOutputs(edit.create(fused.EmbeddingQ8csw, operands, { compute }).results);
  const ids = [tensorOf('i64', [5], [0, 1, 2, 3, 4])];
  const [y] = await runGuarded(gpu.device, graph, ids, packedEmbeddingKernels, createTarget(gpu.device));
  expect(Array.from(y!.data as Float32Array)).toEqual(Array.from(runGraph(graph, ids).outputs[0]!.data as Float32Array));
});
