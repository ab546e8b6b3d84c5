import { Graph, tensorOf, type TensorType, tensorType, typeText } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { dequantized, dyadics, generator, integers, linear, numbersOf } from '../../test/quantized.js';
import { inferOp, runOp } from '../../test/run-op.js';
import type { OpDefinition } from '../define.js';
import { LinearQ4gsw, LinearQ8gsw, LinearQcs4w, LinearQcs8w } from './index.js';

interface Scheme {
  readonly op: OpDefinition;
  readonly dtype: 'i8' | 'i4';
  readonly range: readonly [number, number];
  readonly grouped: boolean;
}
const schemes: readonly Scheme[] = [
  { op: LinearQcs8w, dtype: 'i8', range: [-128, 127], grouped: false },
  { op: LinearQcs4w, dtype: 'i4', range: [-8, 7], grouped: false },
  { op: LinearQ8gsw, dtype: 'i8', range: [-128, 127], grouped: true },
  { op: LinearQ4gsw, dtype: 'i4', range: [-8, 7], grouped: true },
];

interface Case {
  readonly lead?: readonly number[];
  readonly n: number;
  readonly groups: number;
  readonly size: number;
  readonly zeros?: 'i8' | 'i32' | 'i64';
  readonly bias?: boolean;
  readonly float?: 'f32' | 'f16' | 'bf16';
  readonly scale?: 'f32' | 'f64' | 'f16' | 'bf16';
}

/** Operands of one linear, and what it is by definition. */
function draw({ op, dtype, range, grouped }: Scheme, given: Case) {
  const { lead = [2], n, groups, size, float = 'f32', scale = 'f32' } = given;
  const next = generator(n * 31 + groups * 7 + size);
  const k = groups * size;
  const shape = grouped ? [n, groups] : [n];
  const operands = {
    input: dyadics(next, float, [...lead, k]),
    weight: integers(next, dtype, [n, k], ...range),
    scales: dyadics(next, scale, shape),
    zero_points: given.zeros === undefined ? undefined : integers(next, given.zeros, shape, -20, 20),
    bias: given.bias === true ? dyadics(next, float, [n], 8) : undefined,
  };
  const weight = dequantized(operands.weight, operands.scales, operands.zero_points);
  const wanted = lead.includes(0) ? [] : linear(numbersOf(operands.input), weight, operands.bias);
  return { op, operands, wanted: tensorOf(float, [...lead, n], wanted) };
}

describe.each(schemes)('$op.name', (scheme) => {
  const groups = scheme.grouped ? 3 : 1;
  test.each<[string, Case]>([
    ['a matrix', { n: 4, groups, size: 8 }],
    ['odd sizes', { lead: [5], n: 19, groups: scheme.grouped ? 3 : 1, size: 37 }],
    ['one of everything', { lead: [1], n: 1, groups: 1, size: 1 }],
    ['a vector', { lead: [], n: 3, groups, size: 5 }],
    ['five axes', { lead: [2, 1, 3, 2], n: 5, groups, size: 4 }],
    ['groups of one', { n: 3, groups: scheme.grouped ? 5 : 1, size: scheme.grouped ? 1 : 5 }],
    ['a group of 256', { lead: [1], n: 2, groups: scheme.grouped ? 2 : 1, size: 256 }],
    ['a bias', { n: 5, groups, size: 6, bias: true }],
    ['zero points', { n: 5, groups, size: 6, zeros: 'i32' }],
    ['zero points in 8 bits and a bias', { n: 4, groups, size: 7, zeros: 'i8', bias: true }],
    ['zero points in 64 bits', { n: 4, groups, size: 7, zeros: 'i64' }],
    ['scales in f64', { n: 4, groups, size: 7, scale: 'f64' }],
    ['scales in f16', { n: 4, groups, size: 7, scale: 'f16', zeros: 'i32' }],
    ['f16', { n: 4, groups, size: 9, float: 'f16', bias: true }],
    ['bf16', { n: 4, groups, size: 9, float: 'bf16', scale: 'bf16', zeros: 'i32' }],
    ['no rows', { lead: [0], n: 4, groups, size: 8 }],
    ['no rows in the middle', { lead: [2, 0, 3], n: 4, groups, size: 8, bias: true }],
    ['no outputs', { n: 0, groups, size: 8 }],
  ])('%s', (_, given) => {
    const { op, operands, wanted } = draw(scheme, given);
    expect(runOp(op, operands)).toEqual([wanted]);
  });
});

test('without inputs only the bias is left', () => {
  const operands = { input: tensorOf('f32', [2, 0], []), weight: tensorOf('i8', [2, 0], []), scales: tensorOf('f32', [2], [1, 1]) };
  expect(numbersOf(runOp(LinearQcs8w, operands)[0])).toEqual([0, 0, 0, 0]);
  expect(numbersOf(runOp(LinearQcs8w, { ...operands, bias: tensorOf('f32', [2], [3, -1]) })[0])).toEqual([3, -1, 3, -1]);
});

test('sums are taken in float64 and rounded once', () => {
  const k = 4000;
  const big = 2 ** 24;
  const operands = {
    input: tensorOf(
      'f32',
      [1, k],
      Array.from({ length: k }, (_, i) => (i === 0 ? big : i === k - 1 ? -big : 1)),
    ),
    weight: tensorOf('i8', [1, k], new Array<number>(k).fill(1)),
    scales: tensorOf('f32', [1], [1]),
  };
  expect(numbersOf(runOp(LinearQcs8w, operands)[0])).toEqual([k - 2]);
});

test('a group has its own scale and zero point', () => {
  const operands = {
    input: tensorOf('f32', [1, 4], [1, 10, 100, 1000]),
    weight: tensorOf('i4', [1, 4], [1, 2, 3, 4]),
    scales: tensorOf('f32', [1, 2], [1, 0.5]),
    zero_points: tensorOf('i32', [1, 2], [1, 2]),
  };
  expect(numbersOf(runOp(LinearQ4gsw, operands)[0])).toEqual([0 * 1 + 1 * 10 + (1 * 100 + 2 * 1000) / 2]);
});

describe('types', () => {
  const graph = new Graph();
  const m = graph.env.declare('m', { min: 1 });
  const f32 = (...shape: TensorType['shape']): TensorType => tensorType('f32', shape);
  const good = { input: f32(m, 8), weight: tensorType('i4', [6, 8]), scales: f32(6, 2) };
  test('rows may be symbolic, the dtype is that of the input', () => {
    expect(inferOp(LinearQ4gsw, good, {}, graph).map(typeText)).toEqual(['f32[m, 6]']);
    const half = { ...good, input: tensorType('f16', [2, m, 8]), bias: tensorType('f16', [6]), zero_points: tensorType('i8', [6, 2]) };
    expect(inferOp(LinearQ4gsw, half, {}, graph).map(typeText)).toEqual(['f16[2, m, 6]']);
  });

  test.each<[string, OpDefinition, Readonly<Record<string, TensorType>>, RegExp]>([
    ['a weight of another width', LinearQ4gsw, { ...good, weight: tensorType('i8', [6, 8]) }, /weight.*i8.*i4/],
    [
      'a weight of another rank',
      LinearQ4gsw,
      { ...good, weight: tensorType('i4', [6, 8, 1]) },
      /weight has shape \[6, 8, 1\], expected \[N, K\]/,
    ],
    ['another K', LinearQ4gsw, { ...good, input: f32(m, 9) }, /input has shape \[m, 9\], expected its last dim to be \[8\]/],
    ['an input without axes', LinearQ4gsw, { ...good, input: f32() }, /input has shape \[\], expected its last dim to be \[8\]/],
    ['an input of integers', LinearQ4gsw, { ...good, input: tensorType('i8', [m, 8]) }, /input.*i8/],
    ['scales of channels', LinearQ4gsw, { ...good, scales: f32(6) }, /scales has shape \[6\], expected \[6, G\]/],
    ['scales of groups', LinearQcs4w, good, /scales has shape \[6, 2\], expected \[6\]/],
    ['scales of other channels', LinearQ4gsw, { ...good, scales: f32(5, 2) }, /scales has shape \[5, 2\], expected \[6, G\]/],
    [
      'groups that do not divide',
      LinearQ4gsw,
      { ...good, scales: f32(6, 3) },
      /scales has shape \[6, 3\]: \[3\] groups do not divide K = \[8\]/,
    ],
    ['no groups', LinearQ4gsw, { ...good, scales: f32(6, 0) }, /\[0\] groups do not divide/],
    [
      'zero points of another shape',
      LinearQ4gsw,
      { ...good, zero_points: tensorType('i32', [6]) },
      /zero_points has shape \[6\], expected \[6, 2\]/,
    ],
    ['zero points of other groups', LinearQ4gsw, { ...good, zero_points: tensorType('i32', [6, 4]) }, /zero_points has shape \[6, 4\]/],
    ['zero points that are floats', LinearQ4gsw, { ...good, zero_points: f32(6, 2) }, /zero_points.*f32/],
    ['a bias of another size', LinearQ4gsw, { ...good, bias: f32(8) }, /bias has shape \[8\], expected \[6\]/],
    ['a bias for each row', LinearQ4gsw, { ...good, bias: f32(1, 6) }, /bias has shape \[1, 6\], expected \[6\]/],
  ])('refuses %s', (_, op, operands, why) => expect(() => inferOp(op, operands, {}, graph)).toThrow(why));
});
