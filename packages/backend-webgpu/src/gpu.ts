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

/** One for each device, however many programs there are: what waits for `device.lost` is kept as long as the device. */
const watches = new WeakMap<GPUDevice, DeviceWatch>();

/** Knows whether a device is lost, and says so in one way. */
export class DeviceWatch {
  #info: GPUDeviceLostInfo | undefined;
  readonly #waiting = new Set<() => void>();

  /** The watch of a device. */
  static of(device: GPUDevice): DeviceWatch {
    let watch = watches.get(device);
    if (watch === undefined) watches.set(device, (watch = new DeviceWatch(device)));
    return watch;
  }

  private constructor(device: GPUDevice) {
    void device.lost.then((info) => this.#end(info));
  }

  #end(info: GPUDeviceLostInfo): void {
    this.#info = info;
    for (const giveUp of this.#waiting) giveUp();
    this.#waiting.clear();
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

  /** The result of `work`, unless the device is lost first; other failures are passed on. Keeps neither once it is settled. */
  async guard<T>(work: Promise<T>): Promise<T> {
    let giveUp: () => void;
    // Not Promise.race with one promise for the loss: that would keep the result of every race.
    const lost = new Promise<never>((_, reject) => {
      giveUp = () => reject(this.#error(this.#info!));
      this.#waiting.add(giveUp);
      if (this.#info !== undefined) giveUp();
    });
    try {
      const result = await Promise.race([work, lost]);
      this.check();
      return result;
    } catch (cause) {
      // What was pending on a lost device fails in many ways; the loss may be reported a moment later.
      if (!(cause instanceof QfuseError)) await new Promise((resolve) => setTimeout(resolve, 0));
      this.check();
      throw cause;
    } finally {
      this.#waiting.delete(giveUp!);
    }
  }
}
