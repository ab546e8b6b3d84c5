import {
  type AnyOp,
  type AttrRecord,
  definePass,
  type Editor,
  type Graph,
  type GraphConstant,
  type Node,
  type NodeId,
  type Pass,
} from '@qfuse/plugin';

/**
 * Common subexpression elimination: of two pure nodes with the same op, operands and attributes the first stays.
 * Operands of commutative ops are compared in either order. Constants with equal data count as one, so tied
 * weights that were stored twice are shared. One walk in list order, O(nodes + operands).
 */
export const pass: Pass = definePass({
  name: 'cse',
  summary: 'merges equal nodes and equal constants',
  phase: 'normalize',
  after: ['canonicalize', 'fold-constants'],
  run: ({ graph, edit }) => {
    const constants = mergeConstants(graph, edit);
    const keys = new KeyTable();
    const seen = new Map<string, Node>();
    let nodes = 0;
    for (const node of graph.nodes()) {
      if (!node.op.pure || node.results.length === 0) continue;
      const key = keyOf(graph, node, keys);
      const first = seen.get(key);
      if (first === undefined) seen.set(key, node);
      // A result type may be stated more precisely than it was inferred; only equal ones are interchangeable.
      else if (first.results.every((r, i) => r.type === node.results[i]!.type)) {
        edit.replace(node, first.results);
        nodes++;
      }
    }
    return { changed: nodes + constants > 0, stats: { nodes, constants } };
  },
});

/** Numbers for ops and attribute records, which are compared by identity. */
class KeyTable {
  readonly #numbers = new Map<object, number>();

  of(thing: AnyOp | AttrRecord): number {
    let number = this.#numbers.get(thing);
    if (number === undefined) this.#numbers.set(thing, (number = this.#numbers.size));
    return number;
  }
}

function keyOf(graph: Graph, node: Node, keys: KeyTable): string {
  const { ids } = graph;
  const n: NodeId = node.id;
  const operands = Array.from({ length: ids.arity(n) }, (_, i) => ids.operand(n, i));
  const pair = node.op.commutative;
  if (pair !== undefined) {
    const a = ids.slot(n, pair[0]);
    const b = ids.slot(n, pair[1]);
    if (operands[a]! > operands[b]!) [operands[a], operands[b]] = [operands[b]!, operands[a]!];
  }
  return `${keys.of(node.op)} ${keys.of(ids.attrs(n))} ${operands.join()}`;
}

/** Points the readers of a constant to an earlier one with the same data. Data are only read where type and size agree. */
function mergeConstants(graph: Graph, edit: Editor): number {
  const changing = new Set(graph.mutations.map((m) => m.target));
  const byType = new Map<object, GraphConstant[]>();
  for (const entry of graph.constants) {
    if (changing.has(entry.value)) continue;
    const entries = byType.get(entry.constant.type);
    if (entries === undefined) byType.set(entry.constant.type, [entry]);
    else entries.push(entry);
  }
  let merged = 0;
  for (const entries of byType.values()) {
    if (entries.length < 2) continue;
    const first = new Map<string, GraphConstant>();
    for (const entry of entries) {
      const known = first.get(entry.constant.key);
      if (known === undefined) first.set(entry.constant.key, entry);
      else if (entry.value.useCount > 0) {
        edit.redirect(entry.value, known.value);
        merged++;
      }
    }
  }
  return merged;
}
