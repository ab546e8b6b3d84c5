/** The limits that decide whether a kernel can run, by WebGPU's names; sizes in bytes. */
export interface TargetLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxUniformBufferBindingSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupSizeX: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  readonly minUniformBufferOffsetAlignment: number;
  readonly minStorageBufferOffsetAlignment: number;
}

/**
 * How exactly kernels with float inputs compute: `f32` in that; `f16` may round inputs and products to half precision, where a
 * kernel has such a form and the device can. Sums over many terms are in f32 all the same.
 */
export type Accuracy = 'f32' | 'f16';

/** One shape of a device's matrix units: an M×K matrix times a K×N matrix gives an M×N matrix. */
export interface SubgroupMatrix {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/**
 * What a device offers, as plain data: kernels are chosen by it at compile time, with or without the device at hand.
 * Two equal targets get equal programs.
 */
export interface WebGPUTarget {
  /** For people, e.g. `google swiftshader`. */
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  /** Runs on the CPU: shaders without workgroup memory and barriers are faster there. */
  readonly software: boolean;
  /** Features of the device, sorted, e.g. `timestamp-query`. */
  readonly features: readonly string[];
  /** WGSL language features, sorted; empty when nobody said. */
  readonly languageFeatures: readonly string[];
  /** Smallest and largest number of invocations in a subgroup; 0 without the feature `subgroups`. */
  readonly subgroupSize: readonly [number, number];
  /** Shapes of matrix units; none without the feature `chromium-experimental-subgroup-matrix`. */
  readonly subgroupMatrices?: readonly SubgroupMatrix[] | undefined;
  /** Default `f32`: nothing is rounded to less unless somebody asks for it. */
  readonly accuracy?: Accuracy | undefined;
  readonly limits: TargetLimits;
}

/** What every WebGPU device has: programs planned for it run everywhere. */
export const portableTarget: WebGPUTarget = Object.freeze({
  name: 'portable',
  vendor: '',
  architecture: '',
  software: false,
  features: Object.freeze([]),
  languageFeatures: Object.freeze([]),
  subgroupSize: Object.freeze([0, 0] as const),
  limits: Object.freeze({
    maxBufferSize: 268435456,
    maxStorageBufferBindingSize: 134217728,
    maxUniformBufferBindingSize: 65536,
    maxStorageBuffersPerShaderStage: 8,
    maxComputeWorkgroupStorageSize: 16384,
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupSizeX: 256,
    maxComputeWorkgroupsPerDimension: 65535,
    minUniformBufferOffsetAlignment: 256,
    minStorageBufferOffsetAlignment: 256,
  }),
});

/** Dot products of four 8-bit integers in a word. */
const integerDotFeature = 'packed_4x8_integer_dot_product';

/** What {@link createTarget} cannot ask the device for. */
export interface TargetOptions {
  /** `navigator.gpu.wgslLanguageFeatures`, where the caller has it, or what {@link probeLanguageFeatures} finds. */
  readonly languageFeatures?: Iterable<string> | undefined;
  readonly accuracy?: Accuracy | undefined;
}

/** The WGSL language features that kernels make use of. */
const usefulLanguageFeatures = [integerDotFeature] as const;

/** Which of the WGSL language features that kernels use the implementation behind `device` has: it is asked to compile each. */
export async function probeLanguageFeatures(device: GPUDevice): Promise<readonly string[]> {
  const found = usefulLanguageFeatures.map(async (name) => {
    device.pushErrorScope('validation');
    device.createShaderModule({ code: `requires ${name};`, label: `probe of ${name}` });
    const error = await device.popErrorScope();
    return error === null ? [name] : [];
  });
  return (await Promise.all(found)).flat();
}

/** Whether shaders have `dot4I8Packed`. */
export const hasIntegerDot = ({ languageFeatures }: WebGPUTarget): boolean => languageFeatures.includes(integerDotFeature);

const softwareNames = /swiftshader|llvmpipe|lavapipe|softpipe|microsoft basic render/i;

/** Describes `device`. Limits are those of the device, which are the portable ones unless more was required of it. */
export function createTarget(device: GPUDevice, options: TargetOptions = {}): WebGPUTarget {
  // Browsers before the attribute `adapterInfo` of devices say nothing of the adapter.
  const info =
    (device as { readonly adapterInfo?: Partial<GPUAdapterInfo> & { readonly subgroupMatrixConfigs?: Iterable<SubgroupMatrix> } })
      .adapterInfo ?? {};
  const { vendor = '', architecture = '', device: model = '', description = '' } = info;
  const limits = Object.fromEntries(
    Object.keys(portableTarget.limits).map((name) => [name, device.limits[name as keyof TargetLimits]]),
  ) as unknown as TargetLimits;
  return Object.freeze({
    name: [vendor, architecture || model].filter((part) => part !== '').join(' ') || 'unknown',
    vendor,
    architecture,
    software: softwareNames.test(`${architecture} ${model} ${description}`),
    features: Object.freeze([...device.features].sort()),
    languageFeatures: Object.freeze([...(options.languageFeatures ?? [])].sort()),
    subgroupSize: Object.freeze([info.subgroupMinSize ?? 0, info.subgroupMaxSize ?? 0] as const),
    subgroupMatrices: Object.freeze(
      [...(info.subgroupMatrixConfigs ?? [])].map(({ componentType, resultComponentType, M, N, K }) =>
        Object.freeze({ componentType, resultComponentType, M, N, K }),
      ),
    ),
    ...(options.accuracy === undefined ? {} : { accuracy: options.accuracy }),
    limits: Object.freeze(limits),
  });
}

/** `target` with some limits changed, e.g. a tiny binding size to see how a model is sharded. */
export const withLimits = (target: WebGPUTarget, limits: Partial<TargetLimits>): WebGPUTarget =>
  Object.freeze({ ...target, limits: Object.freeze({ ...target.limits, ...limits }) });
