import { defineOp, definePlugin, Editor, type Graph, opTable, printGraph, runPlan, createPlan, tensor } from '@qfuse/plugin';
import { allOps } from '@qfuse/ops';
import { expectEquivalent, readGraph, testPass } from '@qfuse/testing';
import { describe, expect, test } from 'vitest';
import foldConstants, { type FoldConstantsOptions, pass } from './index.js';

/** Stands for a random source: it must be computed anew in each run. */
const noise = defineOp({
  name: 'toy.noise',
  summary: 'an op that must not be computed early',
  operands: { self: tensor() },
  pure: false,
  infer: ({ operands: { self } }) => [self],
  reference: ({ operands: { self } }) => [self],
});

/** An op with a defect: what it throws must reach the user. */
const broken = defineOp({
  name: 'toy.broken',
  summary: 'an op whose reference fails',
  operands: { self: tensor() },
  infer: ({ operands: { self } }) => [self],
  reference: () => {
    throw new TypeError('a defect');
  },
});

testPass(import.meta.url, foldConstants(), { with: definePlugin({ name: 'toy', version: '0.0.0', api: 1, ops: [noise] }) });

const ops = opTable([...allOps, noise, broken]);
const read = (text: string): Graph => readGraph(text, ops);

async function folded(text: string, options: FoldConstantsOptions = {}): Promise<string> {
  const graph = read(text);
  await runPlan(graph, createPlan(foldConstants(options).passes!), { verify: 'each' });
  expectEquivalent(read(text), graph, 'exact');
  return printGraph(graph);
}

describe('the option limit', () => {
  const text = (size: number): string => `graph @main() {
  %c = constant "c" : f32[1] = dense<[2.0]>
  %0 = aten.expand(%c) {size = [${size}]} : f32[${size}]
  return %0
}`;
  test('counts bytes, less those of the constants that go', async () => {
    expect(await folded(text(3), { limit: 8 })).not.toContain('aten.expand');
    expect(await folded(text(3), { limit: 7 })).toContain('aten.expand');
  });
  test('a constant with another reader does not go', async () => {
    const shared = text(3).replace('return %0', 'return %0, %c');
    expect(await folded(shared, { limit: 8 })).toContain('aten.expand');
    expect(await folded(shared, { limit: 12 })).not.toContain('aten.expand');
  });
  test('0 allows what does not grow', async () => expect(await folded(text(1), { limit: 0 })).not.toContain('aten.expand'));
  test('is a number of bytes', () => expect(() => foldConstants({ limit: -1 })).toThrow('int >= 0'));
});

test('the option dequantize turns weights into floats', async () => {
  const text = `graph @main() {
  %w = parameter "w" : i8[2, 2] = dense<[1, 2, 3, 4]>
  %s = constant "s" : f32[2] = dense<[0.5, 0.25]>
  %0 = quant.dequantize(%w, %s) {axis = 0, dtype = f32, granularity = "axis", qmax = 127, qmin = -128} : f32[2, 2]
  return %0
}`;
  expect(await folded(text)).toContain('quant.dequantize');
  expect(await folded(text, { dequantize: true })).toContain('dense<[0.5, 1.0, 0.75, 1.0]>');
});

describe('integers that are unpacked', () => {
  /** Eight integers of 4 bits in each i32, as GPTQ packs them; they are dequantized with the range [0, qmax]. */
  const packed = (qmax: number, returned = ''): string => `graph @main() {
  %w = buffer "w" : i32[1, 4] = dense<[-2023406815, 1, 1985229328, -1]>
  %p = constant "p" : i32[1, 8, 1] = dense<[0, 4, 8, 12, 16, 20, 24, 28]>
  %s = parameter "s" : f32[8] = #s
  %0 = aten.view(%w) {size = [1, 1, 4]} : i32[1, 1, 4]
  %1 = aten.expand(%0) {size = [1, 8, 4]} : i32[1, 8, 4]
  %2 = aten.bitwise_right_shift.Tensor(%1, %p) : i32[1, 8, 4]
  %3 = aten._to_copy(%2) {dtype = i8} : i8[1, 8, 4]
  %4 = aten.bitwise_and.Scalar(%3) {other = 15} : i8[1, 8, 4]
  %5 = aten.view(%4) {size = [8, 4]} : i8[8, 4]
  %6 = quant.dequantize(%5, %s) {axis = 0, dtype = f32, granularity = "axis", qmax = ${qmax}, qmin = 0} : f32[8, 4]
  return %6${returned}
}`;
  test('are one constant, whose range says that it is not larger', async () => {
    const text = await folded(packed(15, ', %p'), { limit: 0 });
    expect(text.match(/= (aten|quant)\.[a-z_]+/g)).toEqual(['= quant.dequantize']);
    expect(text).toMatch(/%folded\w+ = constant "\w+" : i8\[8, 4\]/);
  });
  test('stay packed where the range does not say so', async () =>
    expect(await folded(packed(255, ', %p'), { limit: 0 })).toContain('aten.bitwise_and.Scalar'));
  test('stay packed where the packed ones stay for another reader', async () => {
    expect(await folded(packed(15, ', %w, %p'), { limit: 15 })).toContain('aten.bitwise_and.Scalar');
  });
  test('are not unpacked through values that are larger than unpacking explains', async () => {
    const wide = packed(15).replaceAll('[1, 8, 4]', '[1, 80, 4]').replaceAll('[8, 4]', '[80, 4]').replaceAll('f32[8]', 'f32[80]');
    const text = wide.replace('i32[1, 8, 1] = dense<[0, 4, 8, 12, 16, 20, 24, 28]>', 'i32[1, 1, 1] = dense<[0]>');
    expect(await folded(text, { limit: 0 })).toContain('aten.bitwise_and.Scalar');
    expect(await folded(text, { limit: 4000 })).not.toContain('aten.bitwise_and.Scalar');
  });
});

test('what many large values lead to is given up after some of them', async () => {
  const steps = Array.from({ length: 300 }, (_, i) => `  %${i + 1} = aten.neg(%${i}) : f32[64]`).join('\n');
  const text = `graph @main() {
  %c = constant "c" : f32[1] = dense<[1.0]>
  %0 = aten.expand(%c) {size = [64]} : f32[64]
${steps}
  %301 = aten.select.int(%300) {dim = 0, index = 0} : f32[]
  return %301
}`;
  expect(await folded(text, { limit: 63 })).toContain('aten.select.int');
});

test('impure nodes are not computed early', async () => {
  const text = `graph @main() {
  %w = parameter "w" : f32[1] = dense<[1.0]>
  %0 = toy.noise(%w) : f32[1]
  return %0
}`;
  expect(await folded(text)).toContain('toy.noise');
});

test('constants whose data are not there stay', async () => {
  const graph = read('graph @main() {\n  return\n}');
  const { Constant, tensorType } = await import('@qfuse/plugin');
  const edit = new Editor(graph);
  const w = edit.constant(Constant.unresolved(tensorType('f32', [2]), '00'), 'w');
  edit.setOutputs([edit.createFromSlots(ops.get('aten.neg')!, [w]).result]);
  await runPlan(graph, createPlan([pass]), { verify: 'each' });
  expect(printGraph(graph)).toContain('aten.neg');
});

test('a defect of an op is not hidden', async () => {
  const text = `graph @main() {
  %w = parameter "w" : f32[1] = dense<[1.0]>
  %0 = toy.broken(%w) : f32[1]
  return %0
}`;
  await expect(folded(text)).rejects.toThrow('a defect');
});
