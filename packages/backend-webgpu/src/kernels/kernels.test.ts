import { runGraph } from '@qfuse/interp';
import { describe, expect, test } from 'vitest';
import { createTarget } from '../target.js';
import { difference } from '../testing/compare.js';
import { useDevice } from '../testing/device.js';
import { graphOfSample, runGuarded } from '../testing/guarded.js';
import { webgpuKernels } from './index.js';

const gpu = useDevice();

/** Kernels whose shaders differ on real GPUs: their forms for these run here too, on the adapter at hand. */
const cooperative = /^(reduce|arg-reduce|softmax|norm|matmul|attention)\//;

test('every kernel has a shape list', () => {
  expect(webgpuKernels.filter((k) => k.samples.length === 0 && !k.name.startsWith('packed-linear/')).map((k) => k.name)).toEqual([]);
});

describe.each(webgpuKernels.filter((k) => k.samples.length > 0).map((kernel) => [kernel.name, kernel] as const))('%s', (name, kernel) => {
  test.each(kernel.samples.map((s, i) => [i, s] as const))('sample %d', async (_, given) => {
    const { graph, inputs } = graphOfSample(kernel, given);
    const [node] = graph.nodes();
    const target = createTarget(gpu.device);
    expect(kernel.supports(node!, target)).toEqual({ ok: true });
    const expected = runGraph(graph, inputs).outputs;
    const targets = cooperative.test(name) ? [target, { ...target, software: false }] : [target];
    for (const t of targets) {
      const actual = await runGuarded(gpu.device, graph, inputs, [kernel], t);
      expect(actual.flatMap((a, i) => difference(a, expected[i]!, kernel.error) ?? [])).toEqual([]);
    }
  });
});
