import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { QfuseError } from '@qfuse/plugin';
import { describe, expect, test } from 'vitest';
import { DeviceWatch } from './gpu.js';

/** A device that is lost when it is told so. */
function fakeDevice() {
  let lose!: (info: GPUDeviceLostInfo) => void;
  let waits = 0;
  const lost = new Promise<GPUDeviceLostInfo>((resolve) => {
    lose = (info) => resolve(info);
  });
  const device = {
    lost: {
      // oxlint-disable-next-line unicorn/no-thenable -- the test counts who waits for the loss
      then: (...args: Parameters<typeof lost.then>) => {
        waits++;
        return lost.then(...args);
      },
    },
  } as unknown as GPUDevice;
  return { device, lose: (message: string) => lose({ reason: 'unknown', message } as GPUDeviceLostInfo), waits: () => waits };
}
const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

describe('DeviceWatch', () => {
  test('passes on what comes of work', async () => {
    const watch = DeviceWatch.of(fakeDevice().device);
    expect(await watch.guard(Promise.resolve(3))).toBe(3);
    await expect(watch.guard(Promise.reject(new Error('own')))).rejects.toThrow('own');
    const refused = new QfuseError('webgpu/too-large', 'too large');
    await expect(watch.guard(Promise.reject(refused))).rejects.toBe(refused);
    watch.check();
  });

  test('a loss ends all work that is under way, and all that follows', async () => {
    const { device, lose } = fakeDevice();
    const watch = DeviceWatch.of(device);
    const never = [1, 2].map(() => watch.guard(new Promise(() => {})));
    lose('it was unplugged');
    for (const work of never)
      await expect(work).rejects.toMatchObject({ code: 'webgpu/device-lost', message: 'the WebGPU device was lost: it was unplugged' });
    await expect(watch.guard(Promise.resolve(1))).rejects.toMatchObject({ code: 'webgpu/device-lost' });
    await expect(watch.guard(Promise.reject(new Error('aborted')))).rejects.toMatchObject({ code: 'webgpu/device-lost' });
    expect(() => watch.check()).toThrow('unplugged');
  });

  test('work that fails just before the loss is told fails of the loss', async () => {
    const { device, lose } = fakeDevice();
    const work = DeviceWatch.of(device).guard(Promise.reject(new Error('mapping was aborted')));
    lose('gone');
    await expect(work).rejects.toMatchObject({ code: 'webgpu/device-lost' });
  });

  test('waits once for a device, whatever runs on it', async () => {
    const { device, waits } = fakeDevice();
    for (let i = 0; i < 5; i++) await DeviceWatch.of(device).guard(Promise.resolve(i));
    expect(waits()).toBe(1);
    expect(DeviceWatch.of(device)).toBe(DeviceWatch.of(device));
    expect(DeviceWatch.of(fakeDevice().device)).not.toBe(DeviceWatch.of(device));
  });

  test('keeps no results', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const watch = DeviceWatch.of(fakeDevice().device);
    const run = async (): Promise<WeakRef<Float32Array>> => {
      const result = new Float32Array(1000);
      await watch.guard(Promise.resolve(result));
      return new WeakRef(result);
    };
    const result = await run();
    await later();
    collect();
    expect(result.deref()).toBeUndefined();
    watch.check();
  });
});
