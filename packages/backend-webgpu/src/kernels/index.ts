import type { WebGPUKernel } from '../kernel.js';
import { binaryKernels } from './binary.js';
import { selectKernels } from './select.js';
import { unaryKernels } from './unary.js';

/** The kernels of this package, in the order in which they are asked. */
export const webgpuKernels: readonly WebGPUKernel[] = Object.freeze([...unaryKernels, ...binaryKernels, ...selectKernels]);
