import type { Node, Value } from '@qfuse/plugin';
import { allOps, type OpDefinition } from '@qfuse/ops';

const table = new Map(allOps.map((op) => [op.name, op]));

/**
 * The op called `name`, e.g. `aten.relu`.
 * @throws Error when `@qfuse/ops` has no such op: a kernel was written for a name that does not exist
 */
export function op(name: string): OpDefinition {
  const found = table.get(name);
  if (found === undefined) throw new Error(`there is no op "${name}" to write a kernel for`);
  return found;
}

/** Whether `@qfuse/ops` has an op of this name. */
export const hasOp = (name: string): boolean => table.has(name);

/** All present operands of a node, lists spread out. */
export const present = (node: Node): readonly Value[] => node.operands.filter((v) => v !== undefined);

/** An attribute of a node of any op, which the caller knows to have type `T`. */
export const attrOf = <T>(node: Node, name: string): T => (node.attrs as Readonly<Record<string, unknown>>)[name] as T;

/** An axis of a node's attribute, counted from the front. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + Math.max(rank, 1) : axis);

/** A bound of a slice within `[0, size]`; negative ones count from the end. */
export const sliceBound = (at: number, size: number): number => Math.min(Math.max(at < 0 ? at + size : at, 0), size);
