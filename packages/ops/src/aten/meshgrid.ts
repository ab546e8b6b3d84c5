import { attr, type AttrSpecs, type AttrsOf, type Dim, tensorList, tensorType, type TensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { shapeText } from '../shapes.js';
import { Expand } from './expand.js';
import { entriesOf } from './support/joining.js';
import { View } from './support/reshaping.js';

/** The axis along which operand `k` of `count` varies. */
const axisOf = (k: number, count: number, indexing: 'ij' | 'xy'): number => (indexing === 'xy' && count > 1 && k < 2 ? 1 - k : k);

/** Coordinates of a grid: result `k` varies as vector `k` along one axis and is constant along the others. */
const grid = <A extends AttrSpecs>(name: string, attrs: A, indexing: (attrs: AttrsOf<A>) => 'ij' | 'xy') =>
  defineOp({
    name,
    summary: 'coordinates of the grid that vectors span',
    operands: { tensors: tensorList() },
    attrs,
    infer: ({ operands, attrs: given, fail }) => {
      const tensors = entriesOf<TensorType>(operands.tensors, fail);
      for (const t of tensors) {
        if (t.shape.length > 1) fail(`a tensor has shape ${shapeText(t.shape)}, expected rank 0 or 1`);
        if (t.dtype !== tensors[0]!.dtype) fail(`tensors are ${tensors.map((x) => x.dtype).join(', ')}, expected one dtype`);
      }
      const shape = new Array<Dim>(tensors.length).fill(1);
      tensors.forEach((t, k) => (shape[axisOf(k, tensors.length, indexing(given))] = t.shape[0] ?? 1));
      return tensors.map((t) => tensorType(t.dtype, shape));
    },
    decompose: ({ operands: { tensors }, attrs: given, results, builder }) =>
      tensors.map((t, k) => {
        const { shape } = results[k]!;
        const axis = axisOf(k, tensors.length, indexing(given));
        const own = builder.create(View, { self: t! }, { size: shape.map((d, i) => (i === axis ? d : 1)) }).result;
        return builder.create(Expand, { self: own }, { size: shape }).result;
      }),
  });

/** Vectors `[n0]`, `[n1]`, … to as many tensors `[n0, n1, …]`. */
export const Meshgrid = grid('aten.meshgrid', {}, () => 'ij');

/** As {@link Meshgrid} for `indexing` "ij"; for "xy" the first two axes are exchanged. */
export const MeshgridIndexing = grid('aten.meshgrid.indexing', { indexing: attr.oneOf('ij', 'xy') }, ({ indexing }) => indexing);
