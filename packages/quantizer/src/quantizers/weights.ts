import { annotateEmbedding } from '../annotators/embedding.js';
import { annotateLinear } from '../annotators/linear.js';
import { propagateAnnotation } from '../annotators/sharing-ops.js';
import { defineQuantizer, type Quantizer } from '../quantizer.js';
import { annotateScopes, type QuantizationScopes } from './scoped.js';

/**
 * Linears: with the configs of `getSymmetricQuantizationConfig` ExecuTorch's `VulkanQuantizer`, with those of `getIntxQuantizationConfig` torchao's
 * `quantize_`. Every product with a weight that is known counts, once the program is in canonical form; there only what the program calls linear.
 */
export const linearQuantizer = (scopes: QuantizationScopes): Quantizer =>
  defineQuantizer({
    name: 'linear',
    annotate: (annotations) => {
      annotateScopes(annotations, scopes, [{ type: 'linear', annotate: annotateLinear, dynamic: true }]);
      propagateAnnotation(annotations);
    },
  });

/** Tables of embeddings, with the weights of a config. torchao: `quantize_` with `IntxWeightOnlyConfig` on `nn.Embedding`. */
export const embeddingQuantizer = (scopes: QuantizationScopes): Quantizer =>
  defineQuantizer({
    name: 'embedding',
    annotate: (annotations) => annotateScopes(annotations, scopes, [{ type: 'embedding', annotate: annotateEmbedding, dynamic: true }]),
  });
