import { definePass, type Pass } from '@qfuse/plugin';
import { weightOnly } from './rule.js';

/**
 * Weight-only linears, per-channel symmetric weights of 4 or 8 bits.
 *
 * Matches `aten.linear` whose weight is a `quant.dequantize` of a constant, one scale an output channel, zero
 * points absent or zero. Makes `fused.linear_qcs8w` or `fused.linear_qcs4w`; the declared range decides which.
 * Assumes that linears in other spellings (`addmm`, `mm`, `bmm`) were brought to `aten.linear` before.
 */
export const pass: Pass = definePass({
  name: 'fuse-linear-qcsnw',
  summary: 'weight-only per-channel linears of 4 and 8 bits',
  phase: 'fuse',
  before: ['fold-qdq'],
  rules: [weightOnly],
});
