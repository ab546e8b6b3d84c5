import { testPass, weightSoil } from '@qfuse/testing';
import fuseLinearQ4gsw from './index.js';

testPass(import.meta.url, fuseLinearQ4gsw(), {
  soil: { 'fuse-linear-q4gsw/weight-only': weightSoil({ granularities: ['group', 'group', 'group', 'block', 'axis'] }) },
  plants: 1000,
  reach: 0.3,
});
