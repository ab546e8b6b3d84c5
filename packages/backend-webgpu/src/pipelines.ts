import { describeOrigin, QfuseError } from '@qfuse/plugin';
import { STAGE_COMPUTE } from './gpu.js';
import type { Dispatch } from './kernel.js';
import type { Step } from './schedule.js';

/** The pipelines of a program: one for each different shader. */
export interface Pipelines {
  /** For each step. */
  readonly pipelines: readonly GPUComputePipeline[];
  readonly layouts: readonly GPUBindGroupLayout[];
  /** Number of different shaders. */
  readonly count: number;
}

/**
 * Compiles all shaders at once, equal ones once.
 * @throws QfuseError `webgpu/kernel` naming kernel and node when a shader does not compile
 */
export async function compilePipelines(device: GPUDevice, steps: readonly Step[]): Promise<Pipelines> {
  const layouts = new Map<string, { readonly group: GPUBindGroupLayout; readonly pipeline: GPUPipelineLayout }>();
  const compiled = new Map<string, Promise<GPUComputePipeline>>();
  const jobs = steps.map((step) => {
    const { dispatch } = step;
    const signature = `${dispatch.parameters.length} ${dispatch.bindings.map((b) => (b.access === 'read' ? 'r' : 'w')).join('')}`;
    let layout = layouts.get(signature);
    if (layout === undefined) layouts.set(signature, (layout = makeLayout(device, dispatch)));
    const key = `${signature}\n${dispatch.code}`;
    let pipeline = compiled.get(key);
    if (pipeline === undefined) compiled.set(key, (pipeline = compile(device, step, layout.pipeline)));
    return { layout: layout.group, pipeline };
  });
  return { pipelines: await Promise.all(jobs.map((j) => j.pipeline)), layouts: jobs.map((j) => j.layout), count: compiled.size };
}

function makeLayout(device: GPUDevice, dispatch: Dispatch): { readonly group: GPUBindGroupLayout; readonly pipeline: GPUPipelineLayout } {
  const entries: GPUBindGroupLayoutEntry[] = [{ binding: 0, visibility: STAGE_COMPUTE, buffer: { type: 'uniform' } }];
  dispatch.bindings.forEach(({ access }, i) => {
    entries.push({ binding: i + 1, visibility: STAGE_COMPUTE, buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' } });
  });
  const group = device.createBindGroupLayout({ entries });
  return { group, pipeline: device.createPipelineLayout({ bindGroupLayouts: [group] }) };
}

async function compile(device: GPUDevice, step: Step, layout: GPUPipelineLayout): Promise<GPUComputePipeline> {
  const { lowered, dispatch } = step;
  const label = `${lowered.kernel} (${dispatch.label})`;
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code: dispatch.code, label });
  const pipeline = device.createComputePipelineAsync({ layout, compute: { module, entryPoint: 'main' }, label }).then(
    (made) => ({ made }),
    (cause: unknown) => ({ cause }),
  );
  const error = await device.popErrorScope();
  const result = await pipeline;
  if (error === null && 'made' in result) return result.made;
  const { messages } = await module.getCompilationInfo();
  const first = messages.find((m) => m.type === 'error');
  const cause = 'cause' in result ? result.cause : error;
  const why =
    first === undefined
      ? (error?.message ?? (cause instanceof Error ? cause.message : String(cause)))
      : `line ${first.lineNum}: ${first.message}\n    ${dispatch.code.split('\n')[first.lineNum - 1]?.trim() ?? ''}`;
  throw new QfuseError(
    'webgpu/kernel',
    `the shader of kernel ${label} for ${lowered.node.op.name} at ${describeOrigin(lowered.node.origin)} does not compile: ${why}`,
    { cause },
  );
}
