import { attr, constantOf, definePass, type Editor, type Graph, type Node, type Pass, QfuseError, type Value } from '@qfuse/plugin';
import { foldable, evaluateNode } from './evaluate.js';
import { coneOf, growth } from './growth.js';

/** Bytes that a folded result may be larger than the constants it was computed from, unless told otherwise: 64 KiB. */
const DEFAULT_LIMIT = 1 << 16;

/** Nodes that are computed at once at most, so that long chains of large values do not take quadratic time. */
const LARGEST_CONE = 256;

/**
 * Constant folding: a pure node whose operands are all constants (or that has none, as `arange`) becomes a
 * constant, computed by the op's own reference.
 *
 * Growth is bounded: a result that is more than `limit` bytes larger than the constants that go with it stays a node,
 * so that `full([4096, 4096])` does not become 64 MiB of file. What is computed from such a node may be small again, as the
 * integers that shifts and masks unpack: then all of it is computed at once. `quant.dequantize` of a weight
 * (integers of 8 bits and less) stays too, it would undo the quantization; `dequantize = true` folds it. Wider integers
 * stand for a bias, which is used as a float.
 */
export const pass: Pass = definePass({
  name: 'fold-constants',
  summary: 'computes nodes whose operands are constants',
  phase: 'normalize',
  after: ['canonicalize'],
  options: { limit: attr.optional(attr.int({ min: 0 }), DEFAULT_LIMIT), dequantize: attr.optional(attr.bool(), false) },
  run: ({ graph, edit, options }) => {
    let folded = 0;
    // Nodes that could be computed, but are too large to be constants.
    const large = new Set<Node>();
    for (const node of graph.nodes()) {
      if (!foldable(node, large) || (!options.dequantize && isQuantizedWeight(node))) continue;
      const cone = coneOf(node, large);
      if (growth(node, cone, options.limit) > options.limit) {
        if (cone.length < LARGEST_CONE) large.add(node);
        continue;
      }
      const results = computed(node);
      if (results === undefined) continue;
      const values = results.map((t, i): Value => edit.constant(constantOf(t, `folded ${node.op.name}`), `folded_${node.id}_${i}`));
      edit.replace(node, values);
      eraseDead(cone, large, graph, edit);
      folded++;
    }
    return { changed: folded > 0, stats: { folded } };
  },
});

/** Whether a node dequantizes integers whose declared range fits 8 bits, which kernels read as they are. */
function isQuantizedWeight(node: Node): boolean {
  if (node.op.name !== 'quant.dequantize') return false;
  const { qmin, qmax } = node.attrs as unknown as { readonly qmin: number; readonly qmax: number };
  return qmin >= -128 && qmax <= 255;
}

/** Erases the nodes of a cone that nobody reads any more, the last first. */
function eraseDead(cone: readonly Node[], large: Set<Node>, graph: Graph, edit: Editor): void {
  for (const node of cone.toReversed()) {
    if (node.results.some((r) => r.useCount > 0)) continue;
    large.delete(node);
    edit.erase(node);
  }
}

/** The results, or undefined when an op refuses the values: then the program reports it when it runs. */
function computed(node: Node): ReturnType<typeof evaluateNode> | undefined {
  try {
    return evaluateNode(node);
  } catch (error) {
    if (error instanceof QfuseError) return undefined;
    throw error;
  }
}
