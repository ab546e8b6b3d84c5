import { requestDevice } from '@qfuse/device-node';
import { aten, defineOp } from '@qfuse/ops';
import { constantOf, type DType, Editor, Graph, hostTensor, type Node, printGraph, tensor, tensorOf, tensorType, yes } from '@qfuse/plugin';
import { afterAll, expect, test } from 'vitest';
import { graphOf } from '../test/compare.js';
import { useDevice } from '../test/device.js';
import {
  compileProgram,
  defineKernel,
  mapDispatch,
  planProgram,
  portableTarget,
  webgpuKernels,
  type WebGPUKernel,
  withLimits,
} from './index.js';

const gpu = useDevice();

/** An op of a third party, without and with a meaning in other ops. */
const Cube = defineOp({
  name: 'my.cube',
  summary: 'x · x · x',
  operands: { x: tensor('f32') },
  infer: ({ operands: { x } }) => [x],
  reference: ({ operands: { x } }) => [
    hostTensor(
      'f32',
      x.shape,
      (x.data as Float32Array).map((v) => v * v * v),
    ),
  ],
});
const Cubes = defineOp({
  name: 'my.cubes',
  summary: 'the cube by products',
  operands: { x: tensor('f32') },
  infer: ({ operands: { x } }) => [x],
  decompose: ({ operands: { x }, builder }) => [
    builder.create(aten.MulTensor, { self: builder.create(aten.MulTensor, { self: x, other: x }).result, other: x }).result,
  ],
});
const cube = (body: string): WebGPUKernel =>
  defineKernel({
    name: 'my/cube',
    op: Cube,
    supports: () => yes,
    emit: (node) => [mapDispatch({ label: 'cube', inputs: [['x', node.operand('x')]], output: node.result, element: body })],
  });

function graphWith(make: (edit: Editor, graph: Graph) => Node): Graph {
  const graph = new Graph('g');
  const edit = new Editor(graph);
  edit.setOutputs(make(edit, graph).results);
  return graph;
}
const cubes = (op: typeof Cube | typeof Cubes): Graph =>
  graphWith((edit) => edit.create(op, { x: edit.addInput('x', tensorType('f32', [3])) }));

test('lists every node that cannot run, with its reasons, at once', () => {
  const graph = new Graph('g');
  const edit = new Editor(graph);
  const x = edit.addInput('x', tensorType('f32', [3]));
  const h = edit.addInput('h', tensorType('f16', [3]));
  edit.create(Cube, { x });
  edit.setOutputs([edit.create(Cube, { x }).result, edit.create(aten.Relu, { self: h }).result]);
  const error = (() => {
    try {
      planProgram(graph, portableTarget);
    } catch (e) {
      return e as Error & { code: string };
    }
    return undefined;
  })();
  expect(error!.code).toBe('webgpu/unsupported');
  expect(error!.message).toMatchInlineSnapshot(`
    "2 nodes have no kernel on portable:
      my.cube at made by builder: there is no kernel for this op
      aten.relu at made by builder: elementwise/aten.relu: f16 values are not supported: a device buffer holds f32, i32, u32, i64 within 32 bits, bool, and packed i8, u8, i4, u4; convert the model to f32"
  `);
});

test('takes kernels of third parties, before those of this package when they come first', async () => {
  const program = await compileProgram(cubes(Cube), {
    device: gpu.device,
    kernels: [cube('let v = load_x(i);\nreturn v * v * v;'), ...webgpuKernels],
  });
  expect([...((await program.run([tensorOf('f32', [3], [1, -2, 3])])).outputs[0]!.data as Float32Array)]).toEqual([1, -8, 27]);
  expect(program.plan.dispatches.map((d) => d.kernel)).toEqual(['my/cube']);
  program.dispose();
});

test('passes over kernels of other targets and refuses two of one name', () => {
  const other = { name: 'x', target: 'cuda', op: Cube, supports: () => yes };
  expect(() => planProgram(cubes(Cube), portableTarget, { kernels: [other] })).toThrow(/there is no kernel for this op/);
  expect(() => planProgram(cubes(Cube), portableTarget, { kernels: [cube('return 1.0;'), cube('return 2.0;')] })).toThrow(
    /two kernels are called "my\/cube"/,
  );
});

test('decomposes what has no kernel, and leaves the graph alone', async () => {
  const graph = cubes(Cubes);
  const before = printGraph(graph);
  const program = await compileProgram(graph, { device: gpu.device });
  expect([...((await program.run([tensorOf('f32', [3], [1, -2, 3])])).outputs[0]!.data as Float32Array)]).toEqual([1, -8, 27]);
  expect(program.plan.dispatches.map((d) => d.node)).toEqual([
    'made by my.cubes from made by builder',
    'made by my.cubes from made by builder',
  ]);
  expect(printGraph(graph)).toBe(before);
  program.dispose();
});

test('a shader that does not compile names kernel, node and line', async () => {
  const program = compileProgram(cubes(Cube), { device: gpu.device, kernels: [cube('return load_x(i) +;')] });
  await expect(program).rejects.toThrow(
    /the shader of kernel my\/cube \(cube\) for my.cube at made by builder does not compile: line \d+: .*\n {4}return load_x\(i\) \+;/,
  );
});

test('leaves out nodes that nothing needs', () => {
  const graph = graphOf(`(%x: f32[3]) {
  %0 = aten.relu(%x) : f32[3]
  %1 = aten.neg(%x) : f32[3]
  return %1
}`);
  expect(planProgram(graph, portableTarget).dispatches.map((d) => d.op)).toEqual(['aten.neg']);
});

test('equal shaders are compiled once', () => {
  const graph = graphOf(`(%x: f32[n, 4], %y: f32[2, n]) where n in [1, 9] {
  %0 = aten.relu(%x) : f32[n, 4]
  %1 = aten.relu(%y) : f32[2, n]
  %2 = aten.add.Scalar(%0) {other = 1.0} : f32[n, 4]
  %3 = aten.add.Scalar(%1) {other = 2.0} : f32[2, n]
  return %2, %3
}`);
  expect(planProgram(graph, portableTarget)).toMatchObject({ dispatches: { length: 4 }, shaders: 2, sizes: { n: 1 } });
});

test('a kernel emits this WGSL', () => {
  const graph = graphOf(`(%x: f32[n, 4], %b: i8[4]) where n in [1, 9] {
  %0 = aten.add.Tensor(%x, %b) : f32[n, 4]
  return %0
}`);
  const [node] = graph.nodes();
  const [dispatch] = webgpuKernels.find((k) => k.op === node!.op)!.emit!(node!, portableTarget);
  expect(dispatch!.code).toMatchInlineSnapshot(`
    "struct Parameters { grid: u32, n: u32, d1: u32, s1_0: u32, s1_1: u32 }
    @group(0) @binding(0) var<uniform> P: Parameters;
    @group(0) @binding(1) var<storage, read> x0_: array<f32>;
    @group(0) @binding(2) var<storage, read> x1_: array<u32>;
    @group(0) @binding(3) var<storage, read_write> y: array<f32>;
    fn load_x0_(i: u32) -> f32 { return x0_[i]; }
    fn load_x1_(i: u32) -> i32 { return bitcast<i32>(x1_[i >> 2u] << (24u - ((i & 3u) << 3u))) >> 24u; }
    fn element(i: u32) -> f32 {
      let c1 = i % P.d1;
      let r1 = i / P.d1;
      let c0 = r1;
      let x0 = load_x0_(i);
      let x1 = load_x1_(c0 * P.s1_0 + c1 * P.s1_1);
      return (x0 + f32(x1));
    }

    @compute @workgroup_size(64)
    fn main(@builtin(workgroup_id) group_id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
      let group = group_id.x + group_id.y * P.grid;
      let t = group * 64u + lane;
      if (t >= P.n) { return; }
      y[t] = element(t);
    }
    "
  `);
});

test('plans without a device, in text', () => {
  const graph = graphOf(`(%x: f32[n, 8]) where n in [2, 64] {
  %0 = aten.relu(%x) : f32[n, 8]
  %1 = aten.neg(%0) : f32[n, 8]
  %2 = aten.add.Tensor(%0, %1) : f32[n, 8]
  return %2
}`);
  const plan = planProgram(graph, portableTarget, { sizes: { n: 64 } });
  expect(plan.arenas).toEqual([2048, 2048, 2048]);
  expect(plan.lowerBound).toBe(3 * 2048);
  expect(() => planProgram(graph, portableTarget, { sizes: { m: 1 } })).toThrow(/"m" is not a symbolic dim of "main"; it has n/);
  expect(() => planProgram(graph, portableTarget, { sizes: { n: 99 } })).toThrow(/dim "n" is 99, expected 2 to 64/);
});

test('refuses a constant that no binding holds, by name', () => {
  const graph = graphWith((edit) => {
    const weight = edit.addConstant('w', 'parameter', constantOf(tensorOf('f32', [64, 64], new Array<number>(4096).fill(1))));
    return edit.create(aten.Linear, { input: edit.addInput('x', tensorType('f32', [2, 64])), weight });
  });
  const target = withLimits(portableTarget, { maxStorageBufferBindingSize: 8192 });
  expect(() => planProgram(graph, target)).toThrow(
    /matmul\/aten.linear: a buffer of 16384 bytes is beyond the binding limit of 8192 bytes/,
  );
});

test('every dtype without a layout is refused by name', () => {
  for (const dtype of ['f64', 'f16', 'bf16', 'i16'] as DType[]) {
    const graph = graphWith((edit) => edit.create(aten.Neg, { self: edit.addInput('x', tensorType(dtype, [3])) }));
    expect(() => planProgram(graph, portableTarget)).toThrow(`${dtype} values are not supported`);
  }
});

const open: (() => void)[] = [];
afterAll(() => open.forEach((destroy) => destroy()));

test('the kernels of GPUs compile on the null backend', async () => {
  const node = await requestDevice({ backend: 'null', requiredLimits: 'default' });
  open.push(() => node.destroy());
  const graph = graphOf(`(%x: f32[n, 40], %w: f32[70, 40], %q: f32[2, n, 8], %m: bool[n, n]) where n in [1, 512] {
  %0 = aten.linear(%x, %w) : f32[n, 70]
  %1 = aten.scaled_dot_product_attention(%q, %q, %q, %m) : f32[2, n, 8]
  %2 = aten.sum.dim_IntList(%0) {dim = [1]} : f32[n]
  return %0, %1, %2
}`);
  const program = await compileProgram(graph, { device: node.device, target: portableTarget });
  expect(program.plan.dispatches.map((d) => d.dispatch)).toEqual([
    'dots',
    'shared tile',
    'dots',
    'shared tile',
    'masked softmax 64 lanes',
    'dots',
    'shared tile',
    'reduce 64 lanes',
  ]);
  program.dispose();
});
