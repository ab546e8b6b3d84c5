/** Where a device's driver comes from; `null` is Dawn's backend that validates everything and computes nothing. */
export type Origin = 'native' | 'swiftshader' | 'null';

/** What an adapter is and can do, as plain data: safe to print, compare and write as JSON. */
export interface AdapterRecord {
  /** Name for people and for the option `adapter`, lower case with hyphens, e.g. `nvidia-h200`. */
  readonly name: string;
  /** Vendor as WebGPU says it, e.g. `nvidia`, `google`; may be empty. */
  readonly vendor: string;
  /** Architecture as WebGPU says it, e.g. `swiftshader`; empty on some drivers. */
  readonly architecture: string;
  /** The driver's description of itself, with its version, e.g. `NVIDIA: 580.159.04`. */
  readonly driver: string;
  readonly origin: Origin;
  /** Runs on the CPU: right, and one to four orders of magnitude slower than a GPU. */
  readonly isSoftware: boolean;
  /** Smallest number of invocations in a subgroup; 0 without the feature `subgroups`. */
  readonly subgroupMinSize: number;
  /** Largest number of invocations in a subgroup; 0 without the feature `subgroups`. */
  readonly subgroupMaxSize: number;
  /** Shapes of the matrix units, empty without the feature `chromium-experimental-subgroup-matrix`. */
  readonly subgroupMatrixConfigs: readonly SubgroupMatrixConfig[];
  /** All features of the adapter, sorted; those of the device are `device.features`. */
  readonly features: readonly string[];
  /** WGSL language features of the implementation, sorted, e.g. `packed_4x8_integer_dot_product`. */
  readonly wgslLanguageFeatures: readonly string[];
  /** All limits of the adapter by WebGPU's name, sizes in bytes. */
  readonly limits: Readonly<Record<string, number>>;
}

/** One shape of a matrix unit: an M×K matrix times a K×N matrix gives an M×N matrix. */
export interface SubgroupMatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** Options of `requestDevice`. */
export interface DeviceOptions {
  /**
   * - `auto` (default): a real GPU when there is one, else the embedded SwiftShader;
   * - `software`: a driver on the CPU, never the machine's GPU: the embedded SwiftShader where there is one;
   * - `native`: only what the machine itself offers;
   * - anything else: part of an adapter's name, upper and lower case alike, e.g. `h200`.
   */
  readonly adapter?: 'auto' | 'software' | 'native' | (string & {}) | undefined;
  /** Features that the device must have, besides the useful ones that are always asked for when present. */
  readonly requiredFeatures?: readonly string[] | undefined;
  /**
   * `maximum` (default): all that the adapter has. `default`: what WebGPU guarantees everywhere, to test portability.
   * A record: those limits, the guaranteed ones for the rest.
   */
  readonly requiredLimits?: 'maximum' | 'default' | Readonly<Record<string, number>> | undefined;
  /** Further Dawn toggles by name. Dawn ignores a name that it does not know. */
  readonly toggles?: { readonly enable?: readonly string[]; readonly disable?: readonly string[] } | undefined;
  /** Checking of every call by WebGPU's rules; on by default. Off saves about a third of the CPU time per dispatch. */
  readonly validation?: boolean | undefined;
  /**
   * What WGSL promises to shaders that index out of bounds, divide integers by zero, or read what nobody wrote; on by
   * default. Only for shaders that do none of this may it be off; they run up to three times faster on the CPU.
   */
  readonly robustness?: boolean | undefined;
  /** `null` compiles and validates shaders with all common features, and runs nothing. `adapter` is then ignored. */
  readonly backend?: 'null' | undefined;
}

/** A WebGPU device and what there is to know about it. */
export interface NodeDevice {
  readonly device: GPUDevice;
  readonly adapter: AdapterRecord;
  /** The same as `adapter.origin`. */
  readonly origin: Origin;
  /**
   * The interface objects of WebGPU (`GPUBufferUsage`, `GPUMapMode`, `GPUDevice`, …) that belong to this device. Nothing is
   * put on `globalThis`; code written for browsers finds them after `Object.assign(globalThis, nodeDevice.globals)`.
   */
  readonly globals: Readonly<Record<string, unknown>>;
  /** Resolves once, when the device can no longer be used: by {@link NodeDevice.destroy}, or when the GPU is lost. */
  readonly lost: Promise<DeviceLoss>;
  /**
   * Waits for work on the device. WebGPU lets much of the work on a lost device seem to succeed (zeros are read,
   * pipelines are made); this does not.
   *
   * @throws QfuseError `device-node/device-lost` as soon as the device is lost, also when it was lost before
   */
  guard<T>(work: Promise<T>): Promise<T>;
  /** Frees the device and all that was made from it; pending work is rejected. May be called more than once. */
  destroy(): void;
}

/** Why a device can no longer be used. */
export interface DeviceLoss {
  /** `destroyed` when the program did it, `unknown` when the GPU or its driver failed. */
  readonly reason: 'destroyed' | 'unknown';
  readonly message: string;
}
