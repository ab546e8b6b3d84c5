import { type AnyOp, applyRules, Editor, parseGraph, printGraph, tensorType } from '@qfuse/plugin';
import { allOps, aten, opTable, quant } from '@qfuse/ops';
import { expectEquivalent, type Random, readGraph, type Soil, testPass } from '@qfuse/testing';
import { describe, expect, test } from 'vitest';
import foldQdq, { dropFakeQuantize, pass } from './index.js';

const ops = opTable(allOps);
const integers: Readonly<Record<'i8' | 'u8' | 'i4', readonly [number, number]>> = { i8: [-128, 127], u8: [0, 255], i4: [-8, 7] };

/** Mostly `good`, now and then one of `others`, which the rule must refuse or which make no difference. */
const mostly = <T>(random: Random, good: T, ...others: readonly T[]): T => (random.chance(0.85) ? good : random.pick(others));

const soil: Soil = {
  // Scales whose rounding errors are as large as they get, and some that are none.
  value: (name, random) =>
    name === 'integers'
      ? { type: tensorType('i8', [random.int(1, 4), 37]) }
      : {
          type: tensorType(mostly(random, 'f32', 'f64', 'f16'), []),
          range: mostly(
            random,
            random.pick([
              [1e-3, 1e-3],
              [0.1, 0.1],
              [1 / 3, 1 / 3],
              [7e20, 7e20],
            ]),
            [1e-39, 1e-39],
            [0, 0],
            [-0.5, -0.5],
            [3e38, 3e38],
          ),
        },
  attrs: (op: AnyOp, random, operands) => {
    if (op === aten.Permute) return { dims: [1, 0] };
    if (op === aten.View) return { size: operands[0]!.type.shape.toReversed() };
    const [qmin, qmax] = mostly(random, integers.i8, integers.u8, integers.i4);
    const shared = {
      granularity: 'tensor',
      axis: undefined,
      group_size: undefined,
      block_size: undefined,
      qmin,
      qmax,
      compute: mostly(random, 'f32', 'f64', 'f16'),
    };
    return op === quant.Quantize
      ? { ...shared, round_last: random.chance(0.5), dtype: mostly(random, 'i8', 'u8') }
      : { ...shared, dtype: mostly(random, 'f32', 'f64', 'f16') };
  },
};

testPass(import.meta.url, foldQdq(), { soil: { 'fold-qdq/quantize-dequantize': soil }, plants: 120, reach: 0.2 });

const fakeQuantize = (second: string): string => `graph @main(%x: f32[4]) {
  %s = constant "s" : f32[] = dense<[0.5]>
  %t = constant "t" : f32[] = dense<[0.25]>
  %0 = quant.quantize(%x, %s) {dtype = i8, granularity = "tensor", qmax = 127, qmin = -128} : i8[4]
  %1 = quant.dequantize(%0, ${second}) {dtype = f32, granularity = "tensor", qmax = 127, qmin = -128} : f32[4]
  return %1
}`;

describe('the option lossy', () => {
  const folded = (text: string, lossy: boolean): string => {
    const graph = parseGraph(text, { ops: (name) => ops.get(name) });
    applyRules(new Editor(graph), pass.with({ lossy }).rules!);
    return printGraph(graph);
  };

  test('is off unless it is asked for', () => {
    expect(pass.rules).not.toContain(dropFakeQuantize);
    expect(foldQdq().passes![0]!.options).toEqual({ lossy: false });
    expect(foldQdq({ lossy: true }).passes![0]!.rules).toContain(dropFakeQuantize);
  });

  test('takes a pair on one grid out', () => {
    expect(folded(fakeQuantize('%s'), true)).toContain('return %x');
    expect(folded(fakeQuantize('%s'), false)).toContain('return %1');
  });

  test('W17: leaves a pair on two grids', () => expect(folded(fakeQuantize('%t'), true)).toContain('return %1'));
});

test.each(['i8', 'u8'] as const)('every %s comes back for scales of all sizes', (dtype) => {
  const [qmin, qmax] = integers[dtype];
  const all = Array.from({ length: 256 }, (_, i) => qmin + i);
  for (const scale of [2 ** -100, 1.1754943508222875e-30, 0.1, 1 / 3, 0.0078740157186985, 123456.79, 2 ** 100])
    for (const zero of [qmin, 0, 13, qmax]) {
      const text = `graph @main() {
  %q = constant "q" : ${dtype}[256] = dense<[${all.join(', ')}]>
  %s = constant "s" : f32[] = dense<[${scale}]>
  %z = constant "z" : i64[] = dense<[${zero}]>
  %0 = quant.dequantize(%q, %s, %z) {dtype = f32, granularity = "tensor", qmax = ${qmax}, qmin = ${qmin}} : f32[256]
  %1 = quant.quantize(%0, %s, %z) {dtype = ${dtype}, granularity = "tensor", qmax = ${qmax}, qmin = ${qmin}} : ${dtype}[256]
  return %1
}`;
      const graph = readGraph(text, ops);
      const report = applyRules(new Editor(graph), pass.rules!);
      expect(report.applied, `scale ${scale}, zero point ${zero}`).toBe(1);
      expectEquivalent(readGraph(text, ops), graph, 'exact');
    }
});
