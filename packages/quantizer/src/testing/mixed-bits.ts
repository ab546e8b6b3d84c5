import { aten } from '@qfuse/ops';
import { attr, definePlugin, type Plugin } from '@qfuse/plugin';
import { type Annotations, defineQuantizer, defineRecipe, getSymmetricQuantizationConfig } from '@qfuse/quantizer';

/** Linears in 4 bits, those with few outputs in 8: they are cheap, and mistakes in them are seen at once. */
function annotateMixed(annotations: Annotations, narrow: number): void {
  const { weight: eight } = getSymmetricQuantizationConfig({ weightBits: 8 });
  const { weight: four } = getSymmetricQuantizationConfig({ weightBits: 4 });
  for (const node of annotations.graph.nodes()) {
    if (node.op !== aten.Linear || annotations.isAnnotated(node)) continue;
    const weight = node.operand('weight');
    if (weight.constant === undefined) continue;
    annotations.annotate(node, { inputs: { weight: Number(weight.type.shape[0]) <= narrow ? eight : four } });
  }
}

const mixedBits = defineRecipe({
  name: 'mixed-bits',
  summary: 'weights of linears in 4 bits, of those with few outputs in 8',
  options: { narrow: attr.optional(attr.int({ min: 0 }), 16) },
  create: ({ narrow }) => defineQuantizer({ name: 'mixed-bits', annotate: (annotations) => annotateMixed(annotations, narrow) }),
});

export default function mixed(): Plugin {
  return definePlugin({ name: 'mixed-bits', version: '1.0.0', api: 1, recipes: [mixedBits] });
}
