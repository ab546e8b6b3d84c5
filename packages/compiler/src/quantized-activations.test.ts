import { parseGraph, verifyGraph } from '@qfuse/ir';
import { presetWebGPU } from '@qfuse/preset-webgpu';
import { expect, test } from 'vitest';
import { createCompilerRegistry, histogram, planOf, verifyCompilation } from './index.js';

// Programs as torch writes them, in Core ATen too, through the whole preset.
const registry = createCompilerRegistry(presetWebGPU());

/** Ops that the preset makes of a graph, every rewrite and the whole proved. */
async function opsOf(text: string): Promise<Record<string, number>> {
  const graph = parseGraph(text, { ops: (name) => registry.ops.get(name) });
  for (const seed of [1, 2]) {
    const checks = await verifyCompilation(parseGraph(text, { ops: (name) => registry.ops.get(name) }), registry, { seed });
    expect(checks.filter((c) => !c.ok)).toEqual([]);
  }
  await verifyCompilation(graph, registry);
  expect(verifyGraph(graph)).toEqual([]);
  return histogram(graph);
}

const weight = (name: string, [n, k]: readonly [number, number], scales = 't'): string =>
  `  %${name} = parameter "${name}" : i8[${n}, ${k}] = dense<[${Array.from({ length: n * k }, (_, i) => ((i * 37 + name.charCodeAt(name.length - 1)) % 255) - 127).join(', ')}]>
  %${scales} = parameter "${scales}" : f32[${n}] = dense<[${Array.from({ length: n }, (_, i) => 0.01 + i / 512).join(', ')}]>
`;
const perChannel = '{axis = 0, dtype = f32, granularity = "axis", qmax = 127, qmin = -128}';
const perTensor = '{dtype = f32, granularity = "tensor", qmax = 127, qmin = -128}';

test('fusions of quantized activations come first, folding of pairs last', () => {
  const names = planOf(registry).passes.map((p) => p.name);
  const order = ['cse', 'fuse-linear-q8ta', 'fuse-linear-dq8ca', 'fuse-linear-qcsnw', 'fuse-linear-q4gsw', 'fold-qdq'];
  expect(names.filter((name) => order.includes(name))).toEqual(order);
});

test('W3, W12, W35: a dynamic linear in Core ATen, any batch', async () => {
  const ops = await opsOf(`graph @main(%x: f32[s0, 3, 8]) where s0 in [1, 6] {
${weight('w', [5, 8])}  %b = parameter "b" : f32[5] = dense<[1.0, -2.0, 3.0, 0.5, 0.25]>
  %0, %1 = quant.choose_qparams(%x) {compute = f32, eps = 0.000244140625, granularity = "tensor", mapping = "asymmetric", qmax = 127, qmin = -128, scale_dtype = f64, zero_point_dtype = i64} : f64[], i64[]
  %2 = aten.view(%0) {size = [1]} : f64[1]
  %3 = aten.view(%1) {size = [1]} : i64[1]
  %4 = quant.quantize(%x, %2, %3) {dtype = i8, granularity = "tensor", qmax = 127, qmin = -128} : i8[s0, 3, 8]
  %5 = quant.dequantize(%4, %2, %3) ${perTensor} : f32[s0, 3, 8]
  %6 = quant.dequantize(%w, %t) ${perChannel} : f32[5, 8]
  %7 = aten.view(%5) {size = [3*s0, 8]} : f32[3*s0, 8]
  %8 = aten.permute(%6) {dims = [1, 0]} : f32[8, 5]
  %9 = aten.addmm(%b, %7, %8) : f32[3*s0, 5]
  %10 = aten.view(%9) {size = [s0, 3, 5]} : f32[s0, 3, 5]
  return %10
}`);
  expect(ops).toEqual({ 'fused.dynamic_quantize': 1, 'fused.linear_dq8ca_q8csw': 1 });
});

test('W4: rows with scales as [M] and as [M, 1], each linear with a quantize of its own: one is left', async () => {
  const branch = (i: number, shape: string): string => `
  %s${i}, %z${i} = quant.choose_qparams(%x) {granularity = "row", mapping = "asymmetric", qmax = 127, qmin = -128, scale_dtype = f32, zero_point_dtype = i8} : f32[4, 1], i8[4, 1]
  %a${i} = aten.view(%s${i}) {size = ${shape}} : f32${shape}
  %b${i} = aten.view(%z${i}) {size = ${shape}} : i8${shape}
  %q${i} = quant.quantize(%x, %a${i}, %b${i}) {dtype = i8, granularity = "row", qmax = 127, qmin = -128} : i8[4, 8]
  %d${i} = quant.dequantize(%q${i}, %a${i}, %b${i}) {dtype = f32, granularity = "row", qmax = 127, qmin = -128} : f32[4, 8]
  %w${i} = quant.dequantize(%v${i}, %t${i}) ${perChannel} : f32[3, 8]
  %l${i} = aten.linear(%d${i}, %w${i}) : f32[4, 3]`;
  const ops = await opsOf(`graph @main(%x: f32[4, 8]) {
${weight('v0', [3, 8], 't0')}${weight('v1', [3, 8], 't1')}${weight('v2', [3, 8], 't2')}${branch(0, '[4]')}${branch(1, '[4, 1]')}${branch(2, '[4]')}
  return %l0, %l1, %l2
}`);
  expect(ops).toEqual({ 'fused.dynamic_quantize': 1, 'fused.linear_dq8ca_q8csw': 3 });
});

test('W41: a product with an expanded weight, as attention makes it', async () => {
  const ops = await opsOf(`graph @main(%q: i8[2, 3, 8]) {
${weight('w', [8, 8])}  %s = constant "s" : f32[] = dense<[0.02]>
  %z = constant "z" : i32[] = dense<[-7]>
  %0 = quant.dequantize(%q, %s, %z) ${perTensor} : f32[2, 3, 8]
  %1 = quant.dequantize(%w, %t) ${perChannel} : f32[8, 8]
  %2 = aten.permute(%1) {dims = [1, 0]} : f32[8, 8]
  %3 = aten.view(%2) {size = [1, 8, 8]} : f32[1, 8, 8]
  %4 = aten.expand(%3) {size = [2, 8, 8]} : f32[2, 8, 8]
  %5 = aten.bmm(%0, %4) : f32[2, 3, 8]
  %6 = aten.relu(%5) : f32[2, 3, 8]
  %7 = aten.view(%6) {size = [6, 8]} : f32[6, 8]
  %8 = quant.quantize(%7, %s, %z) {dtype = i8, granularity = "tensor", qmax = 127, qmin = -128} : i8[6, 8]
  return %8
}`);
  expect(ops).toEqual({ 'aten.view': 1, 'fused.q8ta_linear': 1 });
});

test('W10: int32 biases, their scale a product of scales, go inside', async () => {
  const ops = await opsOf(`graph @main(%q: u8[3, 8]) {
${weight('w', [4, 8])}  %s = constant "s" : f32[] = dense<[0.02]>
  %z = constant "z" : i32[] = dense<[128]>
  %o = constant "o" : f32[] = dense<[0.1]>
  %b = parameter "b" : i32[4] = dense<[1000, -20000, 31, 7]>
  %0 = quant.dequantize(%q, %s, %z) {dtype = f32, granularity = "tensor", qmax = 255, qmin = 0} : f32[3, 8]
  %1 = quant.dequantize(%w, %t) ${perChannel} : f32[4, 8]
  %2 = aten.mul.Tensor(%t, %s) : f32[4]
  %3 = quant.dequantize(%b, %2) {axis = 0, dtype = f32, granularity = "axis", qmax = 2147483647, qmin = -2147483648} : f32[4]
  %4 = aten.linear(%0, %1, %3) : f32[3, 4]
  %5 = aten.relu6(%4) : f32[3, 4]
  %6 = quant.quantize(%5, %o) {dtype = u8, granularity = "tensor", qmax = 255, qmin = 0} : u8[3, 4]
  return %6
}`);
  expect(ops).toEqual({ 'fused.q8ta_linear': 1 });
});

test('W2: a float result of integers that stay where they are, then another layer', async () => {
  const ops = await opsOf(`graph @main(%x: f32[3, 8]) {
${weight('w', [8, 8])}  %s = constant "s" : f32[] = dense<[0.02]>
  %0 = quant.quantize(%x, %s) {dtype = i8, granularity = "tensor", qmax = 127, qmin = -128} : i8[3, 8]
  %1 = quant.dequantize(%0, %s) ${perTensor} : f32[3, 8]
  %2 = quant.dequantize(%w, %t) ${perChannel} : f32[8, 8]
  %3 = aten.linear(%1, %2) : f32[3, 8]
  %4 = aten.gelu(%3) : f32[3, 8]
  %5 = quant.quantize(%4, %s) {dtype = i8, granularity = "tensor", qmax = 127, qmin = -128} : i8[3, 8]
  %6 = quant.dequantize(%5, %s) ${perTensor} : f32[3, 8]
  %7 = aten.linear(%6, %2) : f32[3, 8]
  return %7
}`);
  expect(ops).toEqual({ 'aten.gelu': 1, 'fused.linear_q8ta_q8csw': 2, 'quant.quantize': 2 });
});

test('W8: factors of a product are not lost', async () => {
  const ops = await opsOf(`graph @main(%q: i8[3, 8]) {
${weight('w', [4, 8])}  %b = parameter "b" : f32[4] = dense<[1.0, -2.0, 3.0, 0.5]>
  %s = constant "s" : f32[] = dense<[0.02]>
  %0 = quant.dequantize(%q, %s) ${perTensor} : f32[3, 8]
  %1 = quant.dequantize(%w, %t) ${perChannel} : f32[4, 8]
  %2 = aten.permute(%1) {dims = [1, 0]} : f32[8, 4]
  %3 = aten.addmm(%b, %0, %2) {alpha = 2, beta = 3} : f32[3, 4]
  return %3
}`);
  expect(ops).toMatchObject({ 'aten.addmm': 1, 'quant.dequantize': 2 });
});

test.each([1, 2, 7, 's0'])('W20: %s rows are quantized and fused as any number is', async (rows) => {
  const ops = await opsOf(`graph @main(%x: f32[${rows}, 8]) where s0 in [1, 9] {
${weight('w', [4, 8])}  %0, %1 = quant.choose_qparams(%x) {granularity = "row", mapping = "asymmetric", qmax = 127, qmin = -128} : f32[${rows}, 1], i32[${rows}, 1]
  %2 = quant.quantize(%x, %0, %1) {dtype = i8, granularity = "row", qmax = 127, qmin = -128} : i8[${rows}, 8]
  %3 = quant.dequantize(%2, %0, %1) {dtype = f32, granularity = "row", qmax = 127, qmin = -128} : f32[${rows}, 8]
  %4 = quant.dequantize(%w, %t) ${perChannel} : f32[4, 8]
  %5 = aten.linear(%3, %4) : f32[${rows}, 4]
  return %5
}`);
  expect(ops).toEqual({ 'fused.dynamic_quantize': 1, 'fused.linear_dq8ca_q8csw': 1 });
});

test('W30: one weight for a lookup and a linear, each as integers', async () => {
  const ops = await opsOf(`graph @main(%i: i64[3]) {
${weight('w', [4, 8])}  %0 = quant.dequantize(%w, %t) ${perChannel} : f32[4, 8]
  %1 = aten.embedding(%0, %i) : f32[3, 8]
  %2, %3 = quant.choose_qparams(%1) {granularity = "row", mapping = "asymmetric", qmax = 127, qmin = -128} : f32[3, 1], i32[3, 1]
  %4 = quant.quantize(%1, %2, %3) {dtype = i8, granularity = "row", qmax = 127, qmin = -128} : i8[3, 8]
  %5 = quant.dequantize(%4, %2, %3) {dtype = f32, granularity = "row", qmax = 127, qmin = -128} : f32[3, 8]
  %6 = aten.linear(%5, %0) : f32[3, 4]
  return %6
}`);
  expect(ops).toEqual({ 'fused.dynamic_quantize': 1, 'fused.embedding_q8csw': 1, 'fused.linear_dq8ca_q8csw': 1 });
});
