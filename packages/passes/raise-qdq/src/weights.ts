import { no, type Node, type Value, type Verdict, yes } from '@qfuse/plugin';
import { aten } from '@qfuse/ops';

/** Nodes that are looked at to see what a value is computed from. */
const MAX_NODES = 256;

/** Views and permutes between a weight and what reads it. */
const MAX_DEPTH = 16;

/** Whether a value is a constant or computed from constants alone. */
export function isKnown(value: Value): boolean {
  const seen = new Set<Node>();
  const visit = (v: Value): boolean => {
    const node = v.producer;
    if (v.constant !== undefined || (node !== undefined && seen.has(node))) return true;
    if (node === undefined || !node.op.pure || seen.size >= MAX_NODES) return false;
    seen.add(node);
    return node.operands.every((o) => o === undefined || visit(o));
  };
  return visit(value);
}

/** Operands that a weight may be, by op. */
const weights = new Map<unknown, readonly string[]>([
  [aten.Linear, ['weight']],
  [aten.Embedding, ['weight']],
  [aten.Matmul, ['self', 'other']],
  [aten.Mm, ['self', 'mat2']],
  [aten.Bmm, ['self', 'mat2']],
  [aten.Addmm, ['mat1', 'mat2']],
  [aten.Conv1d, ['weight']],
  [aten.Conv2d, ['weight']],
  [aten.Convolution, ['weight']],
]);

/** Ops that bring a weight into another shape before it is read. */
const passages = new Set<unknown>([aten.View, aten.Permute, aten.Expand]);

/** Whether only products, lookups and convolutions read a value, as their weight; others need its numbers as floats. */
export function readAsWeight(value: Value, depth = MAX_DEPTH): Verdict {
  for (const { reader, index } of value.uses()) {
    if (!('op' in reader)) return no('the graph returns the product');
    const node = reader as Node;
    if (passages.has(node.op) && depth > 0) {
      const verdict = readAsWeight(node.result, depth - 1);
      if (!verdict.ok) return verdict;
    } else if (!(weights.get(node.op)?.includes(node.op.operandNames[index] ?? '') ?? false))
      return no(`${node.op.name} reads the product, expected a product, lookup or convolution`);
  }
  return yes;
}
