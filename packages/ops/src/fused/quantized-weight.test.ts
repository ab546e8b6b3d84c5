import {
  type AttrRecord,
  Constant,
  constantOf,
  Editor,
  encodeElements,
  Graph,
  type HostTensor,
  type Node,
  tensorFrom,
  tensorOf,
  tensorType,
  typeText,
  type Value,
} from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { dequantized, dyadics, generator, integers, numbersOf } from '../../test/quantized.js';
import { runOp } from '../../test/run-op.js';
import { Embedding } from '../aten/embedding.js';
import { Linear } from '../aten/linear.js';
import { Relu } from '../aten/rectifiers.js';
import { Dequantize } from '../quant/index.js';
import { type QuantizedWeight, quantizedWeight, readAsWeight, weightValues } from './quantized-weight.js';

interface Given {
  readonly weight: HostTensor | Constant | Value;
  readonly scale: HostTensor | Constant | Value;
  readonly zero_point?: HostTensor | Constant | Value | undefined;
}
const bytes = { granularity: 'axis', axis: 0, qmin: -128, qmax: 127, dtype: 'f32' } as const;

/** A graph with one dequantize. */
function dequantize({ weight, scale, zero_point }: Given, attrs: AttrRecord = {}, edit = new Editor(new Graph())): Node<typeof Dequantize> {
  const value = (given: HostTensor | Constant | Value, name: string): Value =>
    'data' in given ? edit.constant(constantOf(given), name) : given instanceof Constant ? edit.constant(given, name) : given;
  const operands = {
    input: value(weight, 'w'),
    scale: value(scale, 's'),
    zero_point: zero_point === undefined ? undefined : value(zero_point, 'z'),
  };
  return edit.create(Dequantize, operands, { ...bytes, ...attrs } as never);
}

function found(given: Given, attrs: AttrRecord = {}): QuantizedWeight {
  const verdict = quantizedWeight(dequantize(given, attrs));
  if (!verdict.ok) throw new Error(verdict.why);
  return verdict.weight;
}

const why = (given: Given, attrs: AttrRecord = {}, edit?: Editor): string => {
  const verdict = quantizedWeight(dequantize(given, attrs, edit));
  return verdict.ok ? 'it is one' : verdict.why;
};

const next = generator(5);
const i8 = (...shape: number[]): HostTensor => integers(next, 'i8', shape, -128, 127);
const f32 = (...shape: number[]): HostTensor => dyadics(next, 'f32', shape);
const none = undefined;

describe('what it reads stands for the same numbers', () => {
  test.each<[string, Given, AttrRecord, string]>([
    ['one scale a channel', { weight: i8(6, 8), scale: f32(6) }, {}, '8 channel of 8: i8[6, 8] f32[6]'],
    ['axis -2', { weight: i8(6, 8), scale: f32(6) }, { axis: -2 }, '8 channel of 8: i8[6, 8] f32[6]'],
    ['one scale in total', { weight: i8(6, 8), scale: f32() }, { granularity: 'tensor' }, '8 channel of 8: i8[6, 8] f32[6]'],
    ['one scale in total with an axis', { weight: i8(6, 8), scale: f32(1) }, { granularity: 'tensor' }, '8 channel of 8: i8[6, 8] f32[6]'],
    ['one scale a row', { weight: i8(6, 8), scale: f32(6, 1) }, { granularity: 'row' }, '8 channel of 8: i8[6, 8] f32[6]'],
    ['one scale a row without an axis', { weight: i8(6, 8), scale: f32(6) }, { granularity: 'row' }, '8 channel of 8: i8[6, 8] f32[6]'],
    [
      'groups',
      { weight: i8(6, 8), scale: f32(6, 2) },
      { granularity: 'group', axis: 1, group_size: 4 },
      '8 group of 4: i8[6, 8] f32[6, 2]',
    ],
    [
      'groups along axis -1',
      { weight: i8(5, 9), scale: f32(5, 3) },
      { granularity: 'group', axis: -1, group_size: 3 },
      '8 group of 3: i8[5, 9] f32[5, 3]',
    ],
    [
      'groups of one',
      { weight: i8(2, 3), scale: f32(2, 3) },
      { granularity: 'group', axis: 1, group_size: 1 },
      '8 group of 1: i8[2, 3] f32[2, 3]',
    ],
    [
      'groups that are whole channels',
      { weight: i8(6, 8), scale: f32(6, 1) },
      { granularity: 'group', axis: 1, group_size: 8 },
      '8 channel of 8: i8[6, 8] f32[6]',
    ],
    [
      'blocks of one channel',
      { weight: i8(6, 12), scale: f32(6, 3) },
      { granularity: 'block', block_size: [1, 4] },
      '8 group of 4: i8[6, 12] f32[6, 3]',
    ],
    [
      'blocks of whole channels',
      { weight: i8(6, 8), scale: f32(6, 1) },
      { granularity: 'block', block_size: [1, 8] },
      '8 channel of 8: i8[6, 8] f32[6]',
    ],
    ['one block', { weight: i8(6, 8), scale: f32(1, 1) }, { granularity: 'block', block_size: [6, 8] }, '8 channel of 8: i8[6, 8] f32[6]'],
    [
      'blocks of several channels',
      { weight: i8(6, 16), scale: f32(2, 2) },
      { granularity: 'block', block_size: [3, 8] },
      '8 group of 8: i8[6, 16] f32[6, 2]',
    ],
    [
      'blocks of several whole channels',
      { weight: i8(6, 3), scale: f32(3, 1) },
      { granularity: 'block', block_size: [2, 3] },
      '8 channel of 3: i8[6, 3] f32[6]',
    ],
    [
      'scales in f64',
      { weight: i8(6, 8), scale: tensorOf('f64', [6], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) },
      {},
      '8 channel of 8: i8[6, 8] f32[6]',
    ],
    ['scales in f16', { weight: i8(6, 8), scale: dyadics(next, 'f16', [6]) }, {}, '8 channel of 8: i8[6, 8] f32[6]'],
    [
      'zero points that are all 0',
      { weight: i8(6, 8), scale: f32(6), zero_point: tensorOf('i64', [6], [0, 0, 0, 0, 0, 0]) },
      {},
      '8 channel of 8: i8[6, 8] f32[6]',
    ],
    [
      'zero points',
      { weight: i8(6, 8), scale: f32(6), zero_point: integers(next, 'i64', [6], -9, 9) },
      {},
      '8 channel of 8: i8[6, 8] f32[6] i32[6]',
    ],
    [
      'zero points in 8 bits',
      { weight: i8(6, 8), scale: f32(6), zero_point: integers(next, 'i8', [6], -128, 127) },
      {},
      '8 channel of 8: i8[6, 8] f32[6] i32[6]',
    ],
    [
      'zero points that are whole floats',
      { weight: i8(3, 8), scale: f32(3), zero_point: tensorOf('f32', [3], [-1, 0, 7]) },
      {},
      '8 channel of 8: i8[3, 8] f32[3] i32[3]',
    ],
    [
      'one zero point in total',
      { weight: i8(6, 8), scale: f32(), zero_point: tensorOf('i32', [1], [5]) },
      { granularity: 'tensor' },
      '8 channel of 8: i8[6, 8] f32[6] i32[6]',
    ],
    [
      'zero points of groups',
      { weight: i8(4, 6), scale: f32(4, 3), zero_point: integers(next, 'i32', [4, 3], -9, 9) },
      { granularity: 'group', axis: 1, group_size: 2 },
      '8 group of 2: i8[4, 6] f32[4, 3] i32[4, 3]',
    ],
    [
      'zero points of blocks',
      { weight: i8(4, 16), scale: f32(2, 2), zero_point: integers(next, 'i32', [2, 2], -9, 9) },
      { granularity: 'block', block_size: [2, 8] },
      '8 group of 8: i8[4, 16] f32[4, 2] i32[4, 2]',
    ],
    ['4 bits', { weight: integers(next, 'i8', [5, 7], -8, 7), scale: f32(5) }, { qmin: -8, qmax: 7 }, '4 channel of 7: i4[5, 7] f32[5]'],
    ['2 bits', { weight: integers(next, 'i8', [5, 7], -2, 1), scale: f32(5) }, { qmin: -2, qmax: 1 }, '4 channel of 7: i4[5, 7] f32[5]'],
    [
      '5 bits',
      { weight: integers(next, 'i8', [5, 7], -16, 15), scale: f32(5) },
      { qmin: -16, qmax: 15 },
      '8 channel of 7: i8[5, 7] f32[5]',
    ],
    [
      '4 bits in their own dtype',
      { weight: integers(next, 'i4', [5, 7], -8, 7), scale: f32(5) },
      { qmin: -8, qmax: 7 },
      '4 channel of 7: i4[5, 7] f32[5]',
    ],
    ['8 bits declared, 4 stored', { weight: integers(next, 'i4', [5, 7], -8, 7), scale: f32(5) }, {}, '8 channel of 7: i8[5, 7] f32[5]'],
    [
      'unsigned 8 bits',
      { weight: integers(next, 'u8', [5, 7], 0, 255), scale: f32(5) },
      { qmin: 0, qmax: 255 },
      '8 channel of 7: i8[5, 7] f32[5] i32[5]',
    ],
    [
      'unsigned 8 bits around 128',
      { weight: integers(next, 'u8', [3, 7], 0, 255), scale: f32(3), zero_point: tensorOf('u8', [3], [128, 128, 128]) },
      { qmin: 0, qmax: 255 },
      '8 channel of 7: i8[3, 7] f32[3]',
    ],
    [
      'unsigned 8 bits around anything',
      { weight: integers(next, 'u8', [3, 7], 0, 255), scale: f32(3), zero_point: tensorOf('u8', [3], [0, 128, 255]) },
      { qmin: 0, qmax: 255 },
      '8 channel of 7: i8[3, 7] f32[3] i32[3]',
    ],
    [
      'unsigned 8 bits in one group',
      { weight: integers(next, 'u8', [3, 8], 0, 255), scale: f32(3, 2) },
      { granularity: 'group', axis: 1, group_size: 4, qmin: 0, qmax: 255 },
      '8 group of 4: i8[3, 8] f32[3, 2] i32[3, 2]',
    ],
    [
      'unsigned 4 bits in u8',
      { weight: integers(next, 'u8', [5, 7], 0, 15), scale: f32(5) },
      { qmin: 0, qmax: 15 },
      '4 channel of 7: i4[5, 7] f32[5] i32[5]',
    ],
    [
      'unsigned 4 bits in i8 around 8',
      { weight: integers(next, 'i8', [2, 7], 0, 15), scale: f32(2), zero_point: tensorOf('i32', [2], [8, 8]) },
      { qmin: 0, qmax: 15 },
      '4 channel of 7: i4[2, 7] f32[2]',
    ],
    [
      'unsigned 4 bits in u4, zero points up to 16',
      { weight: integers(next, 'u4', [2, 7], 0, 15), scale: f32(2), zero_point: tensorOf('i32', [2], [1, 16]) },
      { qmin: 0, qmax: 15 },
      '4 channel of 7: i4[2, 7] f32[2] i32[2]',
    ],
    [
      '4 bits in i32',
      { weight: integers(next, 'i32', [5, 7], 0, 15), scale: f32(5) },
      { qmin: 0, qmax: 15 },
      '4 channel of 7: i4[5, 7] f32[5] i32[5]',
    ],
    ['8 bits in i16', { weight: integers(next, 'i16', [5, 7], -128, 127), scale: f32(5) }, {}, '8 channel of 7: i8[5, 7] f32[5]'],
    [
      'half precision',
      { weight: i8(5, 7), scale: dyadics(next, 'f16', [5]) },
      { dtype: 'f16', compute: 'f16', difference: 'f16' },
      '8 channel of 7: i8[5, 7] f32[5]',
    ],
    ['no channels', { weight: i8(0, 8), scale: f32(0) }, {}, '8 channel of 8: i8[0, 8] f32[0]'],
    ['no inputs', { weight: i8(3, 0), scale: f32(3) }, {}, '8 channel of 0: i8[3, 0] f32[3]'],
  ])('%s', (_, given, attrs, wanted) => {
    const { bits, granularity, groupSize, weight, scales, zeroPoints } = found(given, attrs);
    const types = [weight, scales, ...(zeroPoints === undefined ? [] : [zeroPoints])].map((c) => typeText(c.type)).join(' ');
    expect(`${bits} ${granularity} of ${groupSize}: ${types}`).toBe(wanted);
    const operands = { input: given.weight, scale: given.scale, zero_point: given.zero_point } as Record<string, HostTensor>;
    const numbers = dequantized(tensorFrom(weight), tensorFrom(scales), zeroPoints === undefined ? none : tensorFrom(zeroPoints));
    const [before] = runOp(Dequantize, operands, { ...bytes, ...attrs });
    expect(numbersOf(tensorOf(before!.dtype, before!.shape, numbers.flat()))).toEqual(numbersOf(before));
  });

  test('the bits come from the declared range, not from the data', () => {
    const small = tensorOf('i8', [1, 3], [1, 0, -1]);
    expect(found({ weight: small, scale: f32(1) }).bits).toBe(8);
    expect(found({ weight: small, scale: f32(1) }, { qmin: -8, qmax: 8 }).bits).toBe(8);
    expect(found({ weight: small, scale: f32(1) }, { qmin: -8, qmax: 7 }).bits).toBe(4);
  });
});

test.each([
  [-8, 7, 4],
  [-9, 7, 8],
  [-8, 8, 8],
  [0, 15, 4],
  [0, 16, 8],
  [-1, 15, 8],
  [-128, 127, 8],
  [-128, 128, undefined],
  [0, 255, 8],
  [0, 256, undefined],
  [-1, 255, undefined],
])('the range [%i, %i] takes %s bits', (qmin, qmax, bits) => {
  const verdict = quantizedWeight(dequantize({ weight: tensorOf('i16', [1, 2], [0, 1]), scale: f32(1) }, { qmin, qmax }));
  expect(verdict.ok ? verdict.weight.bits : undefined).toBe(bits);
});

describe('refusals', () => {
  const edit = new Editor(new Graph());
  const input = (dtype: 'i8' | 'f32' | 'i32', ...shape: number[]): Value =>
    edit.addInput(`x${edit.graph.inputs.length}`, tensorType(dtype, shape));
  const good = { weight: i8(6, 8), scale: f32(6) };
  const group = (size: number, axis = 1): AttrRecord => ({ granularity: 'group', axis, group_size: size });

  test.each<[string, Given, AttrRecord]>([
    ['the weight is not constant', { ...good, weight: input('i8', 6, 8) }, {}],
    ['the scales are not constant', { ...good, scale: input('f32', 6) }, {}],
    ['the zero points are not constant', { ...good, zero_point: input('i32', 6) }, {}],
    ['the weight has rank 3, expected 2', { weight: i8(6, 2, 4), scale: f32(6) }, {}],
    ['the weight has rank 1, expected 2', { weight: i8(6), scale: f32(6) }, {}],
    ['the scales lie along axis 1, expected 0 (the output channels)', { weight: i8(8, 8), scale: f32(8) }, { axis: 1 }],
    ['the scales lie along axis -1, expected 0 (the output channels)', { weight: i8(8, 8), scale: f32(8) }, { axis: -1 }],
    ['the groups lie along axis 0, expected 1 (the input channels)', { weight: i8(8, 8), scale: f32(2, 8) }, group(4, 0)],
    ['the groups lie along axis -2, expected 1 (the input channels)', { weight: i8(8, 8), scale: f32(2, 8) }, group(4, -2)],
    [
      '3 output channels share one scale for every 4 input channels, expected at least 8',
      { weight: i8(6, 8), scale: f32(2, 2) },
      { granularity: 'block', block_size: [3, 4] },
    ],
    ['the weight has no input channels', { weight: i8(6, 0), scale: f32(6, 0) }, group(4)],
    [
      'the declared range [-32768, 32767] does not fit 8 bits',
      { ...good, weight: integers(next, 'i16', [6, 8], 0, 9) },
      { qmin: -32768, qmax: 32767 },
    ],
    ['the declared range [-1, 255] does not fit 8 bits', good, { qmin: -1, qmax: 255 }],
    [
      'the declared range is [-8, 7], but the weight holds 9',
      { weight: tensorOf('i8', [1, 2], [7, 9]), scale: f32(1) },
      { qmin: -8, qmax: 7 },
    ],
    [
      'the declared range is [0, 15], but the weight holds -1',
      { weight: tensorOf('i8', [1, 2], [7, -1]), scale: f32(1) },
      { qmin: 0, qmax: 15 },
    ],
    [
      'the declared range is [-127, 127], but the weight holds -128',
      { weight: tensorOf('i8', [1, 1], [-128]), scale: f32(1) },
      { qmin: -127 },
    ],
    ['the declared range is [-128, 127], but the weight holds 200', { weight: tensorOf('u8', [1, 1], [200]), scale: f32(1) }, {}],
    [
      'the weight has the zero point 0.5, expected an integer within ±32768',
      { ...good, zero_point: tensorOf('f32', [6], [0, 0, 0.5, 0, 0, 0]) },
      {},
    ],
    [
      'the weight has the zero point NaN, expected an integer within ±32768',
      { ...good, zero_point: tensorOf('f32', [6], [0, 0, Number.NaN, 0, 0, 0]) },
      {},
    ],
    [
      'the weight has the zero point 40000, expected an integer within ±32768',
      { ...good, zero_point: tensorOf('i32', [6], [0, 0, 40000, 0, 0, 0]) },
      {},
    ],
    ['the weight is dequantized in f64, expected f32: its numbers are rounded otherwise', good, { compute: 'f64' }],
    ['the weight is dequantized in bf16, expected f32: its numbers are rounded otherwise', good, { compute: 'bf16' }],
    ['the weight is dequantized in f16, expected f32: its numbers are rounded otherwise', good, { compute: 'f16', dtype: 'f16' }],
    [
      "the weight's zero points are subtracted in bf16, expected exact differences: they reach 300",
      { ...good, weight: integers(next, 'u8', [6, 8], 0, 255), zero_point: tensorOf('i32', [6], [0, 0, 300, 0, 0, 0]) },
      { qmin: 0, qmax: 255, dtype: 'bf16', difference: 'bf16' },
    ],
  ])('%s', (reason, given, attrs) => expect(why(given, attrs, edit)).toBe(reason));

  test('products in 16 bits are left to readers that round them', () => {
    const half = { weight: i8(6, 8), scale: dyadics(next, 'f16', [6]) };
    const reason = 'the weight is dequantized in f16, expected f32: its numbers are rounded otherwise';
    expect(why(half, { compute: 'f16' })).toBe(reason);
    expect(quantizedWeight(dequantize(half, { compute: 'f16' }), true).ok).toBe(true);
    expect(quantizedWeight(dequantize(good, { compute: 'f16' }), true)).toEqual({ ok: false, why: reason });
  });

  test('data that are not there are asked for only where they matter', () => {
    const weight = Constant.unresolved(tensorType('i8', [6, 8]), 'f00');
    const zeros = Constant.unresolved(tensorType('i32', [6]), 'f01');
    expect(why({ weight, scale: f32(6) })).toBe('it is one');
    expect(why({ weight, scale: f32(6) }, { qmin: -8, qmax: 7 })).toBe('the data of the weight are not there');
    expect(why({ weight, scale: f32(6), zero_point: zeros })).toBe('the data of the zero points are not there');
  });
});

describe('constants', () => {
  test('are derived once, and from the source that stays as it is', () => {
    const data = Int8Array.from([1, 2, 3, -4, 0, -8]);
    const weight = Constant.of(tensorType('i8', [2, 3]), encodeElements('i8', data));
    const scale = constantOf(f32());
    const zero_point = constantOf(tensorOf('i64', [], [3]));
    const four = { granularity: 'tensor', qmin: -8, qmax: 7 };
    const [a, b] = [found({ weight, scale, zero_point }, four), found({ weight, scale, zero_point }, four)];
    expect([a.weight === b.weight, a.scales === b.scales, a.zeroPoints === b.zeroPoints]).toEqual([true, true, true]);
    expect([...data]).toEqual([1, 2, 3, -4, 0, -8]);
    expect([...weight.bytes()]).toEqual([...encodeElements('i8', data)]);
    expect(numbersOf(tensorFrom(a.weight))).toEqual([...data]);
  });

  test('one source in two ways gives two constants', () => {
    const weight = constantOf(integers(next, 'i8', [4, 4], -8, 7));
    const scale = constantOf(f32());
    const tensor = { granularity: 'tensor' };
    const [eight, four] = [found({ weight, scale }, tensor), found({ weight, scale }, { ...tensor, qmin: -8, qmax: 7 })];
    expect([eight.weight === weight, four.weight.type.dtype]).toEqual([true, 'i4']);
    const unsigned = constantOf(integers(next, 'u8', [4, 4], 0, 15));
    const [wide, narrow] = [15, 255].map((qmax) => found({ weight: unsigned, scale }, { ...tensor, qmin: 0, qmax }));
    expect([wide!.zeroPoints, narrow!.zeroPoints].map((z) => numbersOf(tensorFrom(z!)))).toEqual([
      [-8, -8, -8, -8],
      [-128, -128, -128, -128],
    ]);
  });

  test('scales that two weights of different sizes share are repeated for each', () => {
    const scale = constantOf(tensorOf('f32', [], [0.5]));
    const tensor = { granularity: 'tensor' };
    const [a, b] = [found({ weight: i8(2, 3), scale }, tensor), found({ weight: i8(3, 2), scale }, tensor)];
    expect([a, b].map(({ scales }) => numbersOf(tensorFrom(scales)))).toEqual([
      [0.5, 0.5],
      [0.5, 0.5, 0.5],
    ]);
  });

  test('are named after the weight, and values that are there already are used', () => {
    const edit = new Editor(new Graph());
    const dq = dequantize(
      { weight: integers(next, 'u8', [2, 4], 0, 15), scale: f32(2), zero_point: tensorOf('i8', [2], [1, 2]) },
      { qmin: 0, qmax: 15 },
      edit,
    );
    const verdict = quantizedWeight(dq);
    if (!verdict.ok) throw new Error(verdict.why);
    const { weight, scales, zero_points } = weightValues(verdict.weight, dq, edit);
    expect([weight.name, scales.name, zero_points!.name]).toEqual(['w.i4', 's', 'z.zero_points']);
    expect(scales).toBe(dq.operand('scale'));
    const again = weightValues(verdict.weight, dq, edit);
    expect([again.weight === weight, again.zero_points === zero_points]).toEqual([true, true]);
  });
});

describe('readers of the dequantized weight', () => {
  const graph = (build: (weight: Value, edit: Editor) => readonly Value[]): Node<typeof Dequantize> => {
    const edit = new Editor(new Graph());
    const dq = dequantize({ weight: i8(4, 4), scale: f32(4) }, {}, edit);
    edit.setOutputs(build(dq.result, edit));
    return dq;
  };
  const x = (edit: Editor): Value => edit.addInput('x', tensorType('f32', [2, 4]));
  const linear = (weight: Value, edit: Editor): Value => edit.create(Linear, { input: x(edit), weight }).result;

  test('may be linears and embeddings', () => {
    expect(readAsWeight(graph((w, edit) => [linear(w, edit)])).ok).toBe(true);
    const tied = graph((w, edit) => {
      const indices = edit.addInput('i', tensorType('i64', [3]));
      return [edit.create(Linear, { input: edit.create(Embedding, { weight: w, indices }).result, weight: w }).result];
    });
    expect(readAsWeight(tied).ok).toBe(true);
  });

  test.each<[string, (w: Value, edit: Editor) => readonly Value[]]>([
    ['the graph return', (w, edit) => [linear(w, edit), w]],
    ['aten.relu', (w, edit) => [linear(w, edit), edit.create(Relu, { self: w }).result]],
    [
      'aten.linear',
      (w, edit) => [linear(w, edit), edit.create(Linear, { input: w, weight: edit.addInput('v', tensorType('f32', [3, 4])) }).result],
    ],
  ])('may not be others: %s', (reader, build) =>
    expect(readAsWeight(graph(build))).toEqual({ ok: false, why: `the dequantized weight has 2 readers, one of them is ${reader}` }),
  );
});
