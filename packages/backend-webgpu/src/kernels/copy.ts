import { type Dim, type Node, no, yes } from '@qfuse/plugin';
import { defineKernel, type Dispatch, exact, type KernelSample, type SampleTensor, type Sizes, type WebGPUKernel } from '../kernel.js';
import { type Access, indexing, rowMajor } from '../wgsl/indexing.js';
import { mapDispatch } from '../wgsl/map.js';
import { attrOf, axisOf, op, sliceBound } from './ops.js';
import { f32, sample } from './samples.js';

/**
 * Ops that read their operand in another order: `y[c] = x[offset + Σ c · stride]`. Offset and strides follow from the
 * operand's shape in each run; they may be zero (expand) or negative (flip).
 */
type Order = (node: Node, shape: readonly number[], sizes: Sizes) => { readonly strides: readonly number[]; readonly offset?: number };

const orders: Readonly<Record<string, Order>> = {
  permute: (node, shape) => {
    const strides = rowMajor(shape);
    return { strides: attrOf<readonly number[]>(node, 'dims').map((d) => strides[axisOf(d, shape.length)]!) };
  },
  'slice.Tensor': (node, shape, sizes) => {
    const axis = axisOf(attrOf<number>(node, 'dim'), shape.length);
    const strides = rowMajor(shape);
    const start = sliceBound(sizes.dim(attrOf<Dim | undefined>(node, 'start') ?? 0), shape[axis]!);
    const step = sizes.dim(attrOf<Dim | undefined>(node, 'step') ?? 1);
    return { strides: strides.with(axis, strides[axis]! * step), offset: start * strides[axis]! };
  },
  'select.int': (node, shape, sizes) => {
    const axis = axisOf(attrOf<number>(node, 'dim'), shape.length);
    const strides = rowMajor(shape);
    const index = sizes.dim(attrOf<Dim>(node, 'index'));
    return { strides: strides.toSpliced(axis, 1), offset: (index < 0 ? index + shape[axis]! : index) * strides[axis]! };
  },
  expand: (node, shape) => {
    const lead = node.results[0]!.type.shape.length - shape.length;
    const strides = rowMajor(shape).map((s, axis) => (shape[axis] === 1 ? 0 : s));
    return { strides: [...new Array<number>(lead).fill(0), ...strides] };
  },
  flip: (node, shape) => {
    const axes = new Set(attrOf<readonly number[]>(node, 'dims').map((d) => axisOf(d, shape.length)));
    const strides = rowMajor(shape);
    const offset = strides.reduce((sum, s, axis) => sum + (axes.has(axis) ? s * Math.max(shape[axis]! - 1, 0) : 0), 0);
    return { strides: strides.map((s, axis) => (axes.has(axis) ? -s : s)), offset };
  },
  unfold: (node, shape) => {
    const axis = axisOf(attrOf<number>(node, 'dimension'), shape.length);
    const strides = rowMajor(shape);
    const step = attrOf<number>(node, 'step');
    return { strides: [...strides.map((s, a) => (a === axis ? s * step : s)), strides[axis] ?? 0] };
  },
  diagonal: (node, shape) => {
    const [a, b] = [axisOf(attrOf<number>(node, 'dim1'), shape.length), axisOf(attrOf<number>(node, 'dim2'), shape.length)];
    const strides = rowMajor(shape);
    const shift = attrOf<number>(node, 'offset');
    const rest = strides.filter((_, axis) => axis !== a && axis !== b);
    return { strides: [...rest, strides[a]! + strides[b]!], offset: shift >= 0 ? shift * strides[b]! : -shift * strides[a]! };
  },
};

const self = (operand: SampleTensor, attrs: KernelSample['attrs']): KernelSample => ({ operands: { self: operand }, attrs });

/** The shape lists, by op. */
const samples: Readonly<Record<string, readonly KernelSample[]>> = {
  permute: [
    self(f32(3, 5, 2), { dims: [2, 0, 1] }),
    self(f32(), { dims: [] }),
    self(f32(3, 0), { dims: [1, 0] }),
    self(sample('i8', [5, 7]), { dims: [1, 0] }),
    self(f32(2, 1, 3, 2, 2), { dims: [4, 1, -3, 0, 3] }),
  ],
  'slice.Tensor': [
    self(f32(5, 7), { dim: 1, start: 1, end: -1, step: 2 }),
    self(f32(5), { start: -3 }),
    self(f32(5), { start: 9 }),
    self(sample('bool', [4, 3]), { dim: 0, start: 1, end: 99 }),
    self(sample('i8', [9]), { start: 3, end: 8 }),
  ],
  'select.int': [
    self(f32(3, 5), { dim: 1, index: -2 }),
    self(f32(4), { dim: 0, index: 3 }),
    self(sample('i64', [2, 3, 2]), { dim: 1, index: 0 }),
  ],
  expand: [
    self(f32(3, 1), { size: [2, 3, 5] }),
    self(f32(), { size: [3] }),
    self(f32(1), { size: [0] }),
    self(sample('bool', [1, 2]), { size: [3, -1] }),
  ],
  flip: [self(f32(3, 5), { dims: [0, -1] }), self(f32(4), { dims: [] }), self(sample('i64', [2, 0]), { dims: [1] })],
  unfold: [
    self(f32(3, 7, 2), { dimension: 1, size: 3, step: 2 }),
    self(f32(5), { dimension: -1, size: 5, step: 1 }),
    self(f32(), { dimension: 0, size: 1, step: 1 }),
    self(sample('u8', [9]), { dimension: 0, size: 0, step: 4 }),
  ],
  diagonal: [self(f32(3, 5), {}), self(f32(3, 5), { offset: 2 }), self(f32(2, 4, 3), { offset: -1, dim1: 1, dim2: 2 })],
};

function emit(node: Node, order: Order): Dispatch {
  const input = node.operands[0]!;
  const output = node.results[0]!;
  const access: Access = {
    strides: (sizes) => order(node, sizes.shape(input), sizes).strides,
    offset: (sizes) => order(node, sizes.shape(input), sizes).offset ?? 0,
  };
  const index = indexing(output.type.shape, [access]);
  return mapDispatch({
    label: 'copy',
    inputs: [['x', input]],
    output,
    parameters: index.parameters,
    values: index.values,
    element: `${index.coordinates}\nreturn load_x(${index.at[0]});`,
  });
}

/** The kernels of this family. */
export const copyKernels: readonly WebGPUKernel[] = Object.entries(orders).map(([name, order]) =>
  defineKernel({
    name: `copy/aten.${name}`,
    op: op(`aten.${name}`),
    error: exact,
    samples: samples[name] ?? [],
    supports: (node) => (node.results[0]!.type.dtype === node.operands[0]!.type.dtype ? yes : no('the dtype changes')),
    emit: (node) => [emit(node, order)],
  }),
);
