import { type Graph, type HostTensor, parseGraph, tensorOf } from '@qfuse/ir';
import { allOps, opTable } from '@qfuse/ops';
import { describe, expect, test } from 'vitest';
import { replay } from './index.js';

const ops = opTable(allOps);
const read = (text: string): Graph => parseGraph(text, { ops: (name) => ops.get(name) });
const f32 = (...data: number[]): HostTensor => tensorOf('f32', [data.length], data);
const i8 = (...data: number[]): HostTensor => tensorOf('i8', [data.length], data);
const numbers = (t: HostTensor | undefined): number[] => Array.from(t!.data, Number);

describe('replay', () => {
  const quantize = read(`graph @main(%x: f32[3]) {
  %s = constant "s" : f32[] = dense<[0.5]>
  %0 = quant.quantize(%x, %s) {dtype = i8, granularity = "tensor", qmax = 127, qmin = -128} : i8[3]
  %1 = quant.dequantize(%0, %s) {dtype = f32, granularity = "tensor", qmax = 127, qmin = -128} : f32[3]
  return %0, %1
}`);
  // In steps of 0.5: 0.5, 2.01 and −3.5.
  const x = f32(0.25, 1.005, -1.75);
  const outputs = (codes: readonly HostTensor[], relative = 1e-6): number[][] =>
    replay(quantize, [x], codes, relative).outputs.map(numbers);
  const own = [
    [0, 2, -4],
    [0, 1, -2],
  ];

  test('without other integers is a run', () => expect(outputs([])).toEqual(own));
  test('takes integers at ties, and goes on with them', () =>
    expect(outputs([i8(1, 2, -3)])).toEqual([
      [1, 2, -3],
      [0.5, 1, -1.5],
    ]));
  test('says how many it took that were others', () => {
    expect(replay(quantize, [x], [i8(1, 2, -3)], 1e-6).taken).toBe(2);
    expect(replay(quantize, [x], [i8(0, 2, -4)], 1e-6).taken).toBe(0);
  });
  test('takes the first that agree elsewhere', () => expect(outputs([i8(1, 3, -3), i8(0, 2, -3)])[0]).toEqual([0, 2, -3]));
  test.each([
    ['not at a tie', i8(0, 3, -4)],
    ['two steps off', i8(2, 2, -4)],
    ['of another dtype', tensorOf('u8', [3], [1, 2, 4])],
    ['of another size', i8(1, 2)],
  ])('does not take integers %s', (_, codes) => expect(outputs([codes])).toEqual(own));
  test('how near a tie has to be is a part of the largest number', () => {
    // 2.01 is 0.49 from a tie; the largest number is 3.5.
    expect(outputs([i8(0, 3, -4)], 0.48 / 3.5)).toEqual(own);
    expect(outputs([i8(0, 3, -4)], 0.5 / 3.5)[0]).toEqual([0, 3, -4]);
  });

  test('zero points are integers too, and integers follow them', () => {
    const graph = read(`graph @main(%x: f32[2]) {
  %0, %1 = quant.choose_qparams(%x) {granularity = "tensor", mapping = "asymmetric", qmax = 5, qmin = 0} : f32[], i32[]
  %2 = quant.quantize(%x, %0, %1) {dtype = i8, granularity = "tensor", qmax = 5, qmin = 0} : i8[2]
  return %1, %2
}`);
    const run = (zero: number): number[][] => replay(graph, [f32(-2.5, 2.5)], [tensorOf('i32', [], [zero])], 1e-6).outputs.map(numbers);
    expect(run(2)).toEqual([[2], [0, 4]]);
    expect(run(3)).toEqual([[3], [1, 5]]);
    expect(run(4)).toEqual([[2], [0, 4]]);
  });

  test('what a sum of products was added up from decides how near a tie is', () => {
    const graph = read(`graph @main(%x: f32[1, 2]) {
  %s = constant "s" : f32[] = dense<[1.0]>
  %w = parameter "w" : f32[1, 2] = dense<[1000.0, -1000.0]>
  %0 = aten.linear(%x, %w) : f32[1, 1]
  %1 = aten.view(%0) {size = [1]} : f32[1]
  %2 = aten.relu(%1) : f32[1]
  %3 = quant.quantize(%2, %s) {dtype = i8, granularity = "tensor", qmax = 127, qmin = -128} : i8[1]
  return %3, %2
}`);
    const inputs = [tensorOf('f32', [1, 2], [1.000625, 1])];
    const { outputs: made, magnitudes } = replay(graph, inputs, [i8(0)], 2 ** -12);
    expect(numbers(made[0])).toEqual([0]);
    expect(magnitudes[1]).toBeCloseTo(2000.625, 2);
    expect(numbers(replay(graph, inputs, [i8(0)], 2 ** -15).outputs[0])).toEqual([1]);
  });
});

describe('magnitudes', () => {
  const of = (text: string, ...inputs: HostTensor[]): readonly number[] => replay(read(text), inputs, [], 0).magnitudes;

  test('of a product are what its terms add up to, whatever cancels', () =>
    expect(
      of(
        `graph @main(%x: f32[s0, 2]) where s0 in [1, 4] {
  %w = parameter "w" : f32[1, 2] = dense<[1.0, -1.0]>
  %b = parameter "b" : f32[1] = dense<[-0.5]>
  %0 = aten.linear(%x, %w, %b) : f32[s0, 1]
  %1 = aten.relu(%0) : f32[s0, 1]
  %2 = aten.exp(%1) : f32[s0, 1]
  return %0, %1, %2
}`,
        tensorOf('f32', [2, 2], [3, 3, -1, 2]),
      ),
    ).toEqual([6.5, 6.5, 1]));

  test.each([
    ['relu', '', 1],
    ['neg', '', 1],
    ['tanh', '', 1],
    ['sigmoid', '', 1 / 4],
    ['silu', '', 1.1],
    ['gelu', ' {approximate = "none"}', 1.13],
    ['gelu', ' {approximate = "tanh"}', 1.13],
  ])('of %s%s are those of what it reads times its steepest slope', (name, attrs, slope) => {
    const graph = read(`graph @main(%x: f32[1, 2], %w: f32[1, 2], %y: f32[513]) {
  %0 = aten.linear(%x, %w) : f32[1, 1]
  %1 = aten.${name}(%0)${attrs} : f32[1, 1]
  %2 = aten.${name}(%y)${attrs} : f32[513]
  return %1, %2
}`);
    const y = tensorOf(
      'f32',
      [513],
      Array.from({ length: 513 }, (_, i) => (i - 256) / 64),
    );
    const row = (...data: number[]): HostTensor => tensorOf('f32', [1, 2], data);
    // 1000 − 1001: what cancelled is a thousand times as large as the result.
    const { outputs, magnitudes } = replay(graph, [row(1, 1), row(1000, -1001), y], [], 0);
    expect(magnitudes[0]).toBe(slope * 2001);
    const values = numbers(outputs[1]);
    const steepest = Math.max(...values.slice(1).map((v, i) => 64 * Math.abs(v - values[i]!)));
    expect(steepest).toBeLessThanOrEqual(slope * (1 + 2 ** -16));
    expect(steepest).toBeGreaterThan(0.99 * slope);
  });
  test('of anything else are its largest element, infinities left out', () =>
    expect(of('graph @main(%x: f32[3]) {\n  %0 = aten.neg(%x) : f32[3]\n  return %0, %x\n}', f32(1, -3, Infinity))).toEqual([3, 3]));
});
