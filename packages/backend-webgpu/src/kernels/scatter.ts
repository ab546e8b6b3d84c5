import { type Dim, intScalar, type Node, type Scalar, type Value, yes } from '@qfuse/plugin';
import {
  type Cost,
  defineKernel,
  type ErrorBound,
  exact,
  type KernelSample,
  type SampleTensor,
  type Sizes,
  type WebGPUKernel,
} from '../kernel.js';
import { knownLayout } from '../storage.js';
import { rowMajor } from '../wgsl/indexing.js';
import { type Joining, type Reading, type Writes, writesDispatch } from '../wgsl/writes.js';
import { literal } from './elementwise.js';
import { attrOf, axisOf, op } from './ops.js';
import { f32, sample } from './samples.js';

/** The scatter ops: elements of `src`, or a number, joined with those of `self` that `index` names along an axis. */
const sums: ErrorBound = { absolute: 1e-6, relative: 2 ** -17, sums: true };

/** 0-d tensors are vectors of one element to these ops. */
const shapeOf = (value: Value): readonly Dim[] => (value.type.shape.length === 0 ? [1] : value.type.shape);

/** Every element of the result looks at all writes of its line. */
export const writesCost =
  (writesOf: (node: Node) => readonly Dim[]) =>
  (node: Node, sizes: Sizes): Cost => {
    const count = sizes.count(node.result);
    const bytes = 4 * (count + node.operands.reduce((n, v) => n + (v === undefined ? 0 : sizes.count(v)), 0));
    return { bytes, operations: count * writesOf(node).reduce((n: number, d) => n * sizes.dim(d), 1) };
  };

function scattered(node: Node, joining: Joining): Writes {
  const [self, index] = [node.operand('self'), node.operand('index')];
  const src = node.op.operandNames.includes('src') ? node.operand('src') : undefined;
  const shape = shapeOf(self);
  const axis = axisOf(attrOf<number>(node, 'dim'), shape.length);
  const places = shapeOf(index);
  // An index without elements may have any rank and dtype.
  if (places.includes(0)) return { self, shape, writes: [0], targets: [], source: { literal: 'load_x(i)' }, joining: 'last' };
  const along = (value: Value): Reading => {
    const strides = (sizes: Sizes): number[] => rowMajor(shapeOf(value).map((d) => sizes.dim(d)));
    return { value, output: (sizes) => strides(sizes).with(axis, 0), writes: (sizes) => [strides(sizes)[axis]!] };
  };
  return {
    self,
    shape,
    writes: [places[axis]!],
    targets: [{ ...along(index), axis }],
    limits: places.flatMap((size, a) => (a === axis || size === shape[a] ? [] : [[a, size] as const])),
    source: src === undefined ? { literal: literal(attrOf<Scalar>(node, 'value'), knownLayout(self.type.dtype).scalar) } : along(src),
    joining,
    includeSelf: attrOf<boolean | undefined>(node, 'include_self') ?? true,
  };
}

const byReduce = (node: Node): Joining => ({ add: 'sum', multiply: 'prod' })[attrOf<'add' | 'multiply'>(node, 'reduce')] as Joining;
const joinings: Readonly<Record<string, (node: Node) => Joining>> = {
  'scatter.src': () => 'last',
  'scatter.value': () => 'last',
  'scatter.reduce': byReduce,
  'scatter.value_reduce': byReduce,
  scatter_add: () => 'sum',
  'scatter_reduce.two': (node) => attrOf<Joining>(node, 'reduce'),
};

const index = (shape: readonly number[], size: number): SampleTensor =>
  sample(
    'i64',
    shape,
    Array.from({ length: 11 }, (_, i) => (i * 4 + 1) % size),
  );
const on = (self: SampleTensor, places: SampleTensor, src: SampleTensor | undefined, attrs: KernelSample['attrs']): KernelSample => ({
  operands: { self, index: places, ...(src && { src }) },
  attrs,
});
/** Several writes to one element, an index smaller than both tensors, 0-d tensors, packed dtypes. */
const withSource = (attrs: KernelSample['attrs']): readonly KernelSample[] => [
  on(f32(3, 5), index([3, 7], 5), f32(3, 7), { ...attrs, dim: 1 }),
  on(f32(5, 4), index([6, 2], 5), f32(7, 3), { ...attrs, dim: 0 }),
  on(f32(3, 4, 2), index([2, 4, 1], 4), f32(2, 5, 2), { ...attrs, dim: -2 }),
  on(f32(), index([], 1), f32(), { ...attrs, dim: 0 }),
  on(sample('i64', [6]), index([9], 6), sample('i64', [9]), { ...attrs, dim: 0 }),
  on(sample('u8', [5], [250, 7, 99]), index([8], 5), sample('u8', [8], [200, 3, 77]), { ...attrs, dim: 0 }),
  on(sample('i8', [3]), index([4], 3), sample('i8', [4], [-100, 100, 27]), { ...attrs, dim: 0 }),
  on(f32(3, 2), sample('i64', [0, 2]), f32(3, 2), { ...attrs, dim: 0 }),
];
const numbers = (attrs: KernelSample['attrs']): readonly KernelSample[] => [
  on(f32(3, 5), index([3, 2], 5), undefined, { ...attrs, dim: 1, value: { kind: 'float', value: -1.5 } }),
  on(sample('i8', [7]), index([4], 7), undefined, { ...attrs, dim: 0, value: intScalar(3) }),
];
const packed = on(sample('i8', [2, 5]), index([2, 4], 5), sample('i8', [2, 4]), { dim: 1 });
const samples: Readonly<Record<string, readonly KernelSample[]>> = {
  'scatter.src': [...withSource({}), packed, on(sample('bool', [5]), index([3], 5), sample('bool', [3]), { dim: 0 })],
  'scatter.value': numbers({}),
  'scatter.reduce': [...withSource({ reduce: 'add' }), ...withSource({ reduce: 'multiply' })],
  'scatter.value_reduce': [...numbers({ reduce: 'add' }), ...numbers({ reduce: 'multiply' })],
  scatter_add: [...withSource({}), packed],
  'scatter_reduce.two': ['sum', 'prod', 'mean', 'amax', 'amin'].flatMap((reduce) => [
    ...withSource({ reduce }),
    ...withSource({ reduce, include_self: false }),
  ]),
};

/** The kernels of this family. */
export const scatterKernels: readonly WebGPUKernel[] = Object.entries(joinings).map(([name, joiningOf]) =>
  defineKernel({
    name: `scatter/aten.${name}`,
    op: op(`aten.${name}`),
    error: /^scatter\.(src|value)$/.test(name) ? exact : sums,
    samples: samples[name] ?? [],
    supports: () => yes,
    emit: (node) => [writesDispatch(node, 'scatter', scattered(node, joiningOf(node)))],
    cost: writesCost((node) => scattered(node, joiningOf(node)).writes),
  }),
);
