import { definePass, type Pass } from '@qfuse/plugin';
import { weightOnly } from './rule.js';

/**
 * Weight-only linears, weights of 4 or 8 bits with one scale an output channel or one in total.
 *
 * Matches `aten.linear` whose weight is a `quant.dequantize` of a constant, with or without zero points. Makes
 * `fused.linear_qcs8w` or `fused.linear_qcs4w`; the declared range decides which.
 * Assumes that linears in other spellings (`addmm`, `mm`, `bmm`) were brought to `aten.linear` before.
 */
export const pass: Pass = definePass({
  name: 'fuse-linear-qcsnw',
  summary: 'weight-only per-channel linears of 4 and 8 bits',
  phase: 'fuse',
  before: ['fold-qdq'],
  rules: [weightOnly],
});
