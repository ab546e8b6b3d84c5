import { definePass, type Pass } from '@qfuse/plugin';
import { weightOnly } from './rule.js';

/**
 * Weight-only linears, weights of 4 or 8 bits with one scale for each of several groups of a channel.
 *
 * Matches `aten.linear` whose weight is a `quant.dequantize` of a constant with the granularity `group` or `block` along the input
 * channels, with or without zero points. Makes `fused.linear_q4gsw` or `fused.linear_q8gsw`; the declared range decides
 * which. Assumes that linears in other spellings (`addmm`, `mm`, `bmm`) were brought to `aten.linear` before.
 */
export const pass: Pass = definePass({
  name: 'fuse-linear-q4gsw',
  summary: 'weight-only per-group linears of 4 and 8 bits',
  phase: 'fuse',
  before: ['fold-qdq'],
  rules: [weightOnly],
});
