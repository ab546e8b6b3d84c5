import { runGraph } from '@qfuse/interp';
import { describe, expect, test } from 'vitest';
import { createTarget } from '../target.js';
import { difference } from '../../test/compare.js';
import { useDevice } from '../../test/device.js';
import { graphOfSample, runGuarded } from '../../test/guarded.js';
import { webgpuKernels } from './index.js';

const gpu = useDevice();

// The forms for real GPUs of the kernels that are slow to compile on a software adapter.
describe.each(webgpuKernels.filter((k) => /^(matmul|attention)\//.test(k.name)).map((kernel) => [kernel.name, kernel] as const))(
  '%s on a GPU',
  (_name, kernel) => {
    test.each(kernel.samples.map((s, i) => [i, s] as const))('sample %d', async (_index, given) => {
      const { graph, inputs } = graphOfSample(kernel, given);
      const expected = runGraph(graph, inputs).outputs;
      const actual = await runGuarded(gpu.device, graph, inputs, [kernel], { ...createTarget(gpu.device), software: false });
      expect(actual.flatMap((a, i) => difference(a, expected[i]!, kernel.error) ?? [])).toEqual([]);
    });
  },
);
