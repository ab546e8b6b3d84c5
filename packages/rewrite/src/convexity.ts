import type { Graph, Node } from '@qfuse/ir';

const NONE = -1;

/** What {@link followersBefore} found: nodes that must move behind the root, or the reason why that cannot be. */
export type Followers = { readonly followers: readonly Node[] } | { readonly problem: string };

/**
 * A match whose inner values are read outside can be replaced by one node only if no outside reader leads back into
 * the match: that node would have to run before and after itself. Outside readers that stand before the root, and
 * what reads them there, must run after the replacement, which takes the root's place.
 *
 * Only the part of the node list between the first exposed node and the root is looked at; the list must be sorted.
 */
export function followersBefore(
  graph: Graph,
  inner: readonly number[],
  root: number,
  exposed: readonly number[],
  readers: readonly Node[],
): Followers {
  const { ids } = graph;
  const between = new Set<number>();
  const waiting = new Set(exposed);
  for (let n = root; n !== NONE && waiting.size > 0; n = ids.prev(n)) {
    between.add(n);
    waiting.delete(n);
  }
  /** The node from which each node was reached. */
  const cameFrom = new Map<number, number>();
  const stack: number[] = [];
  const visit = (n: number, from: number): void => {
    if (!between.has(n) || cameFrom.has(n)) return;
    cameFrom.set(n, from);
    stack.push(n);
  };
  for (const r of readers) visit(r.id, NONE);
  while (stack.length > 0) {
    const n = stack.pop()!;
    for (let i = 0; i < ids.resultCount(n); i++)
      for (let u = ids.firstUse(ids.result(n, i)); u !== NONE; u = ids.nextUse(u)) {
        const reader = ids.useOwner(u);
        if (inner.includes(reader))
          return { problem: `an outside reader leads back into the match: ${pathText(graph, cameFrom, n)} → ${ids.op(reader)!.name}` };
        visit(reader, n);
      }
  }
  // The set goes from the root up; the followers are wanted in list order.
  const followers = [...between].filter((n) => cameFrom.has(n)).reverse();
  return { followers: followers.map((n) => graph.node(n as Node['id'])) };
}

function pathText(graph: Graph, cameFrom: ReadonlyMap<number, number>, last: number): string {
  const names: string[] = [];
  for (let n = last; n !== NONE; n = cameFrom.get(n)!) names.push(graph.ids.op(n)!.name);
  return names.reverse().join(' → ');
}
