import { Editor, Graph, type HostTensor, tensorOf, tensorType, QfuseError } from '@qfuse/ir';
import { describe, expect, it } from 'vitest';
import type { OpDefinition } from '../define.js';
import { DiagonalScatter, SelectScatter, SliceScatter } from './view-scatter.js';

/** Numbers 0, 1, 2, … of a shape. */
const count = (shape: number[]): HostTensor =>
  tensorOf(
    'f32',
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
  );
/** Numbers -1, -2, … of a shape. */
const marks = (shape: number[]): HostTensor =>
  tensorOf(
    'f32',
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => -1 - i),
  );

/** Builds the node, which checks shapes, and runs its reference. */
function run(op: OpDefinition, self: HostTensor, src: HostTensor, attrs: Record<string, number>): number[] {
  const graph = new Graph();
  const editor = new Editor(graph);
  const values = [self, src].map((t, i) => editor.addInput(`v${i}`, tensorType(t.dtype, t.shape)));
  const node = editor.createFromSlots(op, values, attrs);
  const fail = (why: string): never => {
    throw new QfuseError('test', why);
  };
  const [out] = op.reference!({ operands: { self, src }, attrs: node.attrs, results: [{ dtype: self.dtype, shape: self.shape }], fail });
  return [...(out!.data as Float32Array)];
}

describe('aten.slice_scatter', () => {
  it.each([
    [{ dim: 1, start: 1, end: 3 }, [2, 2], [0, -1, -2, 3, 4, -3, -4, 7]],
    [{ dim: 1, start: 0, end: 4, step: 2 }, [2, 2], [-1, 1, -2, 3, -3, 5, -4, 7]],
    [{ dim: -1, start: -1 }, [2, 1], [0, 1, 2, -1, 4, 5, 6, -2]],
    [{ start: 1 }, [1, 4], [0, 1, 2, 3, -1, -2, -3, -4]],
    [{ start: 5 }, [0, 4], [0, 1, 2, 3, 4, 5, 6, 7]],
    [{ dim: 1, start: -99, end: 99 }, [2, 4], [-1, -2, -3, -4, -5, -6, -7, -8]],
    [{ dim: 1, start: 3, end: 1 }, [2, 0], [0, 1, 2, 3, 4, 5, 6, 7]],
  ])('puts src at %j', (attrs, shape, expected) => expect(run(SliceScatter, count([2, 4]), marks(shape), attrs)).toEqual(expected));

  it('refuses another shape, rank, dtype or a step that is not positive', () => {
    expect(() => run(SliceScatter, count([2, 4]), marks([2, 3]), { dim: 1, start: 1, end: 3 })).toThrow(
      /src has shape \[2, 3\], expected \[2, 2\]/,
    );
    expect(() => run(SliceScatter, count([]), marks([1]), {})).toThrow(/0-d/);
    expect(() => run(SliceScatter, count([2]), tensorOf('i32', [2], [1, 2]), {})).toThrow(/src is i32, expected f32/);
    expect(() => run(SliceScatter, count([2]), marks([2]), { step: 0 })).toThrow(/step/);
  });

  it('takes symbolic sizes', () => {
    const graph = new Graph();
    const editor = new Editor(graph);
    const n = graph.env.declare('n', { min: 2 });
    const self = editor.addInput('self', tensorType('f32', [n, 3]));
    const src = editor.addInput('src', tensorType('f32', [1, 3]));
    expect(editor.create(SliceScatter, { self, src }, { start: 0, end: 1 }).result.type).toBe(self.type);
    expect(() => editor.create(SliceScatter, { self, src }, { start: 0, end: 2 })).toThrow(/expected \[2, 3\]/);
  });
});

describe('aten.select_scatter', () => {
  it.each([
    [{ dim: 0, index: 1 }, [3], [0, 1, 2, -1, -2, -3]],
    [{ dim: -1, index: -1 }, [2], [0, 1, -1, 3, 4, -2]],
  ])('puts src at %j', (attrs, shape, expected) => expect(run(SelectScatter, count([2, 3]), marks(shape), attrs)).toEqual(expected));

  it('refuses an index out of range and another shape', () => {
    expect(() => run(SelectScatter, count([2, 3]), marks([3]), { dim: 0, index: 2 })).toThrow(/out of range/);
    expect(() => run(SelectScatter, count([2, 3]), marks([3]), { dim: 0, index: -3 })).toThrow(/out of range/);
    expect(() => run(SelectScatter, count([2, 3]), marks([2]), { dim: 0, index: 0 })).toThrow(/expected \[3\]/);
  });
});

describe('aten.diagonal_scatter', () => {
  it.each([
    [{}, [2], [-1, 1, 2, 3, -2, 5]],
    [{ offset: 1 }, [2], [0, -1, 2, 3, 4, -2]],
    [{ offset: -1 }, [1], [0, 1, 2, -1, 4, 5]],
    [{ offset: 9 }, [0], [0, 1, 2, 3, 4, 5]],
    [{ offset: 1, dim1: 1, dim2: 0 }, [1], [0, 1, 2, -1, 4, 5]],
  ])('puts src at %j', (attrs, shape, expected) => expect(run(DiagonalScatter, count([2, 3]), marks(shape), attrs)).toEqual(expected));

  it('keeps leading axes first', () =>
    expect(run(DiagonalScatter, count([2, 2, 2]), marks([2, 2]), { dim1: 1, dim2: 2 })).toEqual([-1, 1, 2, -2, -3, 5, 6, -4]));
  it('refuses one axis twice', () =>
    expect(() => run(DiagonalScatter, count([2, 2]), marks([2]), { dim1: 1, dim2: -1 })).toThrow(/same axis/));
});
