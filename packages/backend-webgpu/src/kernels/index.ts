import type { WebGPUKernel } from '../kernel.js';
import { aliasKernels } from './alias.js';
import { argReduceKernels } from './arg-reduce.js';
import { attentionKernels } from './attention.js';
import { binaryFunctionKernels } from './binary-functions.js';
import { binaryKernels } from './binary.js';
import { castKernels } from './cast.js';
import { catKernels } from './cat.js';
import { chooseQparamsKernels } from './choose-qparams.js';
import { copyKernels } from './copy.js';
import { cumulativeKernels } from './cumulative.js';
import { diagonalKernels } from './diagonals.js';
import { dynamicQuantizeKernels } from './dynamic-quantize.js';
import { packedEmbeddingKernels } from './embedding-packed.js';
import { fillKernels } from './fill.js';
import { gatherKernels } from './gather.js';
import { indexWriteKernels } from './index-write.js';
import { layerNormKernels } from './layer-norm.js';
import { codesLinearKernels } from './linear-codes.js';
import { integerLinearKernels } from './linear-integer.js';
import { weightOnlyLinearKernels } from './linear-weight-only.js';
import { maskedPutKernels } from './masked-put.js';
import { matmulKernels } from './matmul.js';
import { overlayKernels } from './overlay.js';
import { parametricKernels } from './parametric.js';
import { quantizeKernels } from './quantize.js';
import { rearrangeKernels } from './rearrange.js';
import { reduceKernels } from './reduce.js';
import { resampleKernels } from './resample.js';
import { runningKernels } from './running.js';
import { scatterKernels } from './scatter.js';
import { searchKernels } from './search.js';
import { selectKernels } from './select.js';
import { softmaxKernels } from './softmax.js';
import { sortKernels } from './sort.js';
import { spaceKernels } from './spaces.js';
import { takeKernels } from './take.js';
import { unaryKernels } from './unary.js';

/** The kernels of this package, in the order in which they are asked: an alias before the cast that would copy. */
export const webgpuKernels: readonly WebGPUKernel[] = Object.freeze([
  ...aliasKernels,
  ...castKernels,
  ...unaryKernels,
  ...parametricKernels,
  ...binaryKernels,
  ...binaryFunctionKernels,
  ...selectKernels,
  ...copyKernels,
  ...rearrangeKernels,
  ...overlayKernels,
  ...diagonalKernels,
  ...catKernels,
  ...gatherKernels,
  ...takeKernels,
  ...scatterKernels,
  ...indexWriteKernels,
  ...maskedPutKernels,
  ...searchKernels,
  ...sortKernels,
  ...resampleKernels,
  ...fillKernels,
  ...spaceKernels,
  ...reduceKernels,
  ...argReduceKernels,
  ...softmaxKernels,
  ...layerNormKernels,
  ...cumulativeKernels,
  ...runningKernels,
  ...matmulKernels,
  ...attentionKernels,
  ...quantizeKernels,
  ...chooseQparamsKernels,
  ...dynamicQuantizeKernels,
  ...weightOnlyLinearKernels,
  ...integerLinearKernels,
  ...codesLinearKernels,
  ...packedEmbeddingKernels,
]);
