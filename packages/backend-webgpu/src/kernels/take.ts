import { type Node, no, yes } from '@qfuse/plugin';
import { defineKernel, exact, type KernelSample, type SampleTensor, type Sizes, type WebGPUKernel } from '../kernel.js';
import { rowMajor } from '../wgsl/indexing.js';
import { empty, type Lookup, lookupDispatch, rankOf } from './gather.js';
import { attrOf, axisOf, op } from './ops.js';
import { f32, indices, sample } from './samples.js';

/** Lookups as NumPy has them: positions in row-major order (take), and along an axis with the others broadcast (take_along_dim). */
const inOrder = (node: Node, index: 'index' | 'indices'): Lookup => {
  const [self, value] = [node.operand('self'), node.operand(index)];
  return {
    table: self,
    shape: (sizes) => [sizes.count(self)],
    strides: () => node.result.type.shape.map(() => 0),
    indices: [{ value, axis: 0, strides: (sizes) => rowMajor(sizes.shape(node.result)) }],
  };
};

/** Strides of a tensor of the result's rank along the axes of the result; 0 where it broadcasts. */
const broadcast = (shape: readonly number[], result: readonly number[]): number[] =>
  rowMajor(shape).map((s, a) => (shape[a] === 1 && result[a] !== 1 ? 0 : s));

function alongAxis(node: Node, dim: number): Lookup {
  const [self, value] = [node.operand('self'), node.operand('indices')];
  const axis = axisOf(dim, rankOf(self));
  const result = (sizes: Sizes): readonly number[] => sizes.shape(node.result);
  return {
    table: self,
    strides: (sizes) => broadcast(sizes.shape(self), result(sizes)).with(axis, 0),
    indices: [{ value, axis, modulo: true, strides: (sizes) => broadcast(sizes.shape(value), result(sizes)) }],
  };
}

const lookups: Readonly<Record<string, (node: Node) => Lookup>> = {
  take: (node) => inOrder(node, 'index'),
  take_along_dim: (node) => {
    const dim = attrOf<number | undefined>(node, 'dim');
    return dim === undefined ? inOrder(node, 'indices') : alongAxis(node, dim);
  },
};

const on = (self: SampleTensor, index: SampleTensor, attrs?: KernelSample['attrs']): KernelSample => ({
  operands: { self, [attrs === undefined ? 'index' : 'indices']: index },
  attrs,
});
const samples: Readonly<Record<string, readonly KernelSample[]>> = {
  take: [
    on(f32(3, 5), indices([2, 4], 15, true)),
    on(sample('i8', [5]), indices([3], 5)),
    on(f32(), sample('i64', [2], [0])),
    on(f32(3), indices([0], 3)),
  ],
  take_along_dim: [
    on(f32(3, 5), indices([3, 2], 5), { dim: 1 }),
    on(f32(3, 1), indices([1, 4], 3), { dim: 0 }),
    on(f32(1, 5), indices([4, 3], 5), { dim: -1 }),
    on(f32(2, 3), sample('i64', [2, 2], [-1, 4, 7, -5]), { dim: 1 }),
    on(f32(3, 5), indices([2, 4], 15), {}),
  ],
};

/** The kernels of this family. */
export const takeKernels: readonly WebGPUKernel[] = Object.entries(lookups).map(([name, lookup]) =>
  defineKernel({
    name: `take/aten.${name}`,
    op: op(`aten.${name}`),
    error: exact,
    samples: samples[name] ?? [],
    supports: (node) =>
      empty(node.operand('self').type.shape) && !empty(node.result.type.shape) ? no('self is empty, nothing can be taken of it') : yes,
    emit: (node) => [lookupDispatch(node, lookup(node))],
  }),
);
