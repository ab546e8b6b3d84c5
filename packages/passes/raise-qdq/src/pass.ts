import { attr, definePass, type Pass } from '@qfuse/plugin';
import { chooseQparams } from './choose-qparams.js';
import { dequantizeRule } from './dequantize.js';
import { groups } from './groups.js';
import { quantizeRules } from './quantize.js';

/**
 * Raises quantization that an exporter or a model wrote as arithmetic (torchao's affine ops after `run_decompositions()`, weights of
 * GPTQ and AWQ) back to `quant.quantize`, `quant.dequantize` and `quant.choose_qparams`.
 *
 * Runs before constants are folded: a dequantized weight would be a float constant afterwards. The arithmetic does not say which range
 * was declared: with `recover_range` (the default) a constant whose data fit 4 bits has 4 bits, which changes how it is stored and no number; else
 * the range is that of the dtype. Assumes that views and casts have one spelling.
 */
export const pass: Pass = definePass({
  name: 'raise-qdq',
  summary: 'raises decomposed quantization back to quantize, dequantize and choose_qparams',
  phase: 'normalize',
  after: ['canonicalize'],
  before: ['fold-constants'],
  options: { recover_range: attr.optional(attr.bool(), true) },
  rules: ({ recover_range: recover }) => [chooseQparams, ...quantizeRules, dequantizeRule(recover), groups],
});
