import { parseGraph, tensorOf } from '@qfuse/ir';
import { allOps, opTable } from '@qfuse/ops';
import { expect, test } from 'vitest';
import { largestSum } from './index.js';

const ops = opTable(allOps);
const read = (text: string) => parseGraph(text, { ops: (name) => ops.get(name) });

test('is what the terms of a product add up to, whatever cancels', () => {
  const graph = read(`graph @main(%x: f32[s0, 2]) where s0 in [1, 4] {
  %w = parameter "w" : f32[1, 2] = dense<[1.0, -1.0]>
  %b = parameter "b" : f32[1] = dense<[-0.5]>
  %0 = aten.linear(%x, %w, %b) : f32[s0, 1]
  %1 = aten.relu(%0) : f32[s0, 1]
  return %1
}`);
  expect(largestSum(graph, [tensorOf('f32', [2, 2], [3, 3, -1, 2])])).toBe(6.5);
});

test('operands may be computed, and each product counts', () => {
  const graph = read(`graph @main(%x: f32[1, 2], %y: f32[2, 1]) {
  %0 = aten.neg(%x) : f32[1, 2]
  %1 = aten.mm(%0, %y) : f32[1, 1]
  %2 = aten.mm(%y, %1) : f32[2, 1]
  return %2
}`);
  const inputs = [tensorOf('f32', [1, 2], [1, 2]), tensorOf('f32', [2, 1], [-10, 5])];
  expect(largestSum(graph, inputs)).toBe(20);
  expect(largestSum(graph, inputs, undefined, (n) => n.result === graph.outputs[0])).toBe(0);
});

test('is 0 without sums of products, and does not count what is not finite', () => {
  const sumOf = (text: string): number => largestSum(read(text), [tensorOf('f32', [1, 1], [Infinity])]);
  expect(sumOf('graph @main(%x: f32[1, 1]) {\n  %0 = aten.neg(%x) : f32[1, 1]\n  return %0\n}')).toBe(0);
  expect(sumOf('graph @main(%x: f32[1, 1]) {\n  %0 = aten.mm(%x, %x) : f32[1, 1]\n  return %0\n}')).toBe(0);
});
