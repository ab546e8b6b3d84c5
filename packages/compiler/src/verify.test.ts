import { Constant, Editor, Graph, type HostTensor, hostTensor, parseGraph, QfuseError, tensorOf, tensorType, type Value } from '@qfuse/ir';
import { runGraph } from '@qfuse/interp';
import { presetWebGPU } from '@qfuse/preset-webgpu';
import { describe, expect, test } from 'vitest';
import { type Check, createCompilerRegistry, histogram, type RunElsewhere, verifyCompilation } from './index.js';

const registry = createCompilerRegistry(presetWebGPU());
const read = (text: string): Graph => parseGraph(text, { ops: (name) => registry.ops.get(name) });

/** Two linears of integers; in steps of 0.5 the inputs are integers and ties. */
const chain = `graph @main(%x: f32[2, 4]) {
  %s = constant "s" : f32[] = dense<[0.5]>
  %w = parameter "w" : i8[3, 4] = dense<[1, -2, 3, 4, 5, -6, 7, 8, 9, 10, 11, -12]>
  %t = parameter "t" : f32[3] = dense<[0.1, 0.3, 0.2]>
  %v = parameter "v" : i8[2, 3] = dense<[7, -8, 9, 10, 11, 12]>
  %r = parameter "r" : f32[2] = dense<[0.1, 0.3]>
  %0 = quant.quantize(%x, %s) {dtype = i8, granularity = "tensor", qmax = 127, qmin = -128} : i8[2, 4]
  %1 = quant.dequantize(%0, %s) {dtype = f32, granularity = "tensor", qmax = 127, qmin = -128} : f32[2, 4]
  %2 = quant.dequantize(%w, %t) {axis = 0, dtype = f32, granularity = "axis", qmax = 127, qmin = -128} : f32[3, 4]
  %3 = aten.linear(%1, %2) : f32[2, 3]
  %4 = aten.relu(%3) : f32[2, 3]
  %5 = quant.quantize(%4, %s) {dtype = i8, granularity = "tensor", qmax = 127, qmin = -128} : i8[2, 3]
  %6 = quant.dequantize(%5, %s) {dtype = f32, granularity = "tensor", qmax = 127, qmin = -128} : f32[2, 3]
  %7 = quant.dequantize(%v, %r) {axis = 0, dtype = f32, granularity = "axis", qmax = 127, qmin = -128} : f32[2, 3]
  %8 = aten.linear(%6, %7) : f32[2, 2]
  return %8
}`;
const inputs = [tensorOf('f32', [2, 4], [0.25, 1, -0.5, 2, 3, -1.25, 7, 0.1])];

/** A device that moves one of the integers that a program quantizes its input to by a step. */
const moving =
  (index: number): RunElsewhere =>
  async (graph, given) => {
    const replace = (value: Value, tensor: HostTensor): HostTensor => {
      if (value.producer!.op.name !== 'quant.quantize' || value.type.shape[1] !== 4) return tensor;
      const moved = hostTensor(tensor.dtype, tensor.shape, tensor.data.slice());
      moved.data[index] = Number(moved.data[index]) + 1;
      return moved;
    };
    return runGraph(graph, given, undefined, { replace }).outputs;
  };

const program = (checks: readonly Check[]): readonly (readonly [string, boolean])[] =>
  checks.filter((c) => c.kind === 'program').map((c) => [c.what, c.ok]);

describe('programs that quantize on their way', () => {
  test('are proved, rewrite by rewrite and as a whole', async () => {
    const graph = read(chain);
    const checks = await verifyCompilation(graph, registry, { inputs });
    expect(histogram(graph)).toEqual({ 'fused.linear_q8ta_q8csw': 1, 'fused.q8ta_linear': 1, 'quant.quantize': 1 });
    expect(checks.filter((c) => !c.ok)).toEqual([]);
    expect(checks.filter((c) => c.kind === 'rewrite').map((c) => c.what.split(' ')[0])).toEqual([
      'fuse-linear-q8ta/linear',
      'fuse-linear-q8ta/linear',
      'fuse-linear-q8ta/quantize',
    ]);
  });

  test('may take another integer where a number lies at a tie', async () => {
    // Element 0 is 0.5 steps, element 5 −2.5.
    for (const index of [0, 5]) {
      const checks = await verifyCompilation(read(chain), registry, { inputs, device: moving(index) });
      expect(program(checks)).toEqual([
        ['after, in the interpreter', true],
        ['before, on the device', true],
        ['after, on the device', true],
      ]);
      // What the step changes is far more than any rounding.
      expect(checks.at(-1)!.problem).toMatch(/^\d quantized integers? lies? at a tie/);
    }
  });

  test('may not where it does not', async () => {
    const checks = await verifyCompilation(read(chain), registry, { inputs, device: moving(1) });
    expect(program(checks)).toEqual([
      ['after, in the interpreter', true],
      ['before, on the device', false],
      ['after, on the device', false],
    ]);
    expect(checks.at(-1)!.problem).toMatch(/^output 0 differs by/);
  });

  test('may choose their grid on the way', async () => {
    const text = `graph @main(%x: f32[2, 4]) {
  %w = parameter "w" : i8[3, 4] = dense<[1, -2, 3, 4, 5, -6, 7, 8, 9, 10, 11, -12]>
  %t = parameter "t" : f32[3] = dense<[0.01, 0.03, 0.02]>
  %0, %1 = quant.choose_qparams(%x) {granularity = "tensor", mapping = "symmetric", qmax = 127, qmin = -128} : f32[], i32[]
  %2 = quant.quantize(%x, %0, %1) {dtype = i8, granularity = "tensor", qmax = 127, qmin = -128} : i8[2, 4]
  %3 = quant.dequantize(%2, %0, %1) {dtype = f32, granularity = "tensor", qmax = 127, qmin = -128} : f32[2, 4]
  %4 = quant.dequantize(%w, %t) {axis = 0, dtype = f32, granularity = "axis", qmax = 127, qmin = -128} : f32[3, 4]
  %5 = aten.linear(%3, %4) : f32[2, 3]
  return %5
}`;
    const checks = await verifyCompilation(read(text), registry, { inputs });
    expect(checks.filter((c) => !c.ok)).toEqual([]);
    expect(checks.map((c) => c.what.split(' ')[0])).toContain('fuse-linear-dq8ca/take-integers');
  });
});

test('a device need not run what was not fused yet, but all that was', async () => {
  const only =
    (ops: RegExp): RunElsewhere =>
    async (graph, given) => {
      const missing = [...graph.nodes()].filter((n) => !ops.test(n.op.name));
      if (missing.length > 0) throw new QfuseError('toy/unsupported', `${missing.length} nodes have no kernel:\n  …`);
      return runGraph(graph, given).outputs;
    };
  const checked = async (ops: RegExp) => (await verifyCompilation(read(chain), registry, { inputs, device: only(ops) })).slice(-2);
  expect(await checked(/^fused\.|^quant\.quantize$/)).toMatchObject([
    { what: 'before, on the device', ok: true, problem: 'not run: 7 nodes have no kernel' },
    { what: 'after, on the device', ok: true, problem: '' },
  ]);
  expect(await checked(/^quant\./)).toMatchObject([{ ok: true }, { what: 'after, on the device', ok: false, unsupported: true }]);
});

test('a rule may know from a producer which zero points there are', async () => {
  const graph = read(`graph @main(%x: f32[2, 4]) {
  %w = parameter "w" : i8[3, 4] = dense<[1, -2, 3, 4, 5, -6, 7, 8, 9, 10, 11, -12]>
  %t = parameter "t" : f32[3] = dense<[0.01, 0.03, 0.02]>
  %0, %1 = quant.choose_qparams(%x) {granularity = "row", mapping = "symmetric", qmax = 127, qmin = -127, zero_point_dtype = f32} : f32[2, 1], f32[2, 1]
  %2 = quant.quantize(%x, %0, %1) {dtype = i8, granularity = "row", qmax = 127, qmin = -127} : i8[2, 4]
  %3 = quant.dequantize(%2, %0, %1) {dtype = f32, granularity = "row", qmax = 127, qmin = -127} : f32[2, 4]
  %4 = quant.dequantize(%w, %t) {axis = 0, dtype = f32, granularity = "axis", qmax = 127, qmin = -128} : f32[3, 4]
  %5 = aten.linear(%3, %4) : f32[2, 3]
  return %5
}`);
  expect((await verifyCompilation(graph, registry, { inputs })).filter((c) => !c.ok)).toEqual([]);
});

test('a rule may read what stands behind a view', async () => {
  const graph = read(`graph @main(%x: f32[2, 4]) {
  %w = parameter "w" : i8[3, 4] = dense<[1, -2, 3, 4, 5, -6, 7, 8, 9, 10, 11, -12]>
  %t = parameter "t" : f32[3] = dense<[0.01, 0.03, 0.02]>
  %0, %1 = quant.choose_qparams(%x) {granularity = "row", mapping = "asymmetric", qmax = 127, qmin = -128} : f32[2, 1], i32[2, 1]
  %2 = aten.view(%0) {size = [2]} : f32[2]
  %3 = aten.view(%1) {size = [2]} : i32[2]
  %4 = quant.quantize(%x, %2, %3) {dtype = i8, granularity = "row", qmax = 127, qmin = -128} : i8[2, 4]
  %5 = quant.dequantize(%4, %2, %3) {dtype = f32, granularity = "row", qmax = 127, qmin = -128} : f32[2, 4]
  %6 = quant.dequantize(%w, %t) {axis = 0, dtype = f32, granularity = "axis", qmax = 127, qmin = -128} : f32[3, 4]
  %7 = aten.linear(%5, %6) : f32[2, 3]
  return %7
}`);
  const checks = await verifyCompilation(graph, registry, { inputs });
  expect(checks.filter((c) => !c.ok)).toEqual([]);
  expect(checks).toHaveLength(4);
});

describe('what cannot be proved', () => {
  const damaged = (): Graph => {
    const type = tensorType('f32', [2]);
    const graph = new Graph('main');
    const edit = new Editor(graph);
    const read = (): never => {
      throw new QfuseError('pt2/archive', '"weight_0" is damaged');
    };
    edit.setOutputs([edit.constant(Constant.lazy(type, 'a file', read), 'w')]);
    return graph;
  };

  test('data that cannot be read are an error, not wrong numbers', async () =>
    expect(verifyCompilation(damaged(), registry)).rejects.toThrow('"weight_0" is damaged'));

  test('so are inputs that do not fit', async () => {
    const narrow = [tensorOf('f32', [2, 3], [1, 2, 3, 4, 5, 6])];
    await expect(verifyCompilation(read(chain), registry, { inputs: narrow })).rejects.toThrow('input "x", axis 1 has size 3, expected 4');
    await expect(verifyCompilation(read(chain), registry, { inputs: [] })).rejects.toThrow('0 inputs');
  });
});
