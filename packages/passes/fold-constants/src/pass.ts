import { attr, byteLength, constantOf, definePass, isStatic, type Node, numel, type Pass, QfuseError, type Value } from '@qfuse/plugin';
import { foldable, evaluateNode } from './evaluate.js';

/** Bytes that a folded result may be larger than the constants it was computed from, unless told otherwise: 64 KiB. */
const DEFAULT_LIMIT = 1 << 16;

/**
 * Constant folding: a pure node whose operands are all constants (or that has none, as `arange`) becomes a
 * constant, computed by the op's own reference.
 *
 * Growth is bounded: a result that is more than `limit` bytes larger than the operands it replaces stays a node,
 * so that `full([4096, 4096])` does not become 64 MiB of file. `quant.dequantize` of a weight (integers of 8 bits and less) stays
 * too, it would undo the quantization; `dequantize = true` folds it. Wider integers stand for a bias, which is used as a float.
 */
export const pass: Pass = definePass({
  name: 'fold-constants',
  summary: 'computes nodes whose operands are constants',
  phase: 'normalize',
  after: ['canonicalize'],
  options: { limit: attr.optional(attr.int({ min: 0 }), DEFAULT_LIMIT), dequantize: attr.optional(attr.bool(), false) },
  run: ({ graph, edit, options }) => {
    let folded = 0;
    for (const node of graph.nodes()) {
      if (!foldable(node) || (!options.dequantize && isQuantizedWeight(node))) continue;
      if (growth(node) > options.limit) continue;
      const results = computed(node);
      if (results === undefined) continue;
      const values = results.map((t, i): Value => edit.constant(constantOf(t, `folded ${node.op.name}`), `folded_${node.id}_${i}`));
      edit.replace(node, values);
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

/** Bytes of the results minus bytes of the operands that only this node reads, which go away with it. */
function growth(node: Node): number {
  const size = (v: Value): number => byteLength(v.type.dtype, numel(v.type) as number);
  const results = node.results.reduce((n, r) => n + (isStatic(r.type.shape) ? size(r) : Infinity), 0);
  const freed = node.operands.reduce((n, v) => n + (v !== undefined && v.readers().length === 1 ? size(v) : 0), 0);
  return results - freed;
}

/** The results, or undefined when the op refuses these values: then the program reports it when it runs. */
function computed(node: Node): ReturnType<typeof evaluateNode> | undefined {
  try {
    return evaluateNode(node);
  } catch (error) {
    if (error instanceof QfuseError) return undefined;
    throw error;
  }
}
