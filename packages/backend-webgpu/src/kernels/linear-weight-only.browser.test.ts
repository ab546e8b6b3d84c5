import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkLayer, type LayerShape } from '../../test/packed-layer.js';
import { createTarget } from '../target.js';

// The same kernels on the browser's adapter, with what every device has: those of software adapters, and those of GPUs.
let device: GPUDevice;
beforeAll(async () => {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error('this browser offers no WebGPU adapter');
  device = await adapter.requestDevice();
});
afterAll(() => device.destroy());

test.each<[bits: 4 | 8, zeros: boolean, software: boolean, shape: LayerShape]>([
  [8, true, true, [3, 37, 19, undefined]],
  [4, true, true, [5, 64, 20, 32]],
  [4, false, false, [1, 100, 33, 20]],
  [4, true, false, [1, 96, 40, 32]],
  [8, false, false, [7, 66, 70, undefined]],
])('%d bits, zero points: %s, software: %s, %j', async (bits, zeros, software, [rows, k, n, groupSize]) => {
  expect(await checkLayer(device, { bits, rows, k, n, groupSize, zeros, bias: 'f32' }, { ...createTarget(device), software })).toEqual([]);
});
