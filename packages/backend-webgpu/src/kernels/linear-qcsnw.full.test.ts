import { describe, expect, test } from 'vitest';
import { differences, inputFor } from '../../test/compare.js';
import { useDevice } from '../../test/device.js';
import { layer, targets } from '../../test/packed-layer.js';
import { linearQcsKernels } from './linear-qcsnw.js';

const gpu = useDevice('maximum');

// Every path of the packed layers of GPUs around its tiles; each takes a software adapter seconds to compile.
const shapes: readonly (readonly [m: number, k: number, n: number])[] = [
  [1, 1, 1],
  [2, 64, 48],
  [4, 300, 17],
  [5, 37, 19],
  [33, 1030, 130],
  [64, 96, 65],
  [257, 33, 70],
  [260, 128, 64],
];

describe.each([8, 4] as const)('fused.linear_qcs%dw', (bits) => {
  describe.each(['gpu, 16 KiB', 'gpu, 32 KiB'])('%s', (name) => {
    test.each(shapes)('%d×%d×%d', async (m, k, n) => {
      const graph = layer(bits, k, n, { bias: n % 2 === 1, rows: m });
      const inputs = graph.inputs.map((v, i) => inputFor(v, i === 0 ? [m, k] : [n], i + m));
      expect(await differences(gpu.device, graph, inputs, linearQcsKernels[0]!.error, targets[name]!(gpu.device))).toEqual([]);
    });
  });
});
