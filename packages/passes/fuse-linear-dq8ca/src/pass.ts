import { definePass, type Pass } from '@qfuse/plugin';
import { quantizeInF32 } from './arithmetic.js';
import { chooseAndQuantize, dynamicLinear, takeIntegers } from './rules.js';

/**
 * Linears whose activations are quantized while the program runs, one grid for the tensor or one a row, to 8 bits; weights of 4
 * or 8 bits, per tensor, channel or group.
 *
 * Makes `fused.dynamic_quantize` of `quant.choose_qparams` and the `quant.quantize` that goes with it, and `fused.linear_dq8ca_*` of
 * linears that read what was dequantized; several linears of one activation share its integers. Where torch quantizes f32
 * per token in f64, the program does so in f32. Assumes that linears in
 * other spellings (`addmm`, `mm`, `bmm`) were brought to `aten.linear` before, and that equal nodes were merged.
 */
export const pass: Pass = definePass({
  name: 'fuse-linear-dq8ca',
  summary: 'linears of dynamically quantized activations, weights of 4 and 8 bits',
  phase: 'fuse',
  after: ['fuse-linear-q8ta'],
  before: ['fuse-linear-qcsnw', 'fuse-linear-q4gsw', 'fold-qdq'],
  rules: [chooseAndQuantize, takeIntegers, dynamicLinear, quantizeInF32],
});
