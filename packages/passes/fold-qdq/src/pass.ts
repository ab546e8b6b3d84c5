import { attr, definePass, type Pass } from '@qfuse/plugin';
import { dropFakeQuantize, requantizeSame } from './rules.js';

/**
 * Folds quantize/dequantize pairs where their parameters make that exact: `quantize(dequantize(q))` on one grid.
 *
 * `dequantize(quantize(x))` is not the identity, it rounds and clamps: such a pair stays unless the option
 * `lossy` asks for it, which turns a statically quantized activation back into float.
 */
export const pass: Pass = definePass({
  name: 'fold-qdq',
  summary: 'folds quantize/dequantize pairs where that is exact',
  phase: 'fuse',
  options: { lossy: attr.optional(attr.bool(), false) },
  rules: ({ lossy }) => (lossy ? [requantizeSame, dropFakeQuantize] : [requantizeSame]),
});
