import type { Graph, Node } from '@qfuse/ir';

/**
 * A match whose inner values are read outside can be replaced by one node only if no outside reader leads back
 * into the match: that node would have to run before and after itself. Walks from the readers towards their own
 * readers, no further than the match's last node in list order.
 * @returns why not, naming the way back, or undefined when there is none
 */
export function convexityProblem(graph: Graph, inner: readonly number[], readers: readonly Node[]): string | undefined {
  const { ids } = graph;
  const order = graph.order();
  const last = Math.max(...inner.map((n) => order[n]!));
  const match = new Set(inner);
  const seen = new Set<number>();
  const stack = readers.map((r) => ({ n: r.id as number, path: [r.op.name] }));
  while (stack.length > 0) {
    const { n, path } = stack.pop()!;
    if (seen.has(n) || n === ids.returnId || order[n]! > last) continue;
    seen.add(n);
    for (let i = 0; i < ids.resultCount(n); i++)
      for (let u = ids.firstUse(ids.result(n, i)); u >= 0; u = ids.nextUse(u)) {
        const reader = ids.useOwner(u);
        if (match.has(reader)) return `an outside reader leads back into the match: ${path.join(' → ')} → ${ids.op(reader)!.name}`;
        if (reader !== ids.returnId) stack.push({ n: reader, path: [...path, ids.op(reader)!.name] });
      }
  }
  return undefined;
}
