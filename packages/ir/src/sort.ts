import { QfuseError } from './error.js';
import type { Graph } from './graph.js';
import type { Node } from './handles.js';
import { describeOrigin } from './origin.js';
import type { NodeId } from './store.js';

/** Whether every node stands after the producers of its operands. */
export function isSorted(graph: Graph): boolean {
  const { ids } = graph;
  const seen = new Uint8Array(ids.nodeLimit);
  for (let n = ids.first; n >= 0; n = ids.next(n)) {
    for (let i = ids.arity(n) - 1; i >= 0; i--) {
      const v = ids.operand(n, i);
      if (v < 0) continue;
      const p = ids.producer(v);
      if (p >= 0 && seen[p] === 0) return false;
    }
    seen[n] = 1;
  }
  return true;
}

/**
 * Kahn's algorithm with the list order as priority is O(n log n); a depth-first walk in list order is stable
 * enough (a node moves only when an operand stands behind it) and O(n).
 */
export function sortNodes(graph: Graph, moveToEnd: (node: Node) => void): void {
  if (isSorted(graph)) return;
  const { ids } = graph;
  const state = new Uint8Array(ids.nodeLimit); // 0 new, 1 open, 2 done
  const order: number[] = [];
  for (let root = ids.first; root >= 0; root = ids.next(root)) {
    if (state[root] !== 0) continue;
    const stack: number[] = [root];
    while (stack.length > 0) {
      const n = stack.at(-1)!;
      if (state[n] === 2) {
        stack.pop();
        continue;
      }
      if (state[n] === 1) {
        state[n] = 2;
        order.push(n);
        stack.pop();
        continue;
      }
      state[n] = 1;
      for (let i = ids.arity(n) - 1; i >= 0; i--) {
        const v = ids.operand(n, i);
        const p = v < 0 ? -1 : ids.producer(v);
        if (p < 0 || state[p] === 2) continue;
        if (state[p] === 1) throw cycleError(graph, stack.filter((s) => state[s] === 1).slice(stack.indexOf(p)), p);
        stack.push(p);
      }
    }
  }
  for (const n of order) moveToEnd(graph.node(n as NodeId));
}

function cycleError(graph: Graph, path: readonly number[], from: number): QfuseError {
  const names = [from, ...path.filter((n) => n !== from)].map((n) => `${graph.ids.op(n)!.name} at ${describeOrigin(graph.ids.origin(n))}`);
  return new QfuseError('ir/cycle', `the graph has a cycle through ${names.join(', ')}`);
}
