import { aten } from '@qfuse/ops';
import { defineProperty, describeOrigin, no, type Node, type Property, type Value, yes } from '@qfuse/plugin';
import { isOneOf } from './annotators/annotator.js';

const isProduct = isOneOf(aten.Mm, aten.Addmm, aten.Matmul, aten.Bmm, aten.Linear);
const isArranged = isOneOf(aten.Permute, aten.TransposeInt, aten.View, aten.Expand, aten.Reshape, aten.UnsafeView);

/** The matrix of a product that may be a weight. */
function matrixOf(node: Node): Value {
  if (node.op === aten.Linear) return node.operand('weight');
  return node.operand(node.op === aten.Matmul ? 'other' : 'mat2');
}

/**
 * Every product with a weight is `aten.linear` with the weight itself as its operand, which is where quantizers look. A program of
 * `torch.export` has it from the start when all its weights are in `nn.Linear`; the pass `canonicalize` brings about the rest, e.g. GPT-2's `addmm` with
 * weights `[in, out]`.
 */
export const linearProducts: Property = defineProperty({
  name: 'linear-products',
  summary: 'every product with a constant matrix is aten.linear',
  check: (graph) => {
    for (const node of graph.nodes()) {
      if (!isProduct(node)) continue;
      let matrix = matrixOf(node);
      let behind = 0;
      for (; isArranged(matrix.producer); behind++) matrix = matrix.producer.operands[0]!;
      if (matrix.constant !== undefined && (node.op !== aten.Linear || behind > 0))
        return no(`${node.op.name} at ${describeOrigin(node.origin)} has the constant "${matrix.name}" as its matrix`);
    }
    return yes;
  },
});
