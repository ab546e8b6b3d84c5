import { Graph, type HostTensor, tensorOf, type TensorType, tensorType, typeText } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { dequantized, dyadics, generator, integers, linear, numbersOf } from '../../test/quantized.js';
import { inferOp, runOp } from '../../test/run-op.js';
import type { OpDefinition } from '../define.js';
import {
  LinearDq8caQ4csw,
  LinearDq8caQ4gsw,
  LinearDq8caQ8csw,
  LinearDq8caQ8gsw,
  LinearQ8taQ4csw,
  LinearQ8taQ4gsw,
  LinearQ8taQ8csw,
  LinearQ8taQ8gsw,
  Q8taLinear,
} from './index.js';

interface Case {
  readonly lead?: readonly number[];
  readonly n?: number;
  readonly size?: number;
  readonly stored?: 'i8' | 'u8';
  /** Shape of scale and zero point of the input. */
  readonly parameters?: readonly number[];
  readonly inputZeros?: 'i8' | 'u8' | 'i32' | 'i64' | 'f32';
  readonly zeros?: 'i8' | 'i32';
  readonly bias?: boolean;
  readonly float?: 'f32' | 'f64' | 'f16' | 'bf16';
  readonly scale?: 'f32' | 'f64' | 'f16';
}

/** Every input as the number that it stands for; parameters are one pair or one a row. */
function inputs(input: HostTensor, scale: HostTensor, zero: HostTensor | undefined): number[] {
  const k = input.shape.at(-1)!;
  const at = (t: HostTensor, i: number): number => Number(t.data[t.data.length === 1 ? 0 : Math.floor(i / k)]);
  return numbersOf(input).map((q, i) => (q - (zero === undefined ? 0 : at(zero, i))) * at(scale, i));
}

function draw(bits: 4 | 8, grouped: boolean, given: Case) {
  const { lead = [3], n = 4, size = 8, stored = 'i8', parameters = [], scale = 'f32' } = given;
  const next = generator(n * 31 + size + bits);
  const groups = grouped ? 3 : 1;
  const shape = grouped ? [n, groups] : [n];
  const k = groups * size;
  const operands = {
    input: integers(next, stored, [...lead, k], stored === 'i8' ? -128 : 0, stored === 'i8' ? 127 : 255),
    input_scale: dyadics(next, scale, parameters),
    input_zero_point: given.inputZeros === undefined ? undefined : integers(next, given.inputZeros, parameters, 0, 100),
    weight: integers(next, bits === 4 ? 'i4' : 'i8', [n, k], -(2 ** (bits - 1)), 2 ** (bits - 1) - 1),
    scales: dyadics(next, scale, shape),
    zero_points: given.zeros === undefined ? undefined : integers(next, given.zeros, shape, -20, 20),
    bias: given.bias === true ? dyadics(next, 'f32', [n], 8) : undefined,
  };
  const x = inputs(operands.input, operands.input_scale, operands.input_zero_point);
  const sums = lead.includes(0) ? [] : linear(x, dequantized(operands.weight, operands.scales, operands.zero_points), operands.bias);
  return { operands, sums, shape: [...lead, n] };
}

const dynamic: readonly (readonly [OpDefinition, 4 | 8, boolean])[] = [
  [LinearDq8caQ8csw, 8, false],
  [LinearDq8caQ4csw, 4, false],
  [LinearDq8caQ8gsw, 8, true],
  [LinearDq8caQ4gsw, 4, true],
];
const fixed: readonly (readonly [OpDefinition, 4 | 8, boolean])[] = [
  [LinearQ8taQ8csw, 8, false],
  [LinearQ8taQ4csw, 4, false],
  [LinearQ8taQ8gsw, 8, true],
  [LinearQ8taQ4gsw, 4, true],
];

const common: readonly (readonly [string, Case])[] = [
  ['one scale for all rows', {}],
  ['one scale in a shape of its own', { parameters: [1] }],
  ['a zero point', { inputZeros: 'i32' }],
  ['unsigned inputs', { stored: 'u8', inputZeros: 'u8' }],
  ['a zero point in i64', { inputZeros: 'i64' }],
  ['zero points on both sides and a bias', { inputZeros: 'i8', zeros: 'i8', bias: true }],
  ['zero points of the weight only', { zeros: 'i32' }],
  ['a vector', { lead: [], n: 5, size: 7 }],
  ['odd sizes', { lead: [2, 3], n: 19, size: 13, bias: true }],
  ['one of everything', { lead: [1], n: 1, size: 1 }],
  ['no rows', { lead: [2, 0] }],
  ['no outputs', { n: 0 }],
  ['scales in f64, a result in f64', { scale: 'f64', float: 'f64' }],
  ['scales in f16, a result in f16', { scale: 'f16', float: 'f16', size: 3 }],
  ['a result in bf16', { float: 'bf16' }],
];
const rows: readonly (readonly [string, Case])[] = [
  ['one scale a row', { parameters: [3, 1] }],
  ['one scale a row, without its axis', { parameters: [3], inputZeros: 'i32' }],
  ['scales and zero points of rows of rows', { lead: [2, 3], parameters: [2, 3, 1], inputZeros: 'i8', zeros: 'i32', bias: true }],
  ['zero points in f32, as choosing them per token gives', { parameters: [3, 1], inputZeros: 'f32' }],
  ['no rows with a scale each', { lead: [0], parameters: [0, 1] }],
];

describe.each([...dynamic.map((d) => [...d, [...common, ...rows]] as const), ...fixed.map((f) => [...f, common] as const)])(
  '$0.name',
  (op, bits, grouped, cases) => {
    test.each(cases)('%s', (_, given) => {
      const { operands, sums, shape } = draw(bits, grouped, given);
      const dtype = given.float ?? 'f32';
      expect(runOp(op, operands, { dtype })).toEqual([tensorOf(dtype, shape, sums)]);
    });
  },
);

test('a row does not depend on the others', () => {
  const { operands } = draw(8, false, { lead: [5], parameters: [5, 1], inputZeros: 'i32', bias: true });
  const all = numbersOf(runOp(LinearDq8caQ8csw, operands)[0]);
  const { input, input_scale: scale, input_zero_point: zero } = operands;
  const k = input.shape[1]!;
  for (let row = 0; row < 5; row++) {
    const one = (t: HostTensor, from: number, to: number): HostTensor => tensorOf(t.dtype, [1, to - from], numbersOf(t).slice(from, to));
    const alone = {
      ...operands,
      input: one(input, row * k, (row + 1) * k),
      input_scale: one(scale, row, row + 1),
      input_zero_point: one(zero!, row, row + 1),
    };
    expect(numbersOf(runOp(LinearDq8caQ8csw, alone)[0])).toEqual(all.slice(row * 4, row * 4 + 4));
  }
});

test('sums of integers are exact however long they are', () => {
  const k = 70000;
  const operands = {
    input: tensorOf('u8', [1, k], new Uint8Array(k).fill(255)),
    input_scale: tensorOf('f32', [], [1]),
    weight: tensorOf('i8', [1, k], new Int8Array(k).fill(-128)),
    scales: tensorOf('f32', [1], [1]),
  };
  // Beyond i32, and no multiple of a power of two that f32 would hold by chance.
  expect(numbersOf(runOp(LinearQ8taQ8csw, operands, { dtype: 'f64' })[0])).toEqual([-255 * 128 * k]);
});

describe('fused.q8ta_linear', () => {
  /** A linear that passes its integers on: `y = q · scale`. */
  const identity = (values: readonly number[], scale: number) => ({
    input: tensorOf('i8', [values.length, 1], values),
    input_scale: tensorOf('f32', [], [scale]),
    weight: tensorOf('i8', [1, 1], [1]),
    scales: tensorOf('f32', [1], [1]),
    output_scale: tensorOf('f32', [], [1]),
  });
  const i8 = { qmin: -128, qmax: 127, dtype: 'i8' } as const;
  const run = (operands: Parameters<typeof runOp>[1], attrs: object = i8): number[] =>
    numbersOf(runOp(Q8taLinear, operands, { ...i8, ...attrs })[0]);

  test('rounds ties to even, before the zero point', () => {
    const operands = identity([-5, -3, -1, 1, 3, 5], 0.5);
    expect(run(operands)).toEqual([-2, -2, 0, 0, 2, 2].map((x) => x + 0));
    expect(run({ ...operands, output_zero_point: tensorOf('i32', [], [1]) })).toEqual([-1, -1, 1, 1, 3, 3]);
  });

  test('clamps to qmin and qmax, which may be an activation', () => {
    const operands = identity([-100, -1, 0, 1, 100], 4);
    expect(run(operands)).toEqual([-128, -4, 0, 4, 127]);
    expect(run({ ...operands, output_zero_point: tensorOf('i8', [], [-128]) }, { qmin: -128 })).toEqual([-128, -128, -128, -124, 127]);
    expect(run(operands, { qmin: 0 })).toEqual([0, 0, 0, 4, 127]);
    expect(run(operands, { qmin: -3, qmax: 3 })).toEqual([-3, -3, 0, 3, 3]);
    expect(run({ ...operands, output_zero_point: tensorOf('i64', [1], [128]) }, { qmin: 0, qmax: 255, dtype: 'u8' })).toEqual([
      0, 124, 128, 132, 255,
    ]);
  });

  test('multiplies by the reciprocal as quantizing does', () => {
    // 1 / 0.1 is 10 in f32 though the f32 scale is above 0.1.
    const operands = { ...identity([9], 0.05), output_scale: tensorOf('f32', [], [0.1]) };
    const y = 9 * Math.fround(0.05);
    expect(run(operands)).toEqual([Math.round(y * Math.fround(1 / Math.fround(0.1)))]);
  });

  test.each<[string, Case & { readonly bits?: 4 | 8 }]>([
    ['8 bits', {}],
    ['4 bits', { bits: 4 }],
    ['unsigned inputs with a zero point and a bias', { stored: 'u8', inputZeros: 'i32', bias: true }],
    ['zero points everywhere', { inputZeros: 'i8', zeros: 'i32', bias: true }],
    ['odd sizes', { lead: [2, 3], n: 19, size: 13 }],
    ['a vector', { lead: [], n: 5 }],
    ['one row', { lead: [1], bias: true }],
    ['no rows', { lead: [0] }],
  ])('is what the definition says: %s', (_, { bits = 8, ...given }) => {
    const { operands, sums, shape } = draw(bits, false, given);
    // The scale is a power of two: its reciprocal and all quotients are exact.
    const [scale, zero] = [64, -3];
    const wanted = sums.map((y) => {
      const exact = y / scale;
      const floor = Math.floor(exact);
      const rounded = exact - floor === 0.5 ? 2 * Math.round(floor / 2 + 0.25) : Math.round(exact);
      return Math.min(Math.max(rounded + zero, -128), 127);
    });
    const output = { output_scale: tensorOf('f32', [], [scale]), output_zero_point: tensorOf('i32', [], [zero]) };
    expect(runOp(Q8taLinear, { ...operands, ...output }, i8)).toEqual([tensorOf('i8', shape, wanted)]);
  });
});

describe('types', () => {
  const graph = new Graph();
  const m = graph.env.declare('m', { min: 1 });
  const f32 = (...shape: TensorType['shape']): TensorType => tensorType('f32', shape);
  const good = { input: tensorType('i8', [m, 8]), input_scale: f32(), weight: tensorType('i8', [6, 8]), scales: f32(6) };
  const quantizes = { ...good, output_scale: f32() };
  const attrs = { qmin: -128, qmax: 127 };

  test('rows may be symbolic, the dtype is that of the attribute', () => {
    expect(inferOp(LinearQ8taQ8csw, good, {}, graph).map(typeText)).toEqual(['f32[m, 6]']);
    expect(inferOp(LinearDq8caQ8csw, { ...good, input_scale: f32(m, 1) }, { dtype: 'f16' }, graph).map(typeText)).toEqual(['f16[m, 6]']);
    expect(inferOp(Q8taLinear, quantizes, attrs, graph).map(typeText)).toEqual(['i8[m, 6]']);
    expect(inferOp(Q8taLinear, { ...quantizes, weight: tensorType('i4', [6, 8]) }, { ...attrs, dtype: 'u8' }, graph).map(typeText)).toEqual(
      ['u8[m, 6]'],
    );
  });

  test.each<[string, OpDefinition, Readonly<Record<string, TensorType>>, object, RegExp]>([
    ['a scale a row where the input is static', LinearQ8taQ8csw, { ...good, input_scale: f32(m, 1) }, {}, /input_scale has shape \[m, 1\]/],
    [
      'a scale for each column',
      LinearDq8caQ8csw,
      { ...good, input_scale: f32(m, 8) },
      {},
      /input_scale has shape \[m, 8\], expected \[m, 1\]/,
    ],
    [
      'a zero point of another shape',
      LinearQ8taQ8csw,
      { ...good, input_zero_point: tensorType('i32', [2]) },
      {},
      /input_zero_point has shape \[2\]/,
    ],
    ['inputs that are floats', LinearQ8taQ8csw, { ...good, input: f32(m, 8) }, {}, /input.*f32/],
    ['a result of integers', LinearQ8taQ8csw, good, { dtype: 'i8' }, /dtype is i8, expected a float dtype/],
    ['another K', LinearDq8caQ8csw, { ...good, input: tensorType('i8', [m, 9]) }, {}, /expected its last dim to be \[8\]/],
    ['groups for channels', LinearDq8caQ8csw, { ...good, scales: f32(6, 2) }, {}, /scales has shape \[6, 2\], expected \[6\]/],
    ['a quantized result of floats', Q8taLinear, quantizes, { ...attrs, dtype: 'f32' }, /dtype is f32, expected i8 or u8/],
    ['bounds that cross', Q8taLinear, quantizes, { qmin: 5, qmax: 4 }, /qmin 5 is above qmax 4/],
    [
      'an output scale for each column',
      Q8taLinear,
      { ...quantizes, output_scale: f32(6) },
      attrs,
      /output_scale has shape \[6\], expected \[\]/,
    ],
    [
      'output zero points for each row',
      Q8taLinear,
      { ...quantizes, output_zero_point: tensorType('i8', [m, 1]) },
      attrs,
      /output_zero_point has/,
    ],
    [
      'groups where the result is quantized',
      Q8taLinear,
      { ...quantizes, scales: f32(6, 2) },
      attrs,
      /scales has shape \[6, 2\], expected \[6\]/,
    ],
    ['a weight of 16 bits', Q8taLinear, { ...quantizes, weight: tensorType('i16', [6, 8]) }, attrs, /weight.*i16/],
  ])('refuses %s', (_, op, operands, given, why) => expect(() => inferOp(op, operands, { ...given }, graph)).toThrow(why));
});
