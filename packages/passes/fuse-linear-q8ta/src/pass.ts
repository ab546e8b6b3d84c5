import { definePass, type Pass } from '@qfuse/plugin';
import { staticLinear } from './linear.js';
import { clampedResult, quantizedLinear } from './result.js';

/**
 * Linears whose activations are quantized to 8 bits on one grid that is known at compile time; weights of 4 or 8 bits, per
 * tensor, channel or group.
 *
 * Makes `fused.linear_q8ta_*`, which has a float result, and of that (weights per tensor or channel) `fused.q8ta_linear` where the result
 * is quantized on a constant grid; activations between that only clamp become its bounds. Assumes that linears in other
 * spellings (`addmm`, `mm`, `bmm`) were brought to `aten.linear` before.
 */
export const pass: Pass = definePass({
  name: 'fuse-linear-q8ta',
  summary: 'linears of statically quantized activations, weights of 4 and 8 bits',
  phase: 'fuse',
  before: ['fuse-linear-qcsnw', 'fuse-linear-q4gsw', 'fold-qdq'],
  rules: [staticLinear, quantizedLinear, clampedResult],
});
