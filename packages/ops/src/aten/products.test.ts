import { dimText, Graph, tensorOf, type TensorType, tensorType } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { inferOp, pattern, rounded, runOp } from '../../test/run-op.js';
import type { OpDefinition } from '../define.js';
import { Addmm, Baddbmm } from './addmm.js';
import { Einsum } from './einsum.js';
import { Linear } from './linear.js';
import { Bmm, Dot, Matmul, Mm, Mv } from './matmul.js';
import { Bilinear, Outer, Tensordot } from './vector-products.js';

const graph = new Graph();
const n = graph.env.declare('n', { min: 2 });
const m = graph.env.declare('m', { min: 2 });
const f32 = (...shape: TensorType['shape']): TensorType => tensorType('f32', shape);

const shapeOf = (op: OpDefinition, operands: Parameters<typeof inferOp>[1], attrs = {}): string =>
  inferOp(op, operands, attrs, graph)[0]!.shape.map(dimText).join(' ');

describe('symbolic sizes', () => {
  test.each([
    [Mm, { self: f32(n, 3), mat2: f32(3, m) }, {}, 'n m'],
    [Bmm, { self: f32(n, 2, m), mat2: f32(n, m, 5) }, {}, 'n 2 5'],
    [Matmul, { self: f32(n, 1, 2, 3), other: f32(4, 3, m) }, {}, 'n 4 2 m'],
    [Matmul, { self: f32(n, 3), other: f32(3) }, {}, 'n'],
    [Linear, { input: f32(n, m, 3), weight: f32(4, 3), bias: f32(4) }, {}, 'n m 4'],
    [Addmm, { self: f32(m), mat1: f32(n, 3), mat2: f32(3, m) }, {}, 'n m'],
    [Baddbmm, { self: f32(1, 1), batch1: f32(n, 2, 3), batch2: f32(n, 3, m) }, {}, 'n 2 m'],
    [Outer, { self: f32(n), vec2: f32(m) }, {}, 'n m'],
    [Bilinear, { input1: f32(n, 2), input2: f32(n, 3), weight: f32(4, 2, 3) }, {}, 'n 4'],
    [Tensordot, { self: f32(n, m, 3), other: f32(3, m, 2) }, { dims_self: [1, 2], dims_other: [1, 0] }, 'n 2'],
    [Einsum, { tensors: [f32(n, 2, m), f32(n, m, 5)] }, { equation: 'bij,bjk->bik' }, 'n 2 5'],
    [Einsum, { tensors: [f32(n, m, 1, 3), f32(4, 3)] }, { equation: '...ij,ij->...' }, 'n m'],
  ] as const)('%#', (op, operands, attrs, wanted) => expect(shapeOf(op, operands, attrs)).toBe(wanted));
});

describe('refusals', () => {
  const f64 = (...shape: TensorType['shape']): TensorType => tensorType('f64', shape);
  test.each([
    [Mm, { self: f32(2, 3), mat2: f32(2, 3) }, {}, 'shapes [2, 3] and [2, 3] have no matrix product'],
    [Mm, { self: f32(2, 3), mat2: f64(3, 2) }, {}, 'operands have dtypes f32, f64, expected one dtype'],
    [Mm, { self: tensorType('bool', [1, 1]), mat2: tensorType('bool', [1, 1]) }, {}, 'operands are bool'],
    [Mv, { self: f32(2, 3), vec: f32(3, 1) }, {}, 'expected ranks 2 and 1'],
    [Dot, { self: f32(2), tensor: f32(3) }, {}, 'have no matrix product'],
    [Bmm, { self: f32(2, 1, 1), mat2: f32(1, 1, 1) }, {}, 'expected one batch size'],
    [Matmul, { self: f32(), other: f32(1) }, {}, 'have no matrix product'],
    [Linear, { input: f32(2, 3), weight: f32(4, 2) }, {}, 'input has shape [2, 3], expected its last dim to be [2]'],
    [Linear, { input: f32(2, 3), weight: f32(4, 3), bias: f32(3) }, {}, 'bias has shape [3], expected [4]'],
    [Linear, { input: f32(2, 3), weight: f32(1, 4, 3) }, {}, 'weight has shape [1, 4, 3], expected [N, K] or [K]'],
    [
      Addmm,
      { self: f32(3), mat1: f32(2, 2), mat2: f32(2, 2) },
      {},
      "self has shape [3], which does not expand to the product's shape [2, 2]",
    ],
    [Bilinear, { input1: f32(2, 2), input2: f32(1, 3), weight: f32(4, 2, 3) }, {}, 'expected equal batch dims'],
    [Einsum, { tensors: [f32(2, 2)] }, { equation: 'i,j' }, 'has 2 terms, 1 operands were given'],
    [Einsum, { tensors: [f32(2, 2)] }, { equation: 'i->i' }, 'names 1 axes, the operand has 2'],
    [Einsum, { tensors: [f32(2, 3)] }, { equation: 'ii->i' }, 'axis "i" of operand 0 [2, 3] has size [3], elsewhere it has [2]'],
    [Einsum, { tensors: [f32(2)] }, { equation: 'i->j' }, 'the right side names the axis "j", which no operand has'],
    [Einsum, { tensors: [f32(2), f64(2)] }, { equation: 'i,i->' }, 'are f32 and f64, expected one dtype'],
  ] as const)('%#', (op, operands, attrs, why) => expect(() => shapeOf(op, operands, attrs)).toThrow(why));
});

describe('rounding', () => {
  test('halves are rounded once', () => {
    const [y] = runOp(Dot, { self: tensorOf('f16', [3], [1, 2 ** -11, 2 ** -11]), tensor: tensorOf('f16', [3], [1, 1, 1]) });
    expect([...y!.data]).toEqual([1 + 2 ** -10]);
    const [sum] = runOp(Addmm, {
      self: tensorOf('f16', [1, 1], [1]),
      mat1: tensorOf('f16', [1, 2], [2 ** -11, 2 ** -11]),
      mat2: tensorOf('f16', [2, 1], [1, 1]),
    });
    expect([...sum!.data]).toEqual([1 + 2 ** -10]);
  });

  test('integers are exact and wrap', () => {
    expect([...runOp(Mm, { self: tensorOf('i64', [1, 2], [2n ** 62n, 3n]), mat2: tensorOf('i64', [2, 1], [2n, 1n]) })[0]!.data]).toEqual([
      -(2n ** 63n) + 3n,
    ]);
    const big = 2 ** 30 + 1;
    expect([
      ...runOp(Linear, { input: tensorOf('i32', [1], [big]), weight: tensorOf('i32', [1, 1], [big]), bias: tensorOf('i32', [1], [5]) })[0]!
        .data,
    ]).toEqual([-(2 ** 31) + 6]);
    expect([...runOp(Matmul, { self: tensorOf('u32', [1], [2 ** 32 - 1]), other: tensorOf('u32', [1], [2]) })[0]!.data]).toEqual([
      2 ** 32 - 2,
    ]);
  });

  test('without its factor self is not read', () => {
    const [y] = runOp(
      Addmm,
      { self: tensorOf('f32', [1], [Number.NaN]), mat1: pattern([2, 1]), mat2: pattern([1, 2]) },
      { beta: { kind: 'int', value: 0 } },
    );
    expect(rounded(y)).toEqual([4, 2, 2, 1]);
  });
});
