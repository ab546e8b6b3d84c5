import { runGraph } from '@qfuse/interp';
import { describe, expect, test } from 'vitest';
import { createTarget } from '../target.js';
import { difference } from '../../test/compare.js';
import { useDevice } from '../../test/device.js';
import { graphOfSample, runGuarded } from '../../test/guarded.js';
import { webgpuKernels } from './index.js';

const gpu = useDevice();

/**
 * Kernels whose shaders differ on real GPUs: their forms for these run here too, on the adapter at hand. It takes a
 * second to compile a tile that goes through workgroup memory, so of those there is one here and all in the full suite.
 */
const cooperative = (name: string, index: number): boolean => /^(reduce|arg-reduce|softmax|norm)\//.test(name) || (name === 'matmul/aten.mm' && index === 2);

test('every kernel has a shape list', () => {
  expect(webgpuKernels.filter((k) => k.samples.length === 0 && !k.name.startsWith('packed-linear/')).map((k) => k.name)).toEqual([]);
});

describe.each(webgpuKernels.filter((k) => k.samples.length > 0).map((kernel) => [kernel.name, kernel] as const))('%s', (name, kernel) => {
  test.each(kernel.samples.map((s, i) => [i, s] as const))('sample %d', async (index, given) => {
    const { graph, inputs } = graphOfSample(kernel, given);
    const [node] = graph.nodes();
    const target = createTarget(gpu.device);
    expect(kernel.supports(node!, target)).toEqual({ ok: true });
    const expected = runGraph(graph, inputs).outputs;
    const targets = cooperative(name, index) ? [target, { ...target, software: false }] : [target];
    for (const t of targets) {
      const actual = await runGuarded(gpu.device, graph, inputs, [kernel], t);
      expect(actual.flatMap((a, i) => difference(a, expected[i]!, kernel.error) ?? [])).toEqual([]);
    }
  });
});
