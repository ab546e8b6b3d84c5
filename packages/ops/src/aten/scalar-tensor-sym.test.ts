import { dimMul, Editor, Graph } from '@qfuse/ir';
import { describe, expect, it } from 'vitest';
import { ScalarTensorSym } from './scalar-tensor-sym.js';

describe('aten.scalar_tensor.sym', () => {
  it('is the value of its size', () => {
    const fail = (why: string): never => {
      throw new Error(why);
    };
    const run = (s: number, dtype: 'i64' | 'f32') => [
      ...ScalarTensorSym.reference!({ operands: {}, attrs: { s, dtype }, results: [{ dtype, shape: [] }], fail })[0]!.data,
    ];
    expect(run(12, 'i64')).toEqual([12n]);
    expect(run(3, 'f32')).toEqual([3]);
  });

  it('takes symbolic sizes and has no dims', () => {
    const graph = new Graph();
    const n = graph.env.declare('n');
    const { type } = new Editor(graph).create(ScalarTensorSym, {}, { s: dimMul(2, n) }).result;
    expect([type.dtype, type.shape]).toEqual(['i64', []]);
  });
});
