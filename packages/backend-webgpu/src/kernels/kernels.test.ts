import { runGraph } from '@qfuse/interp';
import { expect, test } from 'vitest';
import { difference } from '../../test/compare.js';
import { useDevice } from '../../test/device.js';
import { graphOfSample, runGuarded } from '../../test/guarded.js';
import type { KernelSample, WebGPUKernel } from '../kernel.js';
import { createTarget } from '../target.js';
import { webgpuKernels } from './index.js';

const gpu = useDevice();

/**
 * Kernels whose shaders differ on real GPUs: their forms for these run here too, on the adapter at hand. It takes a
 * second to compile a tile that goes through workgroup memory, so of those there is one here and all in the full suite.
 */
const cooperative = (name: string, index: number): boolean =>
  /^(reduce|arg-reduce|softmax|norm)\//.test(name) || (name === 'matmul/aten.mm' && index === 2);

/** What is wrong with the results of a sample, in each form of the kernel. */
async function check(kernel: WebGPUKernel, given: KernelSample, index: number): Promise<string[]> {
  const { graph, inputs } = graphOfSample(kernel, given);
  const [node] = graph.nodes();
  const target = createTarget(gpu.device);
  const verdict = kernel.supports(node!, target);
  if (!verdict.ok) return [`sample ${index} is refused: ${verdict.why}`];
  const expected = runGraph(graph, inputs).outputs;
  const targets = cooperative(kernel.name, index) ? [target, { ...target, software: false }] : [target];
  const found = targets.map(async (t) => {
    const actual = await runGuarded(gpu.device, graph, inputs, [kernel], t);
    return actual
      .flatMap((a, i) => difference(a, expected[i]!, kernel.error) ?? [])
      .map((text) => `sample ${index}${t.software ? '' : ' on a GPU'}: ${text}`);
  });
  return (await Promise.all(found)).flat();
}

test('every kernel has a shape list', () => {
  expect(webgpuKernels.filter((k) => k.samples.length === 0 && !k.name.startsWith('packed-linear/')).map((k) => k.name)).toEqual([]);
});

test.each(webgpuKernels.filter((k) => k.samples.length > 0).map((kernel) => [kernel.name, kernel] as const))(
  '%s',
  async (_name, kernel) => {
    expect((await Promise.all(kernel.samples.map((given, i) => check(kernel, given, i)))).flat()).toEqual([]);
  },
);
