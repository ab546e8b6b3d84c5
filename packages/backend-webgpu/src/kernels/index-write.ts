import { type Dim, intScalar, type Node, no, type Scalar, scalarNumber, type Value, type Verdict, yes } from '@qfuse/plugin';
import { defineKernel, type ErrorBound, exact, type KernelSample, type SampleTensor, type Sizes, type WebGPUKernel } from '../kernel.js';
import { knownLayout } from '../storage.js';
import { rowMajor } from '../wgsl/indexing.js';
import { type Reading, type Writes, writesDispatch } from '../wgsl/writes.js';
import { literal } from './elementwise.js';
import { indexedAxes, rankOf } from './gather.js';
import { attrOf, axisOf, op } from './ops.js';
import { f32, indices, sample } from './samples.js';
import { writesCost } from './scatter.js';

/** Ops that write at places which index tensors give: index_put, put, and index_add, _copy and _fill along an axis. */
const sums: ErrorBound = { absolute: 1e-6, relative: 2 ** -17, sums: true };
const zeros = (count: number): number[] => new Array<number>(count).fill(0);

/** Strides of a value that broadcasts to `rank` axes; 0 where it does. */
function broadcastStrides(value: Value, rank: number, sizes: Sizes): number[] {
  const shape = sizes.shape(value);
  return [...zeros(rank - shape.length), ...rowMajor(shape).map((s, a) => (shape[a] === 1 ? 0 : s))];
}

/** The dims that values broadcast to, of which those that are not 1 agree. */
const broadcastDims = (values: readonly Value[], rank: number): readonly Dim[] =>
  Array.from({ length: rank }, (_, axis) => {
    const own = values.map((v) => v.type.shape[axis - rank + rankOf(v)] ?? 1);
    return own.find((d) => d !== 1) ?? 1;
  });

function indexPut(node: Node): Writes {
  const [self, values] = [node.operand('self'), node.operand('values')];
  const { axes, rank, first } = indexedAxes(node);
  const given = axes.map((axis) => node.operandList('indices')[axis]!);
  const own = rankOf(self);
  const kept = Array.from({ length: own }, (_, a) => a).filter((a) => !axes.includes(a));
  // Values broadcast to the kept axes with those of the writes among them.
  const strides = (sizes: Sizes): number[] => broadcastStrides(values, kept.length + rank, sizes);
  const source: Reading = {
    value: values,
    output: (sizes) => {
      const all = strides(sizes).toSpliced(first, rank);
      return Array.from({ length: own }, (_, a) => (kept.includes(a) ? all[kept.indexOf(a)]! : 0));
    },
    writes: (sizes) => strides(sizes).slice(first, first + rank),
  };
  return {
    self,
    shape: self.type.shape,
    writes: broadcastDims(given, rank),
    targets: given.map((value, k) => ({
      value,
      axis: axes[k]!,
      output: () => zeros(own),
      writes: (sizes) => broadcastStrides(value, rank, sizes),
    })),
    wrap: true,
    source,
    joining: attrOf<boolean>(node, 'accumulate') ? 'sum' : 'last',
  };
}

/** Positions in row-major order, of self as of the index. */
function put(node: Node): Writes {
  const [self, index, source] = [node.operand('self'), node.operand('index'), node.operand('source')];
  const inOrder = (value: Value): Reading => ({
    value,
    output: () => zeros(rankOf(self)),
    writes: (sizes) => rowMajor(sizes.shape(index)),
  });
  return {
    self,
    shape: self.type.shape,
    writes: index.type.shape,
    targets: [{ ...inOrder(index), axis: 'all' }],
    wrap: true,
    source: inOrder(source),
    joining: attrOf<boolean>(node, 'accumulate') ? 'sum' : 'last',
  };
}

/** Slices of `source`, or a number, at the indices `index` of an axis. */
function slices(node: Node, options: Pick<Writes, 'joining'> & Partial<Pick<Writes, 'wrap' | 'factor'>>): Writes {
  const [self, index] = [node.operand('self'), node.operand('index')];
  const shape: readonly Dim[] = rankOf(self) === 0 ? [1] : self.type.shape;
  const axis = axisOf(attrOf<number>(node, 'dim'), shape.length);
  const has = (name: string): boolean => node.op.operandNames.includes(name);
  const sliceOf = (value: Value): Reading => {
    const strides = (sizes: Sizes): number[] => rowMajor(rankOf(value) === 0 ? [1] : sizes.shape(value));
    return { value, output: (sizes) => strides(sizes).with(axis, 0), writes: (sizes) => [strides(sizes)[axis]!] };
  };
  return {
    self,
    shape,
    writes: [index.type.shape[0] ?? 1],
    targets: [{ value: index, axis, output: () => zeros(shape.length), writes: () => [1] }],
    source: has('source')
      ? sliceOf(node.operand('source'))
      : has('value')
        ? { value: node.operand('value'), output: () => zeros(shape.length), writes: () => [0] }
        : { literal: literal(attrOf<Scalar>(node, 'value'), knownLayout(self.type.dtype).scalar) },
    ...options,
  };
}

function indexAdd(node: Node): Writes {
  const { scalar } = knownLayout(node.result.type.dtype);
  const alpha = attrOf<Scalar>(node, 'alpha');
  const one = scalarNumber(alpha) === 1;
  return slices(node, { joining: 'sum', factor: one ? undefined : literal(alpha, scalar) });
}

const named: Readonly<Record<string, (node: Node) => Writes>> = {
  index_put: indexPut,
  put,
  index_add: indexAdd,
  index_copy: (node) => slices(node, { joining: 'last' }),
  'index_fill.int_Scalar': (node) => slices(node, { joining: 'last', wrap: true }),
  'index_fill.int_Tensor': (node) => slices(node, { joining: 'last', wrap: true }),
};

function supports(node: Node, name: string): Verdict {
  if (name === 'index_put') {
    const mask = node.operandList('indices').find((v) => v?.type.dtype === 'bool' || v?.type.dtype === 'u8');
    if (mask !== undefined) return no(`an index is a ${mask.type.dtype} mask, which writes at as many places as it has true elements`);
  }
  if (name === 'index_add' && scalarNumber(attrOf<Scalar>(node, 'alpha')) !== 1 && node.result.type.dtype === 'bool')
    return no('a factor of bools');
  return yes;
}

const on = (operands: KernelSample['operands'], attrs?: KernelSample['attrs']): KernelSample => ({ operands, attrs });
const along = (self: SampleTensor, index: SampleTensor, source: SampleTensor | undefined, attrs: KernelSample['attrs']): KernelSample =>
  on({ self, index, ...(source && { source }) }, attrs);
const rows = (attrs: KernelSample['attrs']): readonly KernelSample[] => [
  along(f32(5, 3), indices([7], 5), f32(7, 3), { ...attrs, dim: 0 }),
  along(f32(2, 5, 3), indices([2], 5), f32(2, 2, 3), { ...attrs, dim: -2 }),
  along(sample('i64', [4]), sample('i64', [], [3]), sample('i64', [1]), { ...attrs, dim: 0 }),
  along(f32(), sample('i64', [1], [0]), f32(), { ...attrs, dim: 0 }),
  along(f32(3), sample('i64', [0]), f32(0), { ...attrs, dim: 0 }),
];
const puts = [false, true].flatMap((accumulate): readonly KernelSample[] => [
  on({ self: f32(5, 3), indices: [indices([7], 5, true)], values: f32(7, 3) }, { accumulate }),
  on({ self: f32(5, 3), indices: [indices([4], 5), indices([4], 3, true)], values: f32() }, { accumulate }),
  on({ self: f32(4, 5, 3), indices: [undefined, indices([2, 3], 5)], values: f32(2, 3, 3) }, { accumulate }),
  on({ self: f32(4, 5, 3), indices: [indices([2, 1], 4), indices([3], 5)], values: f32(3) }, { accumulate }),
  on({ self: f32(4, 5, 3), indices: [indices([3], 4), undefined, indices([3], 3)], values: f32(3, 5) }, { accumulate }),
  on({ self: sample('i8', [9]), indices: [indices([4], 9)], values: sample('i8', [4]) }, { accumulate }),
  on({ self: f32(2, 4, 8), indices: [undefined, sample('i64', [1], [2])], values: f32(2, 1, 8) }, { accumulate }),
]);

/** The shape lists, by op. */
const samples: Readonly<Record<string, readonly KernelSample[]>> = {
  index_put: puts,
  put: [false, true].flatMap((accumulate) => [
    along(f32(3, 5), indices([2, 3], 15, true), f32(6), { accumulate }),
    along(sample('bool', [4]), indices([2], 4), sample('bool', [2]), { accumulate }),
    along(f32(), sample('i64', [2], [0, -1]), f32(2), { accumulate }),
  ]),
  index_add: [...rows({}), ...rows({ alpha: intScalar(-2) })],
  index_copy: rows({}),
  'index_fill.int_Scalar': [
    along(f32(3, 5), indices([3], 5, true), undefined, { dim: 1, value: { kind: 'float', value: 0.5 } }),
    along(sample('i8', [5]), sample('i64', [], [-1]), undefined, { dim: 0, value: intScalar(9) }),
  ],
  'index_fill.int_Tensor': [f32(), sample('i64', [], [7])].map((value) =>
    on({ self: f32(3, 5), index: indices([2], 3, true), value }, { dim: 0 }),
  ),
};

/** The kernels of this family. */
export const indexWriteKernels: readonly WebGPUKernel[] = Object.entries(named).map(([name, writesOf]) =>
  defineKernel({
    name: `index-write/aten.${name}`,
    op: op(`aten.${name}`),
    error: /^(index_put|put|index_add)$/.test(name) ? sums : exact,
    samples: samples[name] ?? [],
    supports: (node) => supports(node, name),
    emit: (node) => [writesDispatch(node, 'index write', writesOf(node))],
    cost: writesCost((node) => writesOf(node).writes),
  }),
);
