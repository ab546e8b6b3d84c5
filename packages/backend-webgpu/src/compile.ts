import type { Graph, Kernel } from '@qfuse/plugin';
import { DeviceWatch } from './gpu.js';
import { webgpuKernels } from './kernels/index.js';
import { lower } from './lower.js';
import { type ProgramPlan, planSchedule } from './plan.js';
import { WebGPUProgram } from './program.js';
import { createKernelRegistry } from './registry.js';
import { schedule, type Schedule } from './schedule.js';
import { type Accuracy, createTarget, probeLanguageFeatures, type WebGPUTarget } from './target.js';

/** Options of {@link planProgram}. */
export interface PlanOptions {
  /** Kernels to choose from, the first that fits is taken; default {@link webgpuKernels}. Kernels of other targets are passed over. */
  readonly kernels?: Iterable<Kernel> | undefined;
  /** Sizes of symbolic dims; those left out get the smallest allowed. */
  readonly sizes?: Readonly<Record<string, number>> | undefined;
}

/** Options of {@link compileProgram}. */
export interface CompileOptions {
  readonly device: GPUDevice;
  readonly kernels?: Iterable<Kernel> | undefined;
  /** Default: what {@link createTarget} and {@link probeLanguageFeatures} say of the device. Another one restricts what is used of it. */
  readonly target?: WebGPUTarget | undefined;
  /** Without a `target`: how exactly kernels compute; default `f32`. */
  readonly accuracy?: Accuracy | undefined;
}

function build(graph: Graph, target: WebGPUTarget, kernels: Iterable<Kernel> = webgpuKernels): Schedule {
  return schedule(lower(graph, createKernelRegistry(kernels, target)));
}

/**
 * Says what would run on `target`: dispatches, arenas, bytes. Needs no device.
 * @throws QfuseError `webgpu/unsupported` listing every node without a kernel; `webgpu/too-large`
 */
export const planProgram = (graph: Graph, target: WebGPUTarget, options: PlanOptions = {}): ProgramPlan =>
  planSchedule(build(graph, target, options.kernels), target, options.sizes);

/**
 * Compiles a graph for a device: chooses a kernel for each node (decomposing those without one), compiles all
 * shaders, packs and uploads the constants. The graph is not changed.
 * @throws QfuseError `webgpu/unsupported` listing every node without a kernel; `webgpu/kernel` when a kernel's shader
 *   does not compile; `webgpu/value-range`, `webgpu/out-of-memory`, `webgpu/device-lost`
 */
export async function compileProgram(graph: Graph, options: CompileOptions): Promise<WebGPUProgram> {
  const { device } = options;
  const watch = DeviceWatch.of(device);
  // A loss is told to those who wait for it, also when it was before.
  await Promise.resolve();
  watch.check();
  const { accuracy } = options;
  const target = options.target ?? createTarget(device, { accuracy, languageFeatures: await probeLanguageFeatures(device) });
  return WebGPUProgram.create(device, target, build(graph, target, options.kernels), graph);
}
