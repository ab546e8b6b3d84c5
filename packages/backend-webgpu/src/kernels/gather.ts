import { type Dim, isFloat, type Node, no, type Value, type Verdict, yes } from '@qfuse/plugin';
import { type Cost, defineKernel, type Dispatch, exact, type KernelSample, type Sizes, type WebGPUKernel } from '../kernel.js';
import { knownLayout } from '../storage.js';
import { type Access, indexing, rowMajor } from '../wgsl/indexing.js';
import { mapDispatch } from '../wgsl/map.js';
import { attrOf, axisOf, op } from './ops.js';
import { f32, indices, sample } from './samples.js';

/**
 * Ops that read one tensor at places that others say: embedding, index_select, gather, index. A shader cannot raise an
 * error: an index out of range reads NaN (0 for integers, false for bool) instead of what torch refuses.
 */
export interface Lookup {
  readonly table: Value;
  /** The shape in which the indices see the table; default: its own, of a 0-d one a vector of one element. */
  readonly shape?: (sizes: Sizes) => readonly number[];
  /** Strides of the table along the output's axes; 0 along those that an index stands for. */
  readonly strides: (sizes: Sizes) => readonly number[];
  readonly indices: readonly {
    readonly value: Value;
    readonly strides: (sizes: Sizes) => readonly number[];
    /** Axis of the table. */
    readonly axis: number;
    /** Positions are taken modulo the size of the axis. */
    readonly modulo?: boolean;
  }[];
}

/** The dispatch of a lookup. */
export function lookupDispatch(node: Node, { table, shape: seen, strides, indices }: Lookup): Dispatch {
  const output = node.results[0]!;
  const index = indexing(output.type.shape, [{ strides }, ...indices.map((i): Access => ({ strides: i.strides }))]);
  const missing = isFloat(output.type.dtype)
    ? 'nan()'
    : knownLayout(output.type.dtype).scalar === 'bool'
      ? 'false'
      : `${knownLayout(output.type.dtype).scalar}(0)`;
  const lines = [index.coordinates, `var at = ${index.at[0]};`];
  indices.forEach(({ value, modulo }, k) => {
    const load = `load_i${k}(${index.at[k + 1]})`;
    lines.push(
      `var j${k} = ${knownLayout(value.type.dtype).scalar === 'i32' ? load : `i32(${load})`};`,
      modulo === true ? `j${k} = floor_modulo(j${k}, i32(P.size${k}));` : `if (j${k} < 0i) { j${k} += i32(P.size${k}); }`,
      `if (j${k} < 0i || u32(j${k}) >= P.size${k}) { return ${missing}; }`,
      `at += u32(j${k}) * P.step${k};`,
    );
  });
  lines.push('return load_x(at);');
  return mapDispatch({
    label: 'gather',
    inputs: [['x', table], ...indices.map(({ value }, k) => [`i${k}`, value] as const)],
    output,
    parameters: {
      ...index.parameters,
      ...Object.fromEntries(
        indices.flatMap((_, k) => [
          [`size${k}`, 'u32' as const],
          [`step${k}`, 'u32' as const],
        ]),
      ),
    },
    values: (sizes) => {
      const shape = seen?.(sizes) ?? (rankOf(table) === 0 ? [1] : sizes.shape(table));
      const steps = rowMajor(shape);
      return {
        ...index.values(sizes),
        ...Object.fromEntries(
          indices.flatMap(({ axis }, k) => [
            [`size${k}`, shape[axis]!],
            [`step${k}`, steps[axis]!],
          ]),
        ),
      };
    },
    element: lines.filter((l) => l !== '').join('\n'),
  });
}

const zeros = (count: number): number[] => new Array<number>(count).fill(0);
/** Number of axes. */
export const rankOf = (value: Value): number => value.type.shape.length;

function embedding(node: Node): Lookup {
  const [weight, indices] = [node.operand('weight'), node.operand('indices')];
  return {
    table: weight,
    strides: () => [...zeros(rankOf(indices)), 1],
    indices: [{ value: indices, axis: 0, strides: (sizes) => [...rowMajor(sizes.shape(indices)), 0] }],
  };
}

function indexSelect(node: Node): Lookup {
  const [self, index] = [node.operand('self'), node.operand('index')];
  const axis = axisOf(attrOf<number>(node, 'dim'), rankOf(self));
  return {
    table: self,
    strides: (sizes) => rowMajor(sizes.shape(self)).map((s, a) => (a === axis ? 0 : s)),
    indices: [{ value: index, axis, strides: () => Array.from({ length: rankOf(self) }, (_, a) => (a === axis ? 1 : 0)) }],
  };
}

function gather(node: Node): Lookup {
  const [self, index] = [node.operand('self'), node.operand('index')];
  const axis = axisOf(attrOf<number>(node, 'dim'), rankOf(self));
  return {
    table: self,
    strides: (sizes) => {
      const strides = rowMajor(sizes.shape(self));
      // One of the two may be 0-d where the other is a vector.
      return Array.from({ length: rankOf(index) }, (_, a) => (a === axis ? 0 : strides[a]!));
    },
    indices: [{ value: index, axis, strides: (sizes) => rowMajor(sizes.shape(index)) }],
  };
}

/** The axes of `self` that indices stand for, and where the axes of the broadcast indices begin in the result. */
export function indexedAxes(node: Node): { readonly axes: readonly number[]; readonly rank: number; readonly first: number } {
  const given = node.operandList('indices');
  const axes = given.flatMap((v, axis) => (v === undefined ? [] : [axis]));
  const rank = Math.max(0, ...given.map((v) => (v === undefined ? 0 : rankOf(v))));
  const together = axes.every((axis, i) => i === 0 || axis === axes[i - 1]! + 1);
  return { axes, rank, first: together ? (axes[0] ?? 0) : 0 };
}

function indexTensor(node: Node): Lookup {
  const self = node.operand('self');
  const { axes, rank, first } = indexedAxes(node);
  const kept = Array.from({ length: rankOf(self) }, (_, a) => a).filter((a) => !axes.includes(a));
  const place = <T>(keptStrides: readonly T[], indexStrides: readonly T[]): readonly T[] =>
    keptStrides.toSpliced(first, 0, ...indexStrides);
  return {
    table: self,
    strides: (sizes) => {
      const strides = rowMajor(sizes.shape(self));
      return place(
        kept.map((a) => strides[a]!),
        zeros(rank),
      );
    },
    indices: axes.map((axis) => {
      const value = node.operandList('indices')[axis]!;
      const strides = (sizes: Sizes): readonly number[] => {
        const shape = sizes.shape(value);
        const own = rowMajor(shape).map((s, a) => (shape[a] === 1 ? 0 : s));
        return place(zeros(kept.length), [...zeros(rank - own.length), ...own]);
      };
      return { value, axis, strides };
    }),
  };
}

const whole = (values: readonly Value[]): Verdict => {
  const mask = values.find((v) => v.type.dtype === 'bool' || (v.type.dtype === 'u8' && values.length > 0));
  return mask === undefined ? yes : no(`an index is a ${mask.type.dtype} mask, whose result has a size that depends on data`);
};

const lookups: Readonly<Record<string, readonly [(node: Node) => Lookup, (node: Node) => Verdict]>> = {
  embedding: [embedding, () => yes],
  index_select: [indexSelect, () => yes],
  gather: [gather, () => yes],
  'index.Tensor': [indexTensor, (node) => whole(node.operandList('indices').filter((v) => v !== undefined))],
};

/** The shape lists, by op. */
const samples: Readonly<Record<string, readonly KernelSample[]>> = {
  embedding: [
    { operands: { weight: f32(9, 5), indices: indices([3, 2], 9) } },
    { operands: { weight: sample('i8', [9, 3]), indices: indices([5], 9) } },
    { operands: { weight: f32(4, 3), indices: indices([], 4) } },
    { operands: { weight: f32(4, 3), indices: indices([0, 2], 4) } },
  ],
  index_select: [
    { operands: { self: f32(3, 5), index: indices([7], 5) }, attrs: { dim: 1 } },
    { operands: { self: sample('bool', [4]), index: indices([3], 4) }, attrs: { dim: 0 } },
    { operands: { self: f32(3, 5), index: sample('i64', [], [4]) }, attrs: { dim: -1 } },
    { operands: { self: f32(), index: sample('i64', [1], [0]) }, attrs: { dim: 0 } },
  ],
  gather: [
    { operands: { self: f32(3, 5), index: indices([2, 4], 5) }, attrs: { dim: 1 } },
    { operands: { self: sample('i64', [3, 4]), index: indices([5, 4], 3) }, attrs: { dim: 0 } },
    { operands: { self: f32(), index: sample('i64', [3], [0]) }, attrs: { dim: 0 } },
    { operands: { self: f32(4), index: sample('i64', [], [2]) }, attrs: { dim: -1 } },
    { operands: { self: f32(), index: sample('i64', [], [0]) }, attrs: { dim: 0 } },
  ],
  'index.Tensor': [
    { operands: { self: f32(3, 5, 2), indices: [indices([4], 3, true)] } },
    { operands: { self: f32(3, 5, 2), indices: [undefined, indices([2, 3], 5)] } },
    { operands: { self: f32(3, 5, 2), indices: [indices([2, 1], 3), indices([4], 5, true)] } },
    { operands: { self: f32(3, 5, 2), indices: [indices([4], 3), undefined, indices([4], 2)] } },
  ],
};

/** Whether a dim is the number 0; such tables cannot be read at all. */
export const empty = (dims: readonly Dim[]): boolean => dims.includes(0);

/** Of the table only what is looked up counts. */
function cost(node: Node, { indices }: Lookup, sizes: Sizes): Cost {
  const results = sizes.count(node.results[0]!);
  return { bytes: 4 * (2 * results + indices.reduce((sum, i) => sum + sizes.count(i.value), 0)), operations: results };
}

/** The kernels of this family. */
export const gatherKernels: readonly WebGPUKernel[] = Object.entries(lookups).map(([name, [lookup, fits]]) =>
  defineKernel({
    name: `gather/aten.${name}`,
    op: op(`aten.${name}`),
    error: exact,
    samples: samples[name] ?? [],
    supports: (node) =>
      empty(lookup(node).table.type.shape) && !empty(node.results[0]!.type.shape) ? no('the table is empty') : fits(node),
    emit: (node) => [lookupDispatch(node, lookup(node))],
    cost: (node, sizes) => cost(node, lookup(node), sizes),
  }),
);
