import type { Dawn } from './dawn.js';
import { dawnFlags } from './flags.js';
import { gpuOf } from './instances.js';
import type { AdapterRecord, DeviceOptions, Origin, SubgroupMatrixConfig } from './types.js';

/** An adapter that a device can be asked from, once. */
export interface FoundAdapter {
  readonly dawn: Dawn;
  readonly gpu: GPU;
  readonly adapter: GPUAdapter;
  readonly record: AdapterRecord;
}

/** What this implementation of WebGPU says beyond the types of the standard. */
interface DawnAdapterInfo extends GPUAdapterInfo {
  readonly subgroupMatrixConfigs?: Iterable<SubgroupMatrixConfig>;
}

/** A name that no adapter has: Dawn answers it with the list of those that there are. */
const nobody = '\u0001';

/**
 * Asks one copy of Dawn for an adapter.
 *
 * @param name - exact name as {@link adapterNames} gives it; without it the most powerful adapter
 * @param request - `forceFallbackAdapter` asks for one that runs on the CPU
 * @returns undefined when there is none
 */
export async function findAdapter(
  dawn: Dawn,
  origin: Origin,
  options: DeviceOptions,
  name?: string,
  request: GPURequestAdapterOptions = {},
): Promise<FoundAdapter | undefined> {
  const gpu = gpuOf(dawn, dawnFlags(options, name));
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance', ...request });
  if (!adapter) return undefined;
  const record = describeAdapter(gpu, adapter, origin);
  // Dawn takes the first adapter whose name contains the one asked for, which may be that of a longer name.
  if (name !== undefined && !isSameName(name, adapter.info.device)) return undefined;
  return { dawn, gpu, adapter, record };
}

/** The names of all adapters of one copy of Dawn, as their drivers spell them. The same name may occur twice. */
export async function adapterNames(dawn: Dawn, options: DeviceOptions = {}): Promise<string[]> {
  try {
    await gpuOf(dawn, dawnFlags(options, nobody)).requestAdapter();
    return [];
  } catch (error) {
    const lines = String((error as Error).message).matchAll(/^ \* backend: '[^']*', name: '(.*)'$/gm);
    return [...lines].flatMap(([, name]) => (name ? [name] : []));
  }
}

/** A name as WebGPU spells it: `NVIDIA H200` and `nvidia-h200` are the same adapter. */
export function normalizeName(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
}

/** Compares what is left of a name however WebGPU spells it; a driver may also hide it there. */
function isSameName(name: string, device: string): boolean {
  const essence = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  return device === '' || essence(name) === essence(device);
}

/** Copies everything there is to know about an adapter into plain data. */
function describeAdapter(gpu: GPU, adapter: GPUAdapter, origin: Origin): AdapterRecord {
  const info = adapter.info as DawnAdapterInfo;
  const limits: Record<string, number> = {};
  // The limits are getters of the prototype, which only this kind of loop sees.
  for (const name in adapter.limits) {
    const value: unknown = adapter.limits[name as keyof GPUSupportedLimits];
    if (typeof value === 'number') limits[name] = value;
  }
  const matrixConfigs = [...(info.subgroupMatrixConfigs ?? [])].map(({ componentType, resultComponentType, M, N, K }) => ({
    componentType,
    resultComponentType,
    M,
    N,
    K,
  }));
  const name = origin === 'null' ? 'null' : normalizeName(info.device || info.description || info.vendor);
  return {
    name,
    vendor: info.vendor,
    architecture: info.architecture,
    driver: info.description,
    origin,
    isSoftware:
      origin === 'null' ||
      info.isFallbackAdapter === true ||
      /swiftshader|llvmpipe|lavapipe|basic-render/.test(`${info.architecture} ${name}`),
    subgroupMinSize: info.subgroupMinSize ?? 0,
    subgroupMaxSize: info.subgroupMaxSize ?? 0,
    subgroupMatrixConfigs: matrixConfigs,
    features: [...adapter.features].sort(),
    wgslLanguageFeatures: [...gpu.wgslLanguageFeatures].sort(),
    limits,
  };
}
