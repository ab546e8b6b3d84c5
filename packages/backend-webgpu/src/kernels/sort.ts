import { type Dim, type Node, yes } from '@qfuse/plugin';
import {
  type Binding,
  type Cost,
  defineKernel,
  type Dispatch,
  exact,
  type KernelSample,
  type SampleTensor,
  type Scratch,
  type Sizes,
  type WebGPUKernel,
} from '../kernel.js';
import { knownLayout, type ScalarType } from '../storage.js';
import { bindValue, loadFunction } from '../wgsl/elements.js';
import { mapDispatch } from '../wgsl/map.js';
import { rowsDispatch } from '../wgsl/rows.js';
import { arranging, heaping } from '../wgsl/selection.js';
import { attrOf, axisOf, op } from './ops.js';
import { axisRuns } from './reduce.js';
import { f32, sample } from './samples.js';

/**
 * Sorting and topk along an axis. Elements become keys, u32 numbers of the same order, line after line; the order of each
 * line is found as positions; two more dispatches write values and indices in this order. A stable sort counts for each
 * element those before it. Else a thread sorts a whole line as torch's CPU does: nothing but that gives its indices for
 * equal elements.
 */
interface Lines {
  readonly size: (sizes: Sizes) => number;
  readonly count: (sizes: Sizes) => number;
  readonly runs: ReturnType<typeof axisRuns>;
  readonly keys: Scratch;
  readonly order: Scratch;
}

function linesOf(node: Node): Lines {
  const self = node.operand('self');
  const rank = self.type.shape.length;
  const runs = axisRuns(rank, rank === 0 ? [] : [axisOf(attrOf<number>(node, 'dim'), rank)]);
  const size = (sizes: Sizes): number => runs.values(sizes.shape(self))['count']!;
  const count = (sizes: Sizes): number => (size(sizes) === 0 ? 0 : sizes.count(self) / size(sizes));
  const bytes = (sizes: Sizes): number => 4 * Math.max(sizes.count(self), 1);
  return { size, count, runs, keys: { scratch: 'keys', bytes }, order: { scratch: 'order', bytes } };
}

const words = (name: string, scratch: Scratch, access: Binding['access']): Binding => ({ name, type: 'array<u32>', access, from: scratch });

/** WGSL for the key of `x`: zeros of both signs are equal, a NaN is larger than every number. */
const keyOf: Readonly<Record<ScalarType, string>> = {
  f32: 'select(select(bitcast<u32>(x) | 0x80000000u, ~bitcast<u32>(x), has_sign(x)), select(0x80000000u, 0xffffffffu, is_nan(x)), x == 0.0 || is_nan(x))',
  i32: 'bitcast<u32>(x) ^ 0x80000000u',
  u32: 'x',
  bool: 'select(0u, 1u, x)',
};

function keys(node: Node, { runs, keys: made }: Lines, descending: boolean): Dispatch {
  const self = node.operand('self');
  const { dtype } = self.type;
  return rowsDispatch({
    label: 'sort keys',
    lanes: 1,
    bindings: [bindValue('x', self), words('keys', made, 'read_write')],
    parameters: runs.parameters,
    declarations: `${loadFunction('x', dtype)}\n${runs.place}`,
    body: `let x = load_x(place(row / P.count, row % P.count));\nkeys[row] = ${descending ? '~' : ''}(${keyOf[knownLayout(dtype).scalar]});`,
    rows: (sizes) => sizes.count(self),
    values: (sizes) => runs.values(sizes.shape(self)),
  });
}

/** One thread a line: `body` arranges the `P.count` positions. */
const arrange = (node: Node, lines: Lines, functions: string, body: string): Dispatch =>
  rowsDispatch({
    label: 'sort lines',
    lanes: 1,
    bindings: [words('keys', lines.keys, 'read'), words('order', lines.order, 'read_write')],
    parameters: { count: 'u32', k: 'u32' },
    declarations: `var<private> start: u32;
fn item(i: i32) -> u32 { return order[start + u32(i)]; }
fn put(i: i32, position: u32) { order[start + u32(i)] = position; }
fn before(a: u32, b: u32) -> bool { return keys[start + a] < keys[start + b]; }
${functions}`,
    body: `start = row * P.count;
for (var i = first; i < P.count; i++) { put(i32(i), i); }
${body}`,
    rows: lines.count,
    values: (sizes) => ({ count: lines.size(sizes), k: lengthOf(node, lines, sizes) }),
  });

/** One thread an element: its place is the number of elements before it. */
const rank = (node: Node, lines: Lines): Dispatch =>
  rowsDispatch({
    label: 'rank elements',
    lanes: 1,
    bindings: [words('keys', lines.keys, 'read'), words('order', lines.order, 'read_write')],
    parameters: { count: 'u32' },
    body: `let start = row - row % P.count;
let key = keys[row];
var rank = 0u;
for (var i = start; i < row; i++) { rank += select(0u, 1u, keys[i] <= key); }
for (var i = row + 1u; i < start + P.count; i++) { rank += select(0u, 1u, keys[i] < key); }
order[start + rank] = row - start;`,
    rows: (sizes) => sizes.count(node.operand('self')),
    values: (sizes) => ({ count: lines.size(sizes) }),
  });

/** Elements of a line of the results. */
const lengthOf = (node: Node, { size }: Lines, sizes: Sizes): number => {
  const rank = node.results[0]!.type.shape.length;
  return rank === 0 ? size(sizes) : sizes.shape(node.results[0]!)[axisOf(attrOf<number>(node, 'dim'), rank)]!;
};

/** Writes a result from the order: the elements, or the positions that they had. */
function write(node: Node, lines: Lines, which: 0 | 1): Dispatch {
  const self = node.operand('self');
  const output = node.results[which]!;
  return mapDispatch({
    label: which === 0 ? 'sorted values' : 'sorted indices',
    inputs: which === 0 ? [['x', self]] : [],
    bindings: [words('order', lines.order, 'read')],
    output,
    parameters: { count: 'u32', length: 'u32', inner: 'u32' },
    values: (sizes) => {
      const rank = self.type.shape.length;
      const axis = rank === 0 ? 0 : axisOf(attrOf<number>(node, 'dim'), rank);
      return {
        count: lines.size(sizes),
        length: lengthOf(node, lines, sizes),
        inner: sizes
          .shape(self)
          .slice(axis + 1)
          .reduce((a, b) => a * b, 1),
      };
    },
    element: `let block = i / (P.inner * P.length);
let k = (i / P.inner) % P.length;
let at = order[(block * P.inner + i % P.inner) * P.count + k];
return ${which === 0 ? 'load_x((block * P.count + at) * P.inner + i % P.inner)' : 'i32(at)'};`,
  });
}

/** Lines of up to this many elements are sorted by insertion, which is stable. */
const INSERTED = 16;

function sort(node: Node): readonly Dispatch[] {
  const lines = linesOf(node);
  const { shape } = node.operand('self').type;
  const size = shape.length === 0 ? 1 : shape[axisOf(attrOf<number>(node, 'dim'), shape.length)]!;
  const wanted = node.op.attrNames.includes('stable') && attrOf<boolean | undefined>(node, 'stable') === true;
  const stable = wanted || (typeof size === 'number' && size <= INSERTED);
  const order = stable ? rank(node, lines) : arrange(node, lines, arranging, 'if (P.count > 1u) { arrange(-1, i32(P.count), true); }');
  return [keys(node, lines, attrOf<boolean>(node, 'descending')), order, write(node, lines, 0), write(node, lines, 1)];
}

/** As torch's CPU kernel: a few of many are kept in a heap, else selected and, but for the last, sorted. */
function topk(node: Node): readonly Dispatch[] {
  const lines = linesOf(node);
  const { shape } = node.operand('self').type;
  const [k, size] = [attrOf<Dim>(node, 'k'), shape.length === 0 ? 1 : shape[axisOf(attrOf<number>(node, 'dim'), shape.length)]!];
  const few = typeof k === 'number' && typeof size === 'number' ? 64 * k <= size : undefined;
  const heaped = 'heap_select(0, i32(P.k), i32(P.count), true);';
  const chosen = `arrange(i32(P.k) - 1, i32(P.count), ${attrOf<boolean>(node, 'sorted')});`;
  const body = few === undefined ? `if (P.k * 64u <= P.count) { ${heaped} } else { ${chosen} }` : few ? heaped : chosen;
  const order = arrange(node, lines, few === true ? heaping : arranging, `if (P.k > 0u) { ${body} }`);
  return [keys(node, lines, attrOf<boolean>(node, 'largest')), order, write(node, lines, 0), write(node, lines, 1)];
}

function cost(node: Node, sizes: Sizes): Cost {
  const { size, count } = linesOf(node);
  const n = size(sizes);
  return {
    bytes: 4 * (2 * sizes.count(node.operand('self')) + 3 * sizes.count(node.results[0]!)),
    operations: count(sizes) * n * Math.ceil(Math.log2(n + 1)),
  };
}

/** Many equal elements, so that ties count; with NaNs, zeros of both signs, long lines for every part of the algorithms. */
const ties = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => (i * 7919 + ((i * i) % 13) * 31) % 11);
const numbers = sample('f32', [2, 9], [0, -0, NaN, 3, -Infinity, Infinity, 3, NaN, -1]);
const long: readonly SampleTensor[] = [40, 200].map((n) => sample('i64', [n], ties(n)));
const lines = [...long, numbers, f32(3, 20, 2), sample('i8', [37], ties(37)), sample('bool', [19]), f32(), f32(2, 0)];
const along = (self: SampleTensor): Dim => (self.shape.length > 2 ? 1 : -1);
const orders = (more: KernelSample['attrs']): readonly KernelSample[] =>
  [false, true].flatMap((descending) =>
    // Shaders for long lines are slow to compile on a software adapter: one for the other direction.
    (descending ? lines.slice(1, 3) : lines).map((self) => ({ operands: { self }, attrs: { ...more, dim: along(self), descending } })),
  );
const chosen: readonly (readonly [SampleTensor, number])[] = [
  [long[1]!, 60],
  [long[1]!, 3],
  [long[0]!, 1],
  [numbers, 4],
  [numbers, 9],
  [f32(3, 20, 2), 5],
  [f32(4), 0],
  [f32(), 1],
];
const selections = [true, false].flatMap((largest) =>
  [true, false].flatMap((inOrder) =>
    (largest && inOrder ? chosen : chosen.slice(0, 1)).map(([self, k]): KernelSample => ({
      operands: { self },
      attrs: { k, dim: along(self), largest, sorted: inOrder },
    })),
  ),
);

/** The kernels of this family. */
export const sortKernels: readonly WebGPUKernel[] = (
  [
    ['sort', sort, orders({})],
    ['sort.stable', sort, [...orders({ stable: true }), ...orders({ stable: false }).slice(0, 1)]],
    ['topk', topk, selections],
  ] as const
).map(([name, emit, samples]) =>
  defineKernel({ name: `sort/aten.${name}`, op: op(`aten.${name}`), error: exact, samples, supports: () => yes, emit, cost }),
);
