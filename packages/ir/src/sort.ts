import { QfuseError } from './error.js';
import type { Graph } from './graph.js';
import { describeOrigin } from './origin.js';

/** Nodes of a cycle that a message names. */
const SHOWN = 16;

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
 * The nodes in a topological order that is stable: a node moves only when an operand stands behind it. Or a cycle,
 * in the order in which values flow.
 *
 * Kahn's algorithm with the list order as priority is O(n log n); a depth-first walk in list order is O(n).
 */
export function topologicalOrder(graph: Graph): { readonly order: readonly number[] } | { readonly cycle: readonly number[] } {
  const { ids } = graph;
  const state = new Uint8Array(ids.nodeLimit); // 0 new, 1 open, 2 done
  const order: number[] = [];
  for (let root = ids.first; root >= 0; root = ids.next(root)) {
    if (state[root] !== 0) continue;
    const stack: number[] = [root];
    while (stack.length > 0) {
      const n = stack.at(-1)!;
      if (state[n] !== 0) {
        stack.pop();
        if (state[n] === 1) order.push(n);
        state[n] = 2;
        continue;
      }
      state[n] = 1;
      for (let i = ids.arity(n) - 1; i >= 0; i--) {
        const v = ids.operand(n, i);
        const p = v < 0 ? -1 : ids.producer(v);
        if (p < 0 || state[p] === 2 || ids.opCode(p) < 0) continue;
        if (state[p] === 1) return { cycle: openNodes(stack, state, p) };
        stack.push(p);
      }
    }
  }
  return { order };
}

/** The open nodes from the top of the stack down to `last`: each is an operand of the next. */
function openNodes(stack: readonly number[], state: Uint8Array, last: number): number[] {
  const open = new Set<number>();
  for (let i = stack.length - 1; i >= 0 && !open.has(last); i--) if (state[stack[i]!] === 1) open.add(stack[i]!);
  return [...open];
}

/** @throws QfuseError `ir/cycle` naming the nodes */
export function sortNodes(graph: Graph, moveToEnd: (n: number) => void): void {
  if (isSorted(graph)) return;
  const found = topologicalOrder(graph);
  if ('cycle' in found) throw new QfuseError('ir/cycle', cycleText(graph, found.cycle));
  for (const n of found.order) moveToEnd(n);
}

/** What to say of a cycle. */
export function cycleText(graph: Graph, cycle: readonly number[]): string {
  const names = cycle.slice(0, SHOWN).map((n) => `${graph.ids.op(n)!.name} at ${describeOrigin(graph.ids.origin(n))}`);
  const more = cycle.length > SHOWN ? ` and ${cycle.length - SHOWN} more nodes` : '';
  return `the graph has a cycle through ${names.join(', ')}${more}`;
}
