import { definePass, type Pass } from '@qfuse/plugin';
import { quantizedTable } from './rule.js';

/**
 * Embeddings whose table has 4 or 8 bits, with one scale a row, a group of a row, or in total.
 *
 * Matches `aten.embedding` whose weight is a `quant.dequantize` of a constant. Makes `fused.embedding_q4gsw`, `_q8gsw`, `_q4csw` or
 * `_q8csw`; the declared range and the granularity decide which.
 */
export const pass: Pass = definePass({
  name: 'fuse-embedding-q4gsw',
  summary: 'embeddings of 4 and 8 bit tables',
  phase: 'fuse',
  before: ['fold-qdq'],
  rules: [quantizedTable],
});
