import { parseGraph, printGraph, verifyGraph } from '@qfuse/ir';
import { runGraph } from '@qfuse/interp';
import { presetWebGPU } from '@qfuse/preset-webgpu';
import { expect, test } from 'vitest';
import { compileGraph, createCompilerRegistry, histogram, planOf, sampleInputs } from './index.js';

const registry = createCompilerRegistry(presetWebGPU());
const read = (text: string) => parseGraph(text, { ops: (name) => registry.ops.get(name) });

/** What the preset makes of a graph, which has to compute the same. */
async function compiled(text: string) {
  const graph = read(text);
  const before = read(text);
  await compileGraph(graph, registry, { verify: 'each' });
  expect(verifyGraph(graph)).toEqual([]);
  const inputs = sampleInputs(before, 1);
  const [expected, actual] = [before, graph].map((g) => Array.from(runGraph(g, inputs).outputs[0]!.data, Number));
  actual!.forEach((v, i) => expect(v).toBeCloseTo(expected![i]!, 4));
  return graph;
}

test('canonical form is restored after folding, and before equal nodes are merged', () => {
  const names = planOf(registry).passes.map((p) => p.name);
  const order = ['canonicalize', 'fold-constants', 'canonicalize-folded', 'cse', 'fuse-linear-qcsnw'];
  expect(names.filter((name) => order.includes(name))).toEqual(order);
});

test('a bias that only folding makes constant goes into the fused linear', async () => {
  const graph = await compiled(`graph @main(%x: f32[s0, 4]) where s0 in [1, 8] {
  %w = parameter "w" : i8[2, 4] = dense<[1, 2, 3, 4, -5, 6, -7, 8]>
  %s = parameter "s" : f32[2] = dense<[0.5, 0.25]>
  %b = parameter "b" : f32[1, 2] = dense<[3.0, -1.0]>
  %0 = quant.dequantize(%w, %s) {axis = 0, dtype = f32, granularity = "axis", qmax = 127, qmin = -128} : f32[2, 4]
  %1 = aten.linear(%x, %0) : f32[s0, 2]
  %2 = aten.mul.Scalar(%b) {other = 0.5} : f32[1, 2]
  %3 = aten.add.Tensor(%1, %2) : f32[s0, 2]
  return %3
}`);
  expect(histogram(graph)).toEqual({ 'fused.linear_qcs8w': 1 });
  expect(printGraph(graph)).toContain('dense<[1.5, -0.5]>');
});

test('a weight that only folding makes constant is transposed at compile time', async () => {
  const graph = await compiled(`graph @main(%x: f32[s0, 2]) where s0 in [1, 8] {
  %a = parameter "a" : f32[2, 1] = dense<[1.0, 2.0]>
  %b = parameter "b" : f32[2, 2] = dense<[3.0, 4.0, 5.0, 6.0]>
  %0 = aten.cat([%a, %b]) {dim = 1} : f32[2, 3]
  %1 = aten.mm(%x, %0) : f32[s0, 3]
  return %1
}`);
  expect(histogram(graph)).toEqual({ 'aten.linear': 1 });
  expect(printGraph(graph)).toContain('dense<[1.0, 2.0, 3.0, 5.0, 4.0, 6.0]>');
});
