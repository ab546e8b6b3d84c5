import { createTarget, describePlan, planProgram, portableTarget, type ProgramPlan, type WebGPUTarget } from '@qfuse/backend-webgpu';
import { requestDevice } from '@qfuse/device-node';
import type { Graph } from '@qfuse/ir';
import type { Registry } from '@qfuse/pass-manager';
import { kernelsOf } from './runner.js';

/** The dispatches and buffers of a program on a device. */
export interface DevicePlan {
  /** The adapter that was asked, or `portable` for what every WebGPU device offers. */
  readonly adapter: string;
  readonly plan: ProgramPlan;
  readonly text: string;
}

/**
 * Plans a program without running it.
 * @param adapter - the adapter to ask for its limits; undefined: what every WebGPU device offers, for which no device is opened
 * @throws QfuseError `webgpu/unsupported` listing every node without a kernel
 */
export async function describeOnDevice(graph: Graph, registry: Registry, adapter: string | undefined): Promise<DevicePlan> {
  const describe = (name: string, target: WebGPUTarget): DevicePlan => {
    const plan = planProgram(graph, target, { kernels: kernelsOf(registry) });
    return { adapter: name, plan, text: describePlan(plan) };
  };
  if (adapter === undefined) return describe('portable', portableTarget);
  const node = await requestDevice({ adapter });
  try {
    return describe(node.adapter.name, createTarget(node.device, { languageFeatures: node.adapter.wgslLanguageFeatures }));
  } finally {
    node.destroy();
  }
}
