import { Editor, Graph, type HostTensor, parseGraph, ShapeEnv, tensorOf } from '@qfuse/ir';
import { allOps, opTable } from '@qfuse/ops';
import { describe, expect, test } from 'vitest';
import { allowedError, difference, expectEquivalent, randomBindings } from './equivalence.js';
import { Random } from './random.js';

const f32 = (...data: number[]): HostTensor => tensorOf('f32', [data.length], data);
const i64 = (...data: number[]): HostTensor => tensorOf('i64', [data.length], data);
const ops = opTable(allOps);
const read = (text: string): Graph => parseGraph(text, { ops: (name) => ops.get(name) });
const unary = (body: string): Graph =>
  read(`graph @main(%x: f32[s0, 3]) where s0 in [1, 4] {\n  %0 = ${body} : f32[s0, 3]\n  return %0\n}`);

describe('allowedError', () => {
  const x = f32(1, -8, 4);
  test('is nothing for exact rules and for integers', () => {
    expect(allowedError('exact', x)).toBe(0);
    expect(allowedError('reassociates', i64(5))).toBe(0);
    expect(allowedError({ relative: 0.5 }, tensorOf('bool', [1], [1]))).toBe(0);
    expect(allowedError({ relative: 0.5, steps: 1 }, i64(5))).toBe(0);
  });
  test('is a share of the largest number', () => {
    expect(allowedError('reassociates', x)).toBe(8 * 4096 * 2 ** -24);
    expect(allowedError({ relative: 0.01 }, x)).toBeCloseTo(0.08);
  });
  test('is never less than two roundings of the dtype', () =>
    expect(allowedError({ relative: 0 }, tensorOf('f16', [1], [4]))).toBe(4 * 2 * 2 ** -11));
  test('leaves infinities and NaN out', () => expect(allowedError({ relative: 0.5 }, f32(2, Infinity, NaN))).toBe(1));
  test('of nothing is the sign of a zero', () => {
    const nothing = tensorOf('f32', [1], [0]);
    expect(allowedError('reassociates', nothing)).toBe(Number.MIN_VALUE);
    expect(difference(tensorOf('f32', [1], [-0]), nothing, allowedError('reassociates', nothing))).toBeUndefined();
  });
  test('of a sum that cancelled is a part of its terms', () =>
    expect(allowedError({ relative: 2 ** -20 }, tensorOf('f32', [1], [2 ** -10]), 8)).toBe(2 ** -17));
});

describe('difference', () => {
  test.each([
    ['equal numbers', f32(1, 2), f32(1, 2), 0],
    ['NaN equals NaN', f32(NaN), f32(NaN), 0],
    ['infinities of one sign', f32(Infinity, -Infinity), f32(Infinity, -Infinity), 1],
    ['numbers that are close enough', f32(1, 2), f32(1.25, 2), 0.25],
    ['zeros of two signs, where a difference is allowed', f32(0), f32(-0), 1e-6],
    ['64-bit integers', i64(2 ** 40), i64(2 ** 40), 0],
    ['nothing', f32(), f32(), 0],
  ])('%s', (_, a, b, allowed) => expect(difference(a, b, allowed)).toBeUndefined());

  test.each([
    ['numbers too far apart', f32(1, 2), f32(1, 2.5), 0.25, 'element 1 is 2, expected 2.5 (allowed difference 0.25)'],
    ['the next number, where nothing is allowed', f32(1), f32(1 + 2 ** -23), 0, 'element 0 is 1, expected 1.00000011920'],
    ['zeros of two signs, where nothing is allowed', f32(0), f32(-0), 0, 'element 0 is 0'],
    ['NaN and a number', f32(NaN), f32(1), 10, 'element 0 is NaN'],
    ['a number and NaN', f32(1), f32(NaN), 10, 'expected NaN'],
    ['infinities of two signs', f32(Infinity), f32(-Infinity), 10, 'element 0 is Infinity'],
    ['an infinity and a number', f32(Infinity), f32(1), 10, 'element 0 is Infinity'],
    ['integers', i64(1), i64(2), 0, 'element 0 is 1, expected 2'],
    ['another dtype', f32(1), tensorOf('f64', [1], [1]), 0, 'the result is f32[1], expected f64[1]'],
    ['another shape', f32(1, 2), tensorOf('f32', [1, 2], [1, 2]), 0, 'the result is f32[2], expected f32[1, 2]'],
  ])('%s', (_, a, b, allowed, text) => expect(difference(a, b, allowed)).toContain(text));
});

describe('randomBindings', () => {
  test('keeps to range and divisor', () => {
    const graph = new Graph('main');
    graph.env.declare('s0', { min: 8, max: 100, divisor: 8 });
    graph.env.declare('s1', { min: 3, max: 3 });
    graph.env.declare('s2', { min: 0, max: 0 });
    graph.env.declare('s3');
    for (let seed = 0; seed < 50; seed++) {
      const bindings = randomBindings(graph, new Random(seed));
      const check = new ShapeEnv();
      check.adopt(graph.env);
      for (const [name, value] of bindings) check.check(name, value, 'test');
      expect(bindings.get('s1')).toBe(3);
      expect(bindings.get('s2')).toBe(0);
      expect(bindings.get('s3')).toBeGreaterThan(0);
    }
  });
});

describe('expectEquivalent', () => {
  test('is content with equal graphs', () =>
    expect(expectEquivalent(unary('aten.neg(%x)'), unary('aten.mul.Scalar(%x) {other = -1}'), 'exact')).toBe(3));
  test('names seed, round, output and element of a wrong rewrite', () =>
    expect(() => expectEquivalent(unary('aten.neg(%x)'), unary('aten.mul.Scalar(%x) {other = -2}'), 'reassociates', 7)).toThrow(
      /seed 7, round 0, output 0: element \d+ is/,
    ));
  test('finds a zero of the wrong sign', () =>
    expect(() => expectEquivalent(unary('aten.clone(%x)'), unary('aten.add.Scalar(%x) {other = 0}'), 'exact')).toThrow('expected 0'));
  test('does not take one rounding for an exact rewrite', () => {
    const before = unary('aten.div.Scalar(%x) {other = 3}');
    const after = unary('aten.mul.Scalar(%x) {other = 0.3333333333333333}');
    expect(() => expectEquivalent(before, after, 'exact')).toThrow('allowed difference 0');
    expectEquivalent(before, after, { relative: 0 });
  });
  describe('of integers that may be a step off', () => {
    const quantized = (x: string): Graph =>
      read(`graph @main(%q: i8[8]) {
  %s = constant "s" : f32[] = dense<[0.5]>
  %0 = quant.dequantize(%q, %s) {dtype = f32, granularity = "tensor", qmax = 127, qmin = -128} : f32[8]
${x}  %2 = quant.quantize(%1, %s) {dtype = i8, granularity = "tensor", qmax = 127, qmin = -128} : i8[8]
  return %2
}`);
    // Half of all integers, so every second number lies at a tie.
    const half = quantized('  %1 = aten.mul.Scalar(%0) {other = 0.5} : f32[8]\n');
    const more = (by: string): Graph => quantized(`  %1 = aten.mul.Scalar(%0) {other = ${by}} : f32[8]\n`);
    test('takes steps at ties, as many as there are', () => {
      expectEquivalent(half, more('0.5000001'), { relative: 2 ** -20, steps: 1 });
      expectEquivalent(half, more('0.4999999'), { relative: 2 ** -20, steps: 1 });
    });
    test('takes none where the rule states none', () =>
      expect(() => expectEquivalent(half, more('0.5000001'), { relative: 2 ** -20 })).toThrow('allowed difference 0'));
    test('takes none beyond the bound', () =>
      expect(() => expectEquivalent(half, more('0.51'), { relative: 2 ** -20, steps: 1 })).toThrow('allowed difference 0'));
  });
  test('a sum that cancels may be off by a part of its terms', () => {
    const text = (w: string): Graph =>
      read(`graph @main(%x: f32[1, 1]) {
  %w = parameter "w" : f32[1, 2] = dense<[${w}]>
  %0 = aten.cat([%x, %x]) {dim = 1} : f32[1, 2]
  %1 = aten.linear(%0, %w) : f32[1, 1]
  return %1
}`);
    expectEquivalent(text('1000000.0, -999999.0'), text('1000001.0, -999999.0'), { relative: 2 ** -20 });
    expect(() => expectEquivalent(text('1000000.0, -999999.0'), text('1000010.0, -999999.0'), { relative: 2 ** -20 })).toThrow('element 0');
  });
  test('compares the new values of buffers', () => {
    const text = (op: string): string =>
      `graph @main(%x: f32[2]) {\n  %s = buffer "s" : f32[2] = dense<[0.0, 0.0]>\n  %0 = ${op}(%x) : f32[2]\n  mutate %s = %0\n  return\n}`;
    expect(() => expectEquivalent(read(text('aten.neg')), read(text('aten.abs')), 'exact')).toThrow('buffer "s"');
  });
  test('leaves out data that the program refuses, and says how often it did not', () => {
    const text = (index: number): string =>
      `graph @main(%x: f32[2]) {\n  %i = constant "i" : i64[1] = dense<[${index}]>\n  %0 = aten.index_select(%x, %i) {dim = 0} : f32[1]\n  return %0\n}`;
    expect(expectEquivalent(read(text(7)), read(text(7)), 'exact')).toBe(0);
    expect(() => expectEquivalent(read(text(1)), read(text(7)), 'exact')).toThrow('aten.index_select');
  });
  test('does not take graphs with other inputs', () => {
    const other = new Graph('main');
    new Editor(other).setOutputs([]);
    expect(() => expectEquivalent(unary('aten.neg(%x)'), other, 'exact')).toThrow('1 inputs were given, the program has 0');
  });
});
