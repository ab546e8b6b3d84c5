import { aten } from '@qfuse/ops';
import { type Annotator, fitted, hasConstantWeight, isOneOf, nodesOf } from './annotator.js';

/** `embedding(W, i)` with a table that is known: only the table. */
export const annotateEmbedding: Annotator = (annotations, { weight }, accepts) => {
  for (const node of nodesOf(annotations, isOneOf(aten.Embedding)))
    if (hasConstantWeight(node) && accepts(node) && !annotations.isAnnotated(node))
      annotations.annotate(node, { inputs: { weight: fitted(weight, node.operand('weight')) } });
};
