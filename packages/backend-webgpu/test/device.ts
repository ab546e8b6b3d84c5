import { requestDevice } from '@qfuse/device-node';
import { afterAll, beforeAll } from 'vitest';

/** A software device for the tests of one file, with every call validated. */
export function useDevice(requiredLimits: 'maximum' | 'default' = 'default'): { readonly device: GPUDevice } {
  const holder: { device?: GPUDevice; destroy?: () => void } = {};
  beforeAll(async () => {
    const opened = await requestDevice({ adapter: 'software', requiredLimits });
    holder.device = opened.device;
    holder.destroy = () => opened.destroy();
  });
  afterAll(() => holder.destroy?.());
  return {
    get device() {
      return holder.device!;
    },
  };
}
