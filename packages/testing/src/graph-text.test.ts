import { printGraph, tensorFrom } from '@qfuse/ir';
import { allOps, opTable } from '@qfuse/ops';
import { expect, test } from 'vitest';
import { readGraph } from './graph-text.js';

const ops = opTable(allOps);
const dataOf = (text: string): Record<string, number[]> =>
  Object.fromEntries(readGraph(text, ops).constants.map(({ name, value }) => [name, Array.from(tensorFrom(value.constant!).data, Number)]));

const text = `graph @main(%x: f32[1, 8]) {
  %a = parameter "a" : f32[4, 8] = #w
  %b = parameter "b" : f32[4, 8] = #w
  %c = parameter "c" : f32[4, 8] = #v
  %q = parameter "q" : i8[4, 8] = #q
  %s = constant "s" : f32[2] = dense<[0.5, 0.25]>
  %t = constant "t" : f32[4] = #t
  %i = constant "i" : i64[8] = #i
  %0 = quant.dequantize(%q, %t) {axis = 0, dtype = f32, granularity = "axis", qmax = 7, qmin = -8} : f32[4, 8]
  %1 = aten.linear(%x, %0) : f32[1, 4]
  return %1, %a, %b, %c, %s, %i
}
`;

test('a name stands for data that are the same each time', () => {
  const data = dataOf(text);
  expect(data).toEqual(dataOf(text));
  expect(data['a']).toEqual(data['b']);
  expect(data['a']).not.toEqual(data['c']);
});

test('written data are taken as they are', () => expect(dataOf(text)['s']).toEqual([0.5, 0.25]));

test('integers keep to the range that their dequantize declares, ends included', () => {
  const q = dataOf(text)['q']!;
  expect([Math.min(...q), Math.max(...q)]).toEqual([-8, 7]);
});

test('wide integers may be indices', () => expect(new Set(dataOf(text)['i'])).toEqual(new Set([0, 1])));

test('the text stays the one that was read', () => expect(printGraph(readGraph(text, ops))).toBe(text));

test('one name for two types is data for each', () => {
  const data = dataOf('graph @main() {\n  %a = constant "a" : f32[2] = #w\n  %b = constant "b" : i8[3] = #w\n  return %a, %b\n}');
  expect([data['a']!.length, data['b']!.length]).toEqual([2, 3]);
});

test('an op that is not there is named', () =>
  expect(() => readGraph('graph @main(%x: f32[2]) {\n  %0 = toy.gone(%x) : f32[2]\n  return %0\n}', ops)).toThrow('toy.gone'));
