import { runGraph } from '@qfuse/interp';
import type { WebGPUKernel } from '../src/kernel.js';
import type { WebGPUTarget } from '../src/target.js';
import { differingBits } from './compare-bits.js';
import { graphOfSample, runGuarded } from './guarded.js';

/** Runs samples of a kernel (those of `indices`, else all) between guards; says which results are not the reference's, bit for bit. */
export async function differingSamples(
  device: GPUDevice,
  kernel: WebGPUKernel,
  target: WebGPUTarget,
  indices?: readonly number[],
): Promise<string[]> {
  const found = kernel.samples.map(async (given, i) => {
    if (indices !== undefined && !indices.includes(i)) return [];
    const { graph, inputs } = graphOfSample(kernel, given);
    const actual = await runGuarded(device, graph, inputs, [kernel], target);
    return runGraph(graph, inputs).outputs.flatMap((expected, k) => {
      const text = differingBits(actual[k]!, expected);
      return text === undefined ? [] : [`sample ${i}, result ${k}: ${text}`];
    });
  });
  return (await Promise.all(found)).flat();
}
