import { compileProgram, webgpuKernels } from '@qfuse/backend-webgpu';
import { requestDevice } from '@qfuse/device-node';
import { type Graph, type HostTensor, QfuseError } from '@qfuse/ir';
import { Evaluator, runGraph } from '@qfuse/interp';
import type { Kernel, Registry } from '@qfuse/pass-manager';

/** Where a program runs. */
export interface RunnerOptions {
  readonly device: 'webgpu' | 'reference';
  /** For WebGPU: `auto`, `software`, `native` or a part of an adapter's name. */
  readonly adapter?: string | undefined;
}

/** A place that runs graphs. */
export interface Runner {
  /** What it is, for people and reports. */
  readonly adapter: string;
  /** Makes a graph ready to run. @throws QfuseError `webgpu/unsupported` listing every node that cannot run */
  prepare(
    graph: Graph,
  ): Promise<{ readonly run: (inputs: readonly HostTensor[]) => Promise<readonly HostTensor[]>; readonly dispose: () => void }>;
  close(): void;
}

/** Opens the interpreter (with `evaluator`) or a WebGPU device. @throws QfuseError `device/…` when there is no such adapter */
export async function openRunner(options: RunnerOptions, registry: Registry, evaluator: Evaluator = new Evaluator()): Promise<Runner> {
  if (options.device === 'reference') {
    if (options.adapter !== undefined) throw new QfuseError('usage', '--adapter belongs to --device webgpu');
    return {
      adapter: 'reference interpreter',
      prepare: async (graph) => ({ run: async (inputs) => runGraph(graph, inputs, evaluator).outputs, dispose: () => {} }),
      close: () => {},
    };
  }
  const node = await requestDevice({ adapter: options.adapter ?? 'auto' });
  return {
    adapter: node.adapter.name,
    prepare: async (graph) => {
      const program = await compileProgram(graph, { device: node.device, kernels: kernelsOf(registry) });
      return { run: async (inputs) => (await node.guard(program.run(inputs))).outputs, dispose: () => program.dispose() };
    },
    close: () => node.destroy(),
  };
}

/** Kernels of plugins before those of the backend, so that a plugin may bring a better one. */
export const kernelsOf = (registry: Registry): readonly Kernel[] => [...registry.kernels, ...webgpuKernels];
