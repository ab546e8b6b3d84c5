import { requestDevice } from '@qfuse/device-node';
import { runGraph } from '@qfuse/interp';
import { constantOf, Editor, type Graph, type HostTensor, tensorOf } from '@qfuse/plugin';
import { expect, test } from 'vitest';
import { differences, graphOf, inputFor } from '../test/compare.js';
import { useDevice } from '../test/device.js';
import { compileProgram } from './compile.js';
import { createTarget, withLimits } from './target.js';

const gpu = useDevice();
const bound = { absolute: 1e-5, relative: 1e-5, sums: true };

const mlp = (): Graph =>
  graphOf(`(%x: f32[n, 6], %a: f32[9, 6], %b: f32[9], %c: f32[4, 9]) where n in [0, 4096] {
  %0 = aten.linear(%x, %a, %b) : f32[n, 9]
  %1 = aten.relu(%0) : f32[n, 9]
  %2 = aten.linear(%1, %c) : f32[n, 4]
  %3 = aten.softmax.int(%2) {dim = -1} : f32[n, 4]
  %4 = aten.argmax(%3) {dim = 1} : i64[n]
  return %3, %4
}`);
const mlpInputs = (graph: Graph, n: number, seed = 0): HostTensor[] =>
  graph.inputs.map((v, i) =>
    inputFor(
      v,
      v.type.shape.map((d) => (typeof d === 'number' ? d : n)),
      seed + i,
    ),
  );

/** A counter in a buffer: each run returns its old contents and adds the input. */
function counter(): Graph {
  const graph = graphOf(`(%x: f32[2]) {
  %s = buffer "s" : f32[2] = dense<[1.0, 2.0]>
  %0 = aten.add.Tensor(%s, %x) : f32[2]
  return %0
}`);
  const edit = new Editor(graph);
  edit.setOutputs([graph.named('s')!], [{ target: graph.named('s')!, value: graph.outputs[0]! }]);
  return graph;
}

test('runs at any size of a symbolic dim, planning again only when it grows', async () => {
  const graph = mlp();
  const program = await compileProgram(graph, { device: gpu.device });
  const arenas: number[] = [];
  for (const n of [3, 1, 700, 0, 2, 700]) {
    const inputs = mlpInputs(graph, n, n);
    const { outputs } = await program.run(inputs);
    const expected = runGraph(graph, inputs).outputs;
    expect(outputs.map((o) => o.shape)).toEqual([[n, 4], [n]]);
    expect(outputs[1]).toEqual(expected[1]);
    arenas.push(program.plan.arenas.reduce((a, b) => a + b, 0));
  }
  expect(arenas[0]).toBe(arenas[1]);
  expect(arenas[2]!).toBeGreaterThan(arenas[1]!);
  expect(new Set(arenas.slice(2)).size).toBe(1);
  program.dispose();
});

test('several runs may be in flight', async () => {
  const graph = mlp();
  const program = await compileProgram(graph, { device: gpu.device });
  const all = [5, 2, 5, 9, 1].map((n, i) => mlpInputs(graph, n, 10 * i));
  const results = await Promise.all(all.map((inputs) => program.run(inputs)));
  results.forEach(({ outputs }, i) => expect(outputs[1]).toEqual(runGraph(graph, all[i]!).outputs[1]));
  program.dispose();
});

test('several programs share a device', async () => {
  const programs = await Promise.all([
    compileProgram(counter(), { device: gpu.device }),
    compileProgram(counter(), { device: gpu.device }),
  ]);
  const x = tensorOf('f32', [2], [10, 20]);
  await programs[0]!.run([x]);
  expect((await programs[1]!.run([x])).outputs[0]!.data).toEqual(Float32Array.from([1, 2]));
  expect((await programs[0]!.run([x])).outputs[0]!.data).toEqual(Float32Array.from([11, 22]));
  for (const p of programs) p.dispose();
});

test('state stays on the device, can be read and put back', async () => {
  const program = await compileProgram(counter(), { device: gpu.device });
  const x = tensorOf('f32', [2], [1, 1]);
  const runs = await Promise.all([program.run([x]), program.run([x]), program.run([x], { readState: true })]);
  expect(runs.map((r) => [...(r.outputs[0]!.data as Float32Array)])).toEqual([
    [1, 2],
    [2, 3],
    [3, 4],
  ]);
  expect(runs[0]!.mutated.size).toBe(0);
  expect([...(runs[2]!.mutated.get('s')!.data as Float32Array)]).toEqual([4, 5]);
  expect([...((await program.readState()).get('s')!.data as Float32Array)]).toEqual([4, 5]);
  program.resetState();
  expect([...((await program.readState()).get('s')!.data as Float32Array)]).toEqual([1, 2]);
  program.dispose();
});

test('buffers may change places, and inputs may be mutated', async () => {
  const graph = graphOf(`(%x: f32[1]) {
  %a = buffer "a" : f32[1] = dense<[1.0]>
  %b = buffer "b" : f32[1] = dense<[2.0]>
  %y = aten.neg(%x) : f32[1]
  return %a, %b
}`);
  const edit = new Editor(graph);
  const [a, b, x] = ['a', 'b', 'x'].map((n) => graph.named(n)!);
  const [node] = graph.nodes();
  edit.setOutputs(
    [a!, b!],
    [
      { target: a!, value: b! },
      { target: b!, value: a! },
      { target: x!, value: node!.result },
    ],
  );
  const program = await compileProgram(graph, { device: gpu.device });
  const first = await program.run([tensorOf('f32', [1], [7])]);
  expect(first.outputs.map((o) => o.data[0])).toEqual([1, 2]);
  expect(first.mutated.get('x')!.data[0]).toBe(-7);
  const second = await program.run([tensorOf('f32', [1], [7])]);
  expect(second.outputs.map((o) => o.data[0])).toEqual([2, 1]);
  program.dispose();
});

test('outputs may be inputs, constants, views and one value twice', async () => {
  const graph = graphOf(`(%x: i64[2, 2]) {
  %c = constant "c" : i8[3] = dense<[1, -2, 3]>
  %v = aten.view(%x) {size = [4]} : i64[4]
  return %x, %c, %v, %v
}`);
  const x = tensorOf('i64', [2, 2], [1, -2, 3, 4]);
  const program = await compileProgram(graph, { device: gpu.device });
  const { outputs } = await program.run([x]);
  expect(outputs).toEqual([x, tensorOf('i8', [3], [1, -2, 3]), tensorOf('i64', [4], [1, -2, 3, 4]), tensorOf('i64', [4], [1, -2, 3, 4])]);
  expect(program.plan.dispatches).toEqual([]);
  program.dispose();
});

test('folds grids beyond the limit of a dimension', async () => {
  const graph = graphOf(`(%x: f32[1000, 7]) {
  %0 = aten.mul.Scalar(%x) {other = 2.0} : f32[1000, 7]
  %1 = aten.sum.dim_IntList(%0) {dim = [1]} : f32[1000]
  return %0, %1
}`);
  const target = withLimits(createTarget(gpu.device), { maxComputeWorkgroupsPerDimension: 12 });
  expect(await differences(gpu.device, graph, [inputFor(graph.inputs[0]!, [1000, 7], 1)], bound, target)).toEqual([]);
  const tiny = await compileProgram(graph, {
    device: gpu.device,
    target: withLimits(target, { maxComputeWorkgroupsPerDimension: 4 }),
  }).catch((e: unknown) => e);
  expect(tiny).toMatchObject({ code: 'webgpu/too-large' });
});

test('refuses sizes beyond a binding, naming the node', async () => {
  const graph = mlp();
  const program = await compileProgram(graph, {
    device: gpu.device,
    target: withLimits(createTarget(gpu.device), { maxStorageBufferBindingSize: 4096 }),
  });
  await program.run(mlpInputs(graph, 10));
  await expect(program.run(mlpInputs(graph, 500))).rejects.toThrow(
    /aten.linear at .*: ".*" takes 12000 bytes, the device binds at most 4096/,
  );
  await program.run(mlpInputs(graph, 10));
  program.dispose();
});

test('refuses inputs that do not fit', async () => {
  const graph = graphOf(`(%x: i64[n]) where n in [1, 4] { return %x }`);
  const program = await compileProgram(graph, { device: gpu.device });
  await expect(program.run([])).rejects.toMatchObject({ code: 'run/inputs' });
  await expect(program.run([tensorOf('f32', [2], [1, 2])])).rejects.toMatchObject({ code: 'run/inputs' });
  await expect(program.run([tensorOf('i64', [5], [1, 2, 3, 4, 5])])).rejects.toMatchObject({ code: 'ir/dim-range' });
  await expect(program.run([tensorOf('i64', [1], [2n ** 40n])])).rejects.toThrow(/input "x" holds 1099511627776 at element 0/);
  program.dispose();
});

test('a disposed program says so, runs in flight end', async () => {
  const graph = mlp();
  const program = await compileProgram(graph, { device: gpu.device });
  const running = program.run(mlpInputs(graph, 4));
  program.dispose();
  program.dispose();
  expect((await running).outputs[0]!.shape).toEqual([4, 4]);
  await expect(program.run(mlpInputs(graph, 4))).rejects.toMatchObject({ code: 'webgpu/disposed' });
});

test('times each dispatch', async () => {
  const graph = mlp();
  const program = await compileProgram(graph, { device: gpu.device });
  const run = program.run(mlpInputs(graph, 4), { profile: true });
  if (!gpu.device.features.has('timestamp-query')) return expect(run).rejects.toMatchObject({ code: 'webgpu/feature' });
  const { timings } = await run;
  expect(timings!.map((t) => t.op)).toEqual(['aten.linear', 'aten.relu', 'aten.linear', 'aten.softmax.int', 'aten.argmax']);
  expect(timings!.every((t) => t.microseconds >= 0)).toBe(true);
  expect(timings![0]!.cost).toEqual({ bytes: 4 * (24 + 54 + 9 + 36), operations: 2 * 4 * 6 * 9 });
  program.dispose();
});

test('a lost device is an error; the graph compiles on a new one', async () => {
  const lost = await requestDevice({ adapter: 'software' });
  const program = await compileProgram(counter(), { device: lost.device });
  const running = program.run([tensorOf('f32', [2], [1, 1])]).catch((e: unknown) => e);
  lost.destroy();
  await lost.device.lost;
  await running;
  await expect(program.run([tensorOf('f32', [2], [1, 1])])).rejects.toMatchObject({ code: 'webgpu/device-lost' });
  await expect(compileProgram(counter(), { device: lost.device })).rejects.toMatchObject({ code: 'webgpu/device-lost' });
  const again = await compileProgram(counter(), { device: gpu.device });
  expect((await again.run([tensorOf('f32', [2], [1, 1])])).outputs[0]!.data).toEqual(Float32Array.from([1, 2]));
  again.dispose();
});

test('a constant beyond 32 bits is refused at compile time', async () => {
  const graph = graphOf(`(%x: i64[1]) { return %x }`);
  const edit = new Editor(graph);
  edit.setOutputs([edit.addConstant('big', 'constant', constantOf(tensorOf('i64', [1], [2n ** 33n])))]);
  await expect(compileProgram(graph, { device: gpu.device })).rejects.toMatchObject({ code: 'webgpu/value-range' });
});
