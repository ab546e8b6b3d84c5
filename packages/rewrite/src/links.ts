import type { GraphIds, Value } from '@qfuse/ir';

const NONE = -1;

/** Whether node `n` has `v` as an operand. */
export function reads(ids: GraphIds, n: number, v: number): boolean {
  for (let i = ids.arity(n) - 1; i >= 0; i--) if (ids.operand(n, i) === v) return true;
  return false;
}

/** A node from `firstNew` on that reads `v`, -1 when there is none. */
export function newReader(ids: GraphIds, v: Value, firstNew: number): number {
  for (let u = ids.firstUse(v.id); u !== NONE; u = ids.nextUse(u)) if (ids.useOwner(u) >= firstNew) return ids.useOwner(u);
  return NONE;
}

/** `nodes`, a node that stands there twice once. */
export function distinct(nodes: readonly number[]): readonly number[] {
  for (let i = 1; i < nodes.length; i++) if (nodes.indexOf(nodes[i]!) < i) return [...new Set(nodes)];
  return nodes;
}

/** Whether any result of `n` is read. */
export const hasUses = (ids: GraphIds, n: number): boolean => {
  for (let i = 0; i < ids.resultCount(n); i++) if (ids.useCount(ids.result(n, i)) > 0) return true;
  return false;
};
