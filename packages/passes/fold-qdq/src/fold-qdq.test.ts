import { applyRules, Editor, parseGraph, printGraph, tensorType } from '@qfuse/plugin';
import { allOps, opTable, quant } from '@qfuse/ops';
import { testPass } from '@qfuse/testing';
import { expect, test } from 'vitest';
import foldQdq, { dropFakeQuantize, pass } from './index.js';

testPass(import.meta.url, foldQdq(), {
  soil: {
    'fold-qdq/quantize-dequantize': {
      value: (name, random) => (name === 'integers' ? { type: tensorType('i8', [random.int(1, 4), 3]) } : { type: tensorType('f32', []) }),
      attrs: (op, random) => ({ granularity: 'tensor', axis: undefined, group_size: undefined, block_size: undefined, qmin: -128, qmax: 127, dtype: op === quant.Quantize ? 'i8' : random.pick(['f32', 'f32', 'f16']) }),
    },
  },
});

test('the lossy fold happens only when it is asked for', () => {
  const ops = opTable(allOps);
  const graph = parseGraph(
    `graph @main(%x: f32[4]) {
  %s = constant "s" : f32[] = dense<[0.5]>
  %0 = quant.quantize(%x, %s) {dtype = i8, granularity = "tensor", qmax = 127, qmin = -128} : i8[4]
  %1 = quant.dequantize(%0, %s) {dtype = f32, granularity = "tensor", qmax = 127, qmin = -128} : f32[4]
  return %1
}`,
    { ops: (name) => ops.get(name) },
  );
  expect(pass.rules).not.toContain(dropFakeQuantize);
  expect(pass.with({ lossy: true }).rules).toContain(dropFakeQuantize);
  applyRules(new Editor(graph), pass.with({ lossy: true }).rules!);
  expect(printGraph(graph)).toContain('return %x');
});
