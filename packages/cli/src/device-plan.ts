import { compileProgram } from '@qfuse/backend-webgpu';
import { requestDevice } from '@qfuse/device-node';
import type { Graph } from '@qfuse/ir';
import type { Registry } from '@qfuse/pass-manager';

/** The dispatches and buffers of a program on a device. */
export async function describeOnDevice(graph: Graph, registry: Registry, adapter = 'auto'): Promise<{ readonly adapter: string; readonly text: string }> {
  const node = await requestDevice({ adapter });
  try {
    const program = await compileProgram(graph, { device: node.device, kernels: registry.kernels.filter((k) => k.target === 'webgpu') as never });
    const text = String(program.plan);
    program.dispose();
    return { adapter: node.adapter.name, text };
  } finally {
    node.destroy();
  }
}
