import { Editor, Graph, type HostTensor, tensorOf, tensorType } from '@qfuse/ir';
import { aten } from '@qfuse/ops';
import { describe, expect, test } from 'vitest';
import { splitBatches } from './batches.js';

/** A model of two inputs. */
function model(first: number | 's', second: readonly number[] = [2]): Graph {
  const graph = new Graph('model');
  const edit = new Editor(graph);
  const rows = first === 's' ? graph.env.declare('s', { min: 2, max: 6 }) : first;
  const x = edit.addInput('x', tensorType('f32', [rows, 2]));
  const y = edit.addInput('y', tensorType('f32', second));
  edit.setOutputs([edit.create(aten.AddTensor, { self: x, other: y }).result]);
  return graph;
}

const rows = (n: number): HostTensor =>
  tensorOf(
    'f32',
    [n, 2],
    Array.from({ length: 2 * n }, (_, i) => i),
  );
const y = tensorOf('f32', [2], [0, 0]);
const shapes = (list: readonly (readonly HostTensor[])[]): string[] => list.map((run) => run.map((t) => t.shape.join('×')).join(' '));

describe('splitBatches', () => {
  test('takes as many rows as are asked for where the model takes any number', () => {
    const { list, left } = splitBatches(
      model('s'),
      new Map([
        ['x', rows(7)],
        ['y', y],
      ]),
      3,
      'data',
    );
    expect([shapes(list), left]).toEqual([['3×2 2', '3×2 2'], 1]);
    expect(Array.from(list[1]![0]!.data as Float32Array)).toEqual([6, 7, 8, 9, 10, 11]);
  });

  test('takes no more rows than the model does', () =>
    expect(
      shapes(
        splitBatches(
          model('s'),
          new Map([
            ['x', rows(12)],
            ['y', y],
          ]),
          32,
          'data',
        ).list,
      ),
    ).toEqual(['6×2 2', '6×2 2']));

  test('takes the rows that a static model has, and says how many are left', () => {
    const { list, left } = splitBatches(
      model(4),
      new Map([
        ['in.0', rows(11)],
        ['in.1', y],
      ]),
      3,
      'data',
    );
    expect([shapes(list), left]).toEqual([['4×2 2', '4×2 2'], 3]);
  });

  test('reads tensors of just the shape of the input whole', () =>
    expect(
      shapes(
        splitBatches(
          model(4),
          new Map([
            ['x', rows(4)],
            ['y', y],
          ]),
          3,
          'data',
        ).list,
      ),
    ).toEqual(['4×2 2']));

  test('refuses what does not fit', () => {
    const of =
      (x: HostTensor, other: HostTensor = y) =>
      () =>
        splitBatches(
          model(4, [4, 2]),
          new Map([
            ['x', x],
            ['y', other],
          ]),
          3,
          'data.npz',
        );
    expect(of(tensorOf('f32', [4, 3], new Float32Array(12)), rows(4))).toThrow(
      'data.npz: the tensor for "x" has shape [4, 3], expected f32[4, 2]',
    );
    expect(of(rows(3), rows(4))).toThrow('the tensor for "x" has shape [3, 2]');
    expect(of(rows(8), rows(12))).toThrow('data.npz: "x" has 8 rows for 2 runs, "y" 12 rows for 3 runs');
    expect(of(rows(11), rows(12))).toThrow('data.npz: "x" has 11 rows for 3 runs, "y" 12 rows for 3 runs');
    expect(of(tensorOf('f64', [4, 2], new Float64Array(8)), rows(4))).toThrow('data.npz: the tensor for "x" is f64, expected f32[4, 2]');
    expect(of(rows(0), rows(4))).toThrow('data.npz: the tensor for "x" has no rows');
    expect(() => splitBatches(model(4), new Map([['x', rows(4)]]), 3, 'data.npz')).toThrow('data.npz: has no tensor "y" or "in.1"');
  });
});
