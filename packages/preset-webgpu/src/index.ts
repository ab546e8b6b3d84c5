import type { Plugin } from '@qfuse/plugin';
import canonicalize from '@qfuse/pass-canonicalize';
import cse from '@qfuse/pass-cse';
import dce from '@qfuse/pass-dce';
import foldConstants from '@qfuse/pass-fold-constants';
import foldQdq from '@qfuse/pass-fold-qdq';
import fuseEmbeddingQ4gsw from '@qfuse/pass-fuse-embedding-q4gsw';
import fuseLinearDq8ca from '@qfuse/pass-fuse-linear-dq8ca';
import fuseLinearQ4gsw from '@qfuse/pass-fuse-linear-q4gsw';
import fuseLinearQ8ta from '@qfuse/pass-fuse-linear-q8ta';
import fuseLinearQcsnw from '@qfuse/pass-fuse-linear-qcsnw';
import raiseQdq from '@qfuse/pass-raise-qdq';

/** The default pipeline for WebGPU: brings programs to one form, fuses what is quantized, removes what is dead. */
export const presetWebGPU = (): readonly Plugin[] => [
  canonicalize(),
  raiseQdq(),
  foldConstants(),
  cse(),
  fuseLinearQ8ta(),
  fuseLinearDq8ca(),
  fuseLinearQcsnw(),
  fuseLinearQ4gsw(),
  fuseEmbeddingQ4gsw(),
  foldQdq(),
  dce(),
];

export default presetWebGPU;
