import { type Dim, dimAdd, dimMod, type Node, type TensorType, type Value } from '@qfuse/plugin';
import type { Lowering } from './lowering.js';
import type { View } from './memory.js';

/** What is needed to carry a write through result `index` of a view's `node` back. */
interface Site {
  readonly node: Node;
  readonly index: number;
  readonly source: TensorType;
  readonly lowering: Lowering;
  readonly who: string;
}

/** The source's contents after `part` was written into the view. */
type Scatter = (site: Site, source: Value, part: Value) => Value;

/** `part` is the source under another shape. */
const reshaped: Scatter = ({ source, lowering, who }, _, part) => lowering.reshape(part, source.shape, who);

/** The same op undoes itself. */
const involution: Scatter = ({ node, lowering, who }, _, part) =>
  lowering.createFromSlots(node.op, [part, ...node.operands.slice(1)], node.attrs, who).result;

const permuted: Scatter = ({ node, source, lowering, who }, _, part) => {
  const dims = (node.attrs['dims'] as readonly number[]).map((d) => dimMod(d, source.shape.length) as number);
  const inverse = dims.map((_d, i) => dims.indexOf(i));
  return lowering.create('aten.permute', { self: part }, { dims: inverse }, who).result;
};

/** Part of the source: `<op>_scatter` with the view's own attributes puts it back. */
const placed =
  (op: string): Scatter =>
  ({ node, lowering, who }, source, part) =>
    lowering.create(op, { self: source, src: part }, node.attrs, who, [source.type]).result;

/** Result `index` of a split: the slice that begins where the results before it end. */
const splitPart: Scatter = ({ node, index, source, lowering, who }, whole, part) => {
  const dim = dimMod(Number(node.attrs['dim'] ?? 0), source.shape.length) as number;
  const start = node.results.slice(0, index).reduce((sum: Dim, r) => dimAdd(sum, r.type.shape[dim]!), 0);
  const end = dimAdd(start, node.results[index]!.type.shape[dim]!);
  return lowering.create('aten.slice_scatter', { self: whole, src: part }, { dim, start, end, step: 1 }, who, [whole.type]).result;
};

/** `narrow` says how long the slice is instead of where it ends. */
const narrowed: Scatter = ({ node, lowering, who }, source, part) => {
  const { dim, start, length } = node.attrs as { readonly dim: number; readonly start: Dim; readonly length: Dim };
  const size = source.type.shape[dimMod(dim, source.type.shape.length) as number]!;
  const from = typeof start === 'number' && start < 0 ? dimAdd(start, size) : start;
  return lowering.create('aten.slice_scatter', { self: source, src: part }, { dim, start: from, end: dimAdd(from, length), step: 1 }, who, [
    source.type,
  ]).result;
};

const moved: Scatter = ({ node, lowering, who }, _, part) => {
  const { source, destination } = node.attrs;
  return lowering.createFromSlots(node.op, [part], { source: destination, destination: source }, who).result;
};

const unbound: Scatter = ({ node, index, lowering, who }, whole, part) =>
  lowering.create('aten.select_scatter', { self: whole, src: part }, { dim: node.attrs['dim'] ?? 0, index }, who, [whole.type]).result;

/** Ops whose results share storage with their first operand, and how writes go back; `undefined`: they cannot. */
const scatters: Readonly<Record<string, Scatter | undefined>> = {
  'aten.view': reshaped,
  'aten.unsqueeze': reshaped,
  'aten.squeeze': reshaped,
  'aten.squeeze.dim': reshaped,
  'aten.squeeze.dims': reshaped,
  'aten.unflatten.int': reshaped,
  'aten.view_as': reshaped,
  'aten.transpose.int': involution,
  'aten.t': involution,
  'aten.permute': permuted,
  'aten.slice.Tensor': placed('aten.slice_scatter'),
  'aten.select.int': placed('aten.select_scatter'),
  'aten.diagonal': placed('aten.diagonal_scatter'),
  'aten.split.Tensor': splitPart,
  'aten.split_with_sizes': splitPart,
  'aten.chunk': splitPart,
  'aten.tensor_split.sections': splitPart,
  'aten.tensor_split.indices': splitPart,
  'aten.split.sizes': splitPart,
  'aten.hsplit.int': undefined,
  'aten.hsplit.array': undefined,
  'aten.vsplit.int': undefined,
  'aten.vsplit.array': undefined,
  'aten.dsplit.int': undefined,
  'aten.dsplit.array': undefined,
  'aten.unbind.int': unbound,
  'aten.narrow': narrowed,
  'aten.expand': undefined,
  'aten.expand_as': undefined,
  'aten.broadcast_to': undefined,
  'aten.movedim.int': moved,
  'aten.movedim.intlist': moved,
  'aten.numpy_T': involution,
  'aten.mT': involution,
  'aten.swapaxes': involution,
  'aten.swapdims': involution,
  'aten.adjoint': involution,
  'aten.linalg_diagonal': undefined,
  'aten.unfold': undefined,
  'aten.as_strided': undefined,
  'aten.meshgrid': undefined,
  'aten.meshgrid.indexing': undefined,
  'aten.broadcast_tensors': undefined,
};

/** Ops that give a view or a copy, depending on strides. */
const undecided: ReadonlySet<string> = new Set([
  'aten.reshape',
  'aten.flatten.using_ints',
  'aten.ravel',
  'aten.reshape_as',
  'aten.einsum',
  'aten.atleast_1d',
  'aten.atleast_2d',
  'aten.atleast_3d',
  'aten.diff',
  'aten.pad',
  'aten.rot90',
]);

/** Of those, the ones that keep the elements in order: a view whenever the source is contiguous. */
const reshapes: ReadonlySet<string> = new Set(['aten.reshape', 'aten.flatten.using_ints', 'aten.ravel', 'aten.reshape_as']);

/** How the results of an op relate to the storage of its first operand. */
export function aliasing(op: string, sourceIsContiguous: () => boolean): 'view' | 'perhaps' | 'fresh' {
  if (Object.hasOwn(scatters, op)) return 'view';
  if (!undecided.has(op)) return 'fresh';
  return reshapes.has(op) && sourceIsContiguous() ? 'view' : 'perhaps';
}

/** The view that result `index` of `node` is of its first operand. */
export function viewOf(site: Site): View {
  const { node, index, lowering, who } = site;
  const scatter = reshapes.has(node.op.name) ? reshaped : scatters[node.op.name];
  const { op, attrs } = node;
  const rest = node.operands.slice(1);
  const types = node.results.map((r) => r.type);
  return {
    op: op.name,
    replay: (source) => lowering.createFromSlots(op, [source, ...rest], attrs, who, types).results[index]!,
    scatter: scatter === undefined ? undefined : (source, part) => scatter(site, source, part),
  };
}
