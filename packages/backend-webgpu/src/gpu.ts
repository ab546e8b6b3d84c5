import { QfuseError } from '@qfuse/plugin';

/** WebGPU's flags by their standard numbers: their global objects do not exist in every host. */
export const usage = Object.freeze({ mapRead: 0x1, copySrc: 0x4, copyDst: 0x8, uniform: 0x40, storage: 0x80, queryResolve: 0x200 });
export const MAP_READ = 1;
export const STAGE_COMPUTE = 4;

/** Runs `work` and rejects with what the device reported meanwhile: validation errors are defects, lack of memory is not. */
export async function scoped<T>(device: GPUDevice, what: () => string, work: () => T | Promise<T>): Promise<T> {
  device.pushErrorScope('out-of-memory');
  device.pushErrorScope('validation');
  let result: T;
  let failure: unknown;
  try {
    // Only what is called before the first await is in the scopes, so callers must not await inside.
    result = work() as T;
  } catch (cause) {
    failure = cause;
  }
  const [validation, memory] = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
  if (failure !== undefined) throw failure;
  if (memory !== null)
    throw new QfuseError('webgpu/out-of-memory', `${what()}: ${memory.message}`, {
      help: 'free other programs (dispose), use smaller inputs, or another device',
    });
  if (validation !== null) throw new QfuseError('webgpu/validation', `${what()}: ${validation.message}`);
  return result!;
}

/** Knows whether a device is lost, and says so in one way. */
export class DeviceWatch {
  #info: GPUDeviceLostInfo | undefined;
  readonly #lost: Promise<never>;

  constructor(device: GPUDevice) {
    this.#lost = device.lost.then((info) => {
      this.#info = info;
      throw this.#error(info);
    });
    // A loss that nobody waits for is reported by the next call.
    this.#lost.catch(() => {});
  }

  #error(info: GPUDeviceLostInfo): QfuseError {
    const why = info.message === '' ? info.reason : info.message;
    return new QfuseError('webgpu/device-lost', `the WebGPU device was lost: ${why}`, {
      help: 'request a new device and compile the program again',
    });
  }

  /** @throws QfuseError `webgpu/device-lost` when the device is lost */
  check(): void {
    if (this.#info !== undefined) throw this.#error(this.#info);
  }

  /** The result of `work`, unless the device is lost first; other failures are passed on. */
  async guard<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await Promise.race([work, this.#lost]);
      this.check();
      return result;
    } catch (cause) {
      // What was pending on a lost device fails in many ways; the loss may be reported a moment later.
      if (!(cause instanceof QfuseError)) await new Promise((resolve) => setTimeout(resolve, 0));
      this.check();
      throw cause;
    }
  }
}
