import {
  type AnyOp,
  describeOrigin,
  Editor,
  Graph,
  madeOrigin,
  namedOperands,
  type Node,
  type Origin,
  QfuseError,
  type Value,
} from '@qfuse/plugin';
import { isDefinition } from '@qfuse/ops';
import type { Dispatch, WebGPUKernel } from './kernel.js';
import type { KernelRegistry } from './registry.js';
import { layoutOf } from './storage.js';

/** A node together with what runs it. */
export interface LoweredNode {
  readonly node: Node;
  readonly kernel: string;
  /** The record behind `kernel`; undefined for views. */
  readonly record: WebGPUKernel | undefined;
  readonly dispatches: readonly Dispatch[];
  /** The value whose memory all results are, for views and kernels that are an alias. */
  readonly alias: Value | undefined;
}

/** A copy of a graph in which every node has a kernel. */
export interface LoweredGraph {
  readonly graph: Graph;
  readonly nodes: readonly LoweredNode[];
}

/** A node that nothing runs, and why. */
interface Failure {
  readonly op: AnyOp;
  readonly origin: Origin;
  readonly reasons: readonly string[];
}

/**
 * Chooses a kernel for every node that is needed. A node without one is replaced by its decomposition, again and
 * again, until kernels take what is there. The given graph is not changed.
 * @throws QfuseError `webgpu/unsupported` that lists every node that cannot run, with its origin and the reasons
 */
export function lower(source: Graph, registry: KernelRegistry): LoweredGraph {
  const graph = copyLive(source);
  const edit = new Editor(graph);
  const failures = new Set<Failure>();
  /** Of nodes made by decomposing one that kernels refused: that one. Its reasons say more than those of its parts. */
  const refused = new Map<Node, Failure>();
  const chosen = new Map<Node, LoweredNode>();
  const { ids } = graph;
  for (let n = ids.first; n >= 0;) {
    const node = graph.node(n as Node['id']);
    const found = choose(node, registry);
    if ('kernel' in found) chosen.set(node, found);
    else if (isDefinition(node.op) && node.op.decompose !== undefined) {
      const before = ids.prev(n);
      const whole = refused.get(node) ?? (registry.has(node.op) ? { op: node.op, origin: node.origin, reasons: found.reasons } : undefined);
      const next = ids.next(n);
      decompose(node, edit);
      n = before < 0 ? ids.first : ids.next(before);
      if (whole !== undefined)
        for (let made = n; made !== next && made >= 0; made = ids.next(made)) refused.set(graph.node(made as Node['id']), whole);
      continue;
    } else failures.add(refused.get(node) ?? { op: node.op, origin: node.origin, reasons: found.reasons });
    n = ids.next(n);
  }
  if (failures.size > 0) throw unsupported([...failures], registry);
  // A decomposition may leave nodes that nothing reads.
  const nodes = [...graph.nodes()].filter((node) => chosen.has(node));
  return { graph, nodes: nodes.map((node) => chosen.get(node)!) };
}

function choose(node: Node, registry: KernelRegistry): LoweredNode | { readonly reasons: readonly string[] } {
  const selection = registry.select(node);
  if (selection.kernel !== undefined) {
    const { kernel, dispatches } = selection;
    const alias = kernel.alias === undefined ? undefined : node.operand(kernel.alias as never);
    return { node, kernel: kernel.name, record: kernel, dispatches, alias };
  }
  const [operand] = node.operands;
  const sameLayout =
    node.results.length === 1 &&
    operand !== undefined &&
    layoutOf(operand.type.dtype) !== undefined &&
    operand.type.dtype === node.result.type.dtype;
  if (node.op.view && sameLayout) return { node, kernel: 'view', record: undefined, dispatches: [], alias: operand };
  return { reasons: selection.reasons };
}

function decompose(node: Node, edit: Editor): void {
  const { op } = node;
  edit.place = node;
  edit.origin = madeOrigin(op.name, [node.origin]);
  const context = {
    operands: namedOperands(op, node.operands),
    attrs: node.attrs,
    env: node.graph.env,
    builder: edit,
    results: node.results.map((r) => r.type),
  };
  const results = (op as AnyOp & { decompose: (c: typeof context) => readonly Value[] }).decompose(context);
  edit.replace(node, results);
  edit.place = undefined;
}

function unsupported(failures: readonly Failure[], registry: KernelRegistry): QfuseError {
  const lines = failures.map(({ op, origin, reasons }) => `  ${op.name} at ${describeOrigin(origin)}: ${reasons.join('; ')}`);
  const count = failures.length === 1 ? '1 node has' : `${failures.length} nodes have`;
  return new QfuseError('webgpu/unsupported', `${count} no kernel on ${registry.target.name}:\n${lines.join('\n')}`, {
    help: 'run on the reference interpreter (--device reference), or add a plugin that brings kernels for these ops',
  });
}

/** A copy of the nodes that outputs and mutations need; constants and symbol facts are shared. */
function copyLive(source: Graph): Graph {
  const { ids } = source;
  const live = new Uint8Array(ids.nodeLimit);
  const need = (v: number): void => {
    const n = v < 0 ? -1 : ids.producer(v);
    if (n >= 0) live[n] = 1;
  };
  for (const v of source.outputs) need(v.id);
  for (const m of source.mutations) need(m.value.id);
  for (let n = ids.last; n >= 0; n = ids.prev(n))
    if (live[n] === 1 || ids.op(n)?.pure === false) for (let i = 0; i < ids.arity(n); i++) need(ids.operand(n, i));

  const graph = new Graph(source.name);
  graph.env.adopt(source.env);
  const edit = new Editor(graph);
  const map = new Map<Value, Value>();
  for (const input of source.inputs) map.set(input, edit.addInput(input.name!, input.type));
  for (const { value, name, role, constant } of source.constants)
    if (value.useCount > 0 || source.mutations.some((m) => m.target === value)) map.set(value, edit.addConstant(name, role, constant));
  for (const node of source.nodes()) {
    if (live[node.id] !== 1 && node.op.pure) continue;
    const slots = node.operands.map((v) => (v === undefined ? undefined : map.get(v)!));
    const copy = edit.createFromSlots(node.op, slots, node.attrs, { origin: node.origin, types: node.results.map((r) => r.type) });
    node.results.forEach((r, i) => map.set(r, copy.results[i]!));
  }
  edit.setOutputs(
    source.outputs.map((v) => map.get(v)!),
    source.mutations.map(({ target, value }) => ({ target: map.get(target)!, value: map.get(value)! })),
  );
  return graph;
}
