import { dimText, Graph, type HostTensor, hostTensor, tensorOf, tensorType } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { inferOp, pattern, rounded, roundedTo, runOp } from '../../test/run-op.js';
import { ScaledDotProductAttention } from './attention.js';

const f32 = (...shape: Parameters<typeof tensorType>[1]) => tensorType('f32', shape);
const four = roundedTo(4);
const quarter = (t: HostTensor): HostTensor =>
  tensorOf(
    t.dtype,
    t.shape,
    Array.from(t.data as Float32Array, (x) => x / 4),
  );
const query = quarter(pattern([1, 2, 2, 3]));
const key = quarter(pattern([1, 2, 3, 3], 5));
const value = pattern([1, 2, 3, 2], 11);
const attend = (operands: Record<string, HostTensor>, attrs = {}) =>
  runOp(ScaledDotProductAttention, { query, key, value, ...operands }, attrs)[0]!;

describe('as torch', () => {
  const plain = [-0.0783, 0.9217, 0.1441, 1.1441, 5.5148, 3.8053, 6.0654, 3.5612];
  test('plain', () => expect(four(attend({}))).toEqual(plain));
  test('causal', () => expect(four(attend({}, { is_causal: true }))).toEqual([-2, -1, -0.9459, 0.0541, 4, 5, 5.161, 6.161]));
  test('a bool mask; a row without a score gives 0', () => {
    const attn_mask = tensorOf('bool', [2, 3], [1, 0, 1, 0, 0, 0]);
    expect(four(attend({ attn_mask }))).toEqual([-0.1081, 0.8919, 0, 0, 5.34, 2.6549, 0, 0]);
    const added = tensorOf('f32', [2, 3], [0, -Infinity, 0, -Infinity, -Infinity, -Infinity]);
    expect(attend({ attn_mask: added })).toEqual(attend({ attn_mask }));
  });
  test('a float mask and a scale', () => {
    const attn_mask = tensorOf('f32', [2, 3], [-1, -0.5, 0, 0.5, 1, 1.5]);
    expect(four(attend({ attn_mask }, { scale: 0.25 }))).toEqual([0.6342, 1.6342, 0.695, 1.695, 6.4762, 2.2895, 6.6434, 2.1903]);
  });
  test('grouped heads', () => expect(four(attend({ query: quarter(pattern([1, 4, 1, 3])) }, { enable_gqa: true }))).toEqual(plain));
});

describe('in terms of other ops', () => {
  const attn_mask = tensorOf('bool', [2, 3], [1, 0, 1, 0, 0, 0]);
  test.each([
    ['plain', {}, {}],
    ['causal', {}, { is_causal: true }],
    ['a bool mask with an empty row', { attn_mask }, {}],
    ['a float mask, causal, with a scale', { attn_mask: tensorOf('f32', [1, 3], [1, 2, 3]) }, { scale: 0.25, is_causal: true }],
    ['grouped heads', { query: quarter(pattern([1, 4, 1, 3])) }, { enable_gqa: true }],
    ['one head for all', { query: quarter(pattern([2, 1, 3])), key: quarter(pattern([3, 3])), value: pattern([3, 2]) }, {}],
  ])('%s', (_, operands, attrs) => {
    const all = { query, key, value, ...operands };
    expect(four(runOp(ScaledDotProductAttention, all, attrs, 'decompose')[0])).toEqual(
      four(runOp(ScaledDotProductAttention, all, attrs)[0]),
    );
  });
});

test('masks broadcast over rows, columns and heads', () => {
  const whole = Array.from({ length: 12 }, (_, i) => Math.floor(i / 6) - 0.5);
  expect(attend({ attn_mask: tensorOf('f32', [2, 1, 3], [-0.5, -0.5, -0.5, 0.5, 0.5, 0.5]) })).toEqual(
    attend({ attn_mask: tensorOf('f32', [2, 2, 3], whole) }),
  );
  expect(attend({ attn_mask: tensorOf('bool', [1, 3], [1, 0, 1]) })).toEqual(
    attend({ attn_mask: tensorOf('bool', [2, 3], [1, 0, 1, 1, 0, 1]) }),
  );
});

test('batches broadcast', () => {
  const one = attend({ key: quarter(pattern([1, 1, 3, 3], 5)), value: pattern([1, 3, 2], 11) });
  const two = (t: HostTensor) => tensorOf('f32', [1, 2, 3, t.shape.at(-1)!], [...t.data, ...t.data] as number[]);
  expect(one).toEqual(attend({ key: two(quarter(pattern([1, 1, 3, 3], 5))), value: two(pattern([1, 3, 2], 11)) }));
});

test('without keys the result is 0, without features all keys count alike', () => {
  expect(rounded(attend({ key: hostTensor('f32', [1, 2, 0, 3]), value: hostTensor('f32', [1, 2, 0, 2]) }))).toEqual(new Array(8).fill(0));
  const [y] = runOp(ScaledDotProductAttention, {
    query: hostTensor('f32', [1, 0]),
    key: hostTensor('f32', [2, 0]),
    value: tensorOf('f32', [2, 1], [1, 3]),
  });
  expect(rounded(y)).toEqual([2]);
});

test('NaN goes through', () =>
  expect([...attend({ attn_mask: tensorOf('f32', [2, 3], [0, NaN, 0, 0, 0, 0]) }).data].map(Number.isNaN)).toEqual([
    true,
    true,
    false,
    false,
    true,
    true,
    false,
    false,
  ]));

test('symbolic sizes', () => {
  const graph = new Graph();
  const [b, s] = [graph.env.declare('b', { min: 1 }), graph.env.declare('s', { min: 1 })];
  const operands = { query: f32(b, 4, s, 8), key: f32(b, 2, s, 8), value: f32(b, 2, s, 8), attn_mask: tensorType('bool', [b, 1, s, s]) };
  expect(inferOp(ScaledDotProductAttention, operands, { enable_gqa: true }, graph)[0]!.shape.map(dimText)).toEqual(['b', '4', 's', '8']);
});

describe('refusals', () => {
  const types = { query: f32(2, 3), key: f32(4, 3), value: f32(4, 5) };
  test.each([
    ['dropout', {}, { dropout_p: 0.1 }, 'dropout_p is 0.1, expected 0: export the model in evaluation mode'],
    ['dtypes', { key: tensorType('f16', [4, 3]) }, {}, 'query, key and value are f32, f16 and f32, expected one float dtype'],
    ['rank', { query: f32(3) }, {}, 'query has shape [3], expected at least 2 axes'],
    ['features', { key: f32(4, 2) }, {}, 'expected equal last dims'],
    ['length', { value: f32(3, 5) }, {}, 'expected equal dims -2'],
    ['mask dtype', { attn_mask: tensorType('i64', [2, 4]) }, {}, 'attn_mask is i64, expected bool, f32 or f32'],
    ['mask shape', { attn_mask: f32(7, 2, 4) }, {}, 'attn_mask has shape [7, 2, 4], expected one that broadcasts to [2, 4]'],
    ['no heads', {}, { enable_gqa: true }, 'expected heads on axis -3 for enable_gqa'],
    [
      'heads',
      { query: f32(3, 2, 3), key: f32(2, 4, 3), value: f32(2, 4, 5) },
      { enable_gqa: true },
      'query has [3] heads, expected a multiple of [2]',
    ],
  ])('%s', (_, operands, attrs, why) => expect(() => inferOp(ScaledDotProductAttention, { ...types, ...operands }, attrs)).toThrow(why));
});
