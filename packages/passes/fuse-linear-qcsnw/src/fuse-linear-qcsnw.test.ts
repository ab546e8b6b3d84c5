import { testPass, weightSoil } from '@qfuse/testing';
import fuseLinearQcsnw from './index.js';

testPass(import.meta.url, fuseLinearQcsnw(), {
  soil: { 'fuse-linear-qcsnw/weight-only': weightSoil({ granularities: ['axis', 'axis', 'axis', 'tensor', 'row', 'group', 'block'] }) },
  plants: 1000,
  reach: 0.3,
});
