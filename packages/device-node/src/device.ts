import { QfuseError } from '@qfuse/ir';
import type { FoundAdapter } from './adapters.js';
import { messageOf } from './dawn.js';
import { retire } from './instances.js';
import { selectAdapter } from './select.js';
import type { AdapterRecord, DeviceLoss, DeviceOptions, NodeDevice } from './types.js';

/** Features that kernels can make use of; a device has those of them that its adapter has. */
export const usefulFeatures: readonly string[] = [
  'shader-f16',
  'subgroups',
  'subgroup-size-control',
  'timestamp-query',
  'chromium-experimental-timestamp-query-inside-passes',
  'chromium-experimental-subgroup-matrix',
];

/**
 * Opens a WebGPU device. Needs no system package and no environment variable: without a GPU, on Linux x64, the embedded
 * SwiftShader computes on the CPU.
 *
 * @example
 * ```ts
 * const { device, adapter, destroy } = await requestDevice({ adapter: 'auto' });
 * console.log(adapter.name, device.limits.maxBufferSize);
 * destroy();
 * ```
 *
 * @throws QfuseError with one of the codes
 *   - `device-node/no-adapter`, `device-node/unknown-adapter`: nothing fits the option `adapter`;
 *   - `device-node/missing-feature`, `device-node/limit-exceeded`: the adapter lacks what is required;
 *   - `device-node/device-failed`: the driver refused to open a device;
 *   - `device-node/bad-toggle`: an impossible name in `toggles`;
 *   - `device-node/unsupported-platform`, `device-node/dawn-missing`, `device-node/dawn-failed`,
 *     `device-node/no-cache-folder`: WebGPU itself cannot be loaded here.
 */
export async function requestDevice(options: DeviceOptions = {}): Promise<NodeDevice> {
  const found = await selectAdapter(options);
  const requiredFeatures = featuresFor(found.record, options.requiredFeatures ?? []);
  const requiredLimits = limitsFor(found.record, options.requiredLimits ?? 'maximum');
  let device: GPUDevice;
  try {
    device = await found.adapter.requestDevice({
      requiredFeatures: requiredFeatures as GPUFeatureName[],
      requiredLimits,
    });
  } catch (cause) {
    throw new QfuseError(
      'device-node/device-failed',
      `The driver of ${found.record.name} (${found.record.driver}) refused to open a device: ${messageOf(cause)}`,
      { help: 'Another process may hold the GPU or its memory. The CPU can do the work: adapter "software".', cause },
    );
  }
  return wrap(device, found);
}

function featuresFor(adapter: AdapterRecord, required: readonly string[]): string[] {
  const missing = required.filter((feature) => !adapter.features.includes(feature));
  if (missing.length)
    throw new QfuseError('device-node/missing-feature', `${adapter.name} lacks: ${missing.join(', ')}`, {
      help: `It has: ${adapter.features.join(', ')}.`,
    });
  const useful = usefulFeatures.filter((feature) => adapter.features.includes(feature));
  return [...new Set([...useful, ...required])];
}

function limitsFor(adapter: AdapterRecord, wanted: NonNullable<DeviceOptions['requiredLimits']>): Record<string, number> {
  if (wanted === 'maximum') return { ...adapter.limits };
  if (wanted === 'default') return {};
  for (const [name, value] of Object.entries(wanted)) {
    const limit = adapter.limits[name];
    if (limit === undefined)
      throw new QfuseError('device-node/limit-exceeded', `${adapter.name} has no limit named "${name}"`, {
        help: `The limits are: ${Object.keys(adapter.limits).join(', ')}.`,
      });
    // Of an alignment the smaller value is the better one.
    if (name.startsWith('min') ? value < limit : value > limit)
      throw new QfuseError('device-node/limit-exceeded', `${name} of ${adapter.name} is ${limit}, but ${value} is required`);
  }
  return { ...wanted };
}

function wrap(device: GPUDevice, { dawn, gpu, record }: FoundAdapter): NodeDevice {
  let loss: DeviceLoss | undefined;
  const waiting = new Set<() => void>();
  const end = (reason: DeviceLoss['reason'], message: string): DeviceLoss => {
    loss ??= { reason, message };
    for (const giveUp of waiting) giveUp();
    return loss;
  };
  const lost = device.lost.then(({ reason, message }) => {
    if (reason === 'destroyed') return end('destroyed', message || 'The device was destroyed.');
    retire(gpu);
    return end('unknown', message);
  });
  return {
    device,
    adapter: record,
    origin: record.origin,
    globals: dawn.globals,
    lost,
    guard: (work) =>
      new Promise((resolve, reject) => {
        const giveUp = (cause?: unknown): void => reject(lossError(record, loss, cause));
        waiting.add(giveUp);
        const settle = (finish: () => void, cause?: unknown): void => {
          waiting.delete(giveUp);
          if (loss) giveUp(cause);
          else finish();
        };
        work.then(
          (value) => settle(() => resolve(value)),
          // Work on a device that gets lost may be rejected a moment before the loss itself is known.
          (error: unknown) => setImmediate(() => settle(() => reject(error), error)),
        );
        if (loss) giveUp();
      }),
    destroy: () => {
      end('destroyed', 'The device was destroyed.');
      device.destroy();
    },
  };
}

function lossError(adapter: AdapterRecord, loss: DeviceLoss | undefined, cause: unknown): QfuseError {
  const what = loss?.reason === 'destroyed' ? 'was destroyed' : `was lost: ${loss?.message}`;
  return new QfuseError('device-node/device-lost', `The WebGPU device on ${adapter.name} ${what}`, {
    help: 'Request a new device and run again; buffers and pipelines of the old one are gone.',
    cause,
  });
}
