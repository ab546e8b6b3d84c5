import { parseGraph, printGraph, tensorOf, constantOf, Graph, Editor, tensorType } from '@qfuse/ir';
import { allOps, aten, fused, opTable, quant } from '@qfuse/ops';
import { expect, test } from 'vitest';
import { runGraph } from './index.js';

const ops = opTable(allOps);
const parse = (text: string) => parseGraph(text, { ops: (name) => ops.get(name) });

test('runs a graph of two ops', () => {
  const graph = parse(`
graph @main(%x: f32[s0, 2]) where s0 in [1, 8] {
  %w = parameter "w" : i8[3, 2] = dense<[1, 2, 3, 4, 5, 6]>
  %s = parameter "s" : f32[3] = dense<[1.0, 0.5, 2.0]>
  %d = quant.dequantize(%w, %s) {axis = 0, dtype = f32, granularity = "axis", qmax = 127, qmin = -128} : f32[3, 2]
  %y = aten.linear(%x, %d) : f32[s0, 3]
  %z = fused.linear_qcs8w(%x, %w, %s) : f32[s0, 3]
  return %y, %z
}`);
  const { outputs } = runGraph(graph, [tensorOf('f32', [1, 2], [1, 10])]);
  expect([...outputs[0]!.data]).toEqual([21, 21.5, 130]);
  expect(outputs[1]).toEqual(outputs[0]);
  expect(printGraph(parse(printGraph(graph)))).toBe(printGraph(graph));
});
