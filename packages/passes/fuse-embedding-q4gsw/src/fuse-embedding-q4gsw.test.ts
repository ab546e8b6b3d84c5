import { testPass, weightSoil } from '@qfuse/testing';
import fuseEmbeddingQ4gsw from './index.js';

testPass(import.meta.url, fuseEmbeddingQ4gsw(), {
  soil: { 'fuse-embedding-q4gsw/quantized-table': weightSoil({ granularities: ['group', 'group', 'block', 'axis', 'row', 'tensor'] }) },
  plants: 1000,
  reach: 0.3,
});
