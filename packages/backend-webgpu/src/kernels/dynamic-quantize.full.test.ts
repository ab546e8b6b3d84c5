import { describe, expect, test } from 'vitest';
import { useDevice } from '../../test/device.js';
import { differingSamples } from '../../test/exact-samples.js';
import { createTarget } from '../target.js';
import { chooseQparamsKernels } from './choose-qparams.js';
import { dynamicQuantizeKernels } from './dynamic-quantize.js';
import { quantizeKernels } from './quantize.js';

const gpu = useDevice();
const kernels = [...chooseQparamsKernels, ...dynamicQuantizeKernels, quantizeKernels[0]!];

describe.each(kernels.map((kernel) => [kernel.name, kernel] as const))('%s', (_name, kernel) => {
  test.each(['software', 'gpu'])('equals the reference bit for bit: %s', async (form) => {
    expect(await differingSamples(gpu.device, kernel, { ...createTarget(gpu.device), software: form === 'software' })).toEqual([]);
  });
});
