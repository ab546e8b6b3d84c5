import {
  Editor,
  Graph,
  type HostTensor,
  isStatic,
  namedOperands,
  type Node,
  nodeAttrs,
  QfuseError,
  SymExpr,
  tensorFrom,
  tensorType,
  type Value,
} from '@qfuse/plugin';
import { isDefinition, type OpDefinition } from '@qfuse/ops';

/**
 * Whether a node can be computed now: pure, static shapes and attributes, an op with a meaning, and operands that are constants with
 * data or results of `known` nodes.
 */
export function foldable(node: Node, known: ReadonlySet<Node> = new Set()): boolean {
  if (!node.op.pure || !isDefinition(node.op)) return false;
  const isKnown = (v: Value): boolean => v.constant?.resolved === true || (v.producer !== undefined && known.has(v.producer));
  if (!node.operands.every((v) => v === undefined || isKnown(v))) return false;
  return node.results.every((r) => isStatic(r.type.shape)) && Object.values(nodeAttrs(node)).every(isConcrete);
}

const isConcrete = (v: unknown): boolean => !(v instanceof SymExpr) && !(Array.isArray(v) && v.some((d) => d instanceof SymExpr));

/** Computes a node that is {@link foldable}, and the known nodes that it reads from. @throws QfuseError when an op refuses the values */
export function evaluateNode(node: Node, done = new Map<Node, readonly HostTensor[]>()): readonly HostTensor[] {
  const tensorOf = (v: Value): HostTensor =>
    v.constant === undefined ? evaluateNode(v.producer!, done)[v.producer!.results.indexOf(v)]! : tensorFrom(v.constant);
  let results = done.get(node);
  if (results === undefined) {
    results = evaluate(
      node,
      node.operands.map((v) => (v === undefined ? undefined : tensorOf(v))),
    );
    done.set(node, results);
  }
  return results;
}

function evaluate(node: Node, slots: readonly (HostTensor | undefined)[]): readonly HostTensor[] {
  const op = node.op as OpDefinition;
  const attrs = nodeAttrs(node);
  if (op.reference !== undefined) {
    const fail = (why: string): never => {
      throw new QfuseError('fold-constants/value', `${op.name}: ${why}`);
    };
    const results = node.results.map((r) => ({ dtype: r.type.dtype, shape: r.type.shape as readonly number[] }));
    return op.reference({ operands: namedOperands(op, slots) as never, attrs: attrs as never, results, fail });
  }
  // The body of a composite op is a small graph of its own, computed node by node.
  const graph = new Graph(op.name);
  const edit = new Editor(graph);
  const inputs = slots.map((s, i): Value | undefined =>
    s === undefined ? undefined : edit.addInput(`x${i}`, tensorType(s.dtype, s.shape)),
  );
  const outputs = op.decompose!({
    operands: namedOperands(op, inputs) as never,
    attrs: attrs as never,
    env: graph.env,
    builder: edit,
    results: node.results.map((r) => r.type),
  });
  const values = new Map<Value, HostTensor>();
  inputs.forEach((v, i) => v !== undefined && values.set(v, slots[i]!));
  for (const { value, constant } of graph.constants) values.set(value, tensorFrom(constant));
  for (const inner of graph.nodes()) {
    if (!isDefinition(inner.op)) throw new QfuseError('fold-constants/op', `${inner.op.name} has no meaning of its own`);
    const out = evaluate(
      inner,
      inner.operands.map((v) => (v === undefined ? undefined : values.get(v)!)),
    );
    inner.results.forEach((r, i) => values.set(r, out[i]!));
  }
  return outputs.map((v) => values.get(v)!);
}
