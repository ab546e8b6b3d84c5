import { definePass, type Graph, type Node, type NodeId, type Pass } from '@qfuse/plugin';

/**
 * Dead code elimination: removes pure nodes that nothing reads, then parameters, buffers and constants that
 * nothing reads. Graph inputs stay, they are the program's signature; so do buffers that a run changes.
 */
export const pass: Pass = definePass({
  name: 'dce',
  summary: 'removes nodes and constants that nothing reads',
  phase: 'lower',
  options: {},
  run: ({ graph, edit }) => {
    let nodes = 0;
    // Readers stand behind producers, so one walk from the end finds everything.
    for (let n = graph.ids.last; n >= 0;) {
      const before = graph.ids.prev(n);
      const node = graph.node(n as NodeId);
      if (isDead(graph, node)) {
        edit.erase(node);
        nodes++;
      }
      n = before;
    }
    let constants = 0;
    const changed = new Set(graph.mutations.map((m) => m.target));
    for (const { value } of graph.constants)
      if (value.useCount === 0 && !changed.has(value)) {
        edit.removeConstant(value);
        constants++;
      }
    return { changed: nodes + constants > 0, stats: { nodes, constants } };
  },
});

function isDead(graph: Graph, node: Node): boolean {
  if (!node.op.pure) return false;
  for (let i = 0; i < graph.ids.resultCount(node.id); i++) if (graph.ids.useCount(graph.ids.result(node.id, i)) > 0) return false;
  return true;
}
