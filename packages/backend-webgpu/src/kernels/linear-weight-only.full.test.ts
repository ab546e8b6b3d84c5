import { describe, expect, test } from 'vitest';
import { useDevice } from '../../test/device.js';
import { checkLayer, type LayerShape, shapes, targets } from '../../test/packed-layer.js';

const gpu = useDevice('maximum');

// Every form of GPUs around its tiles; each takes a software adapter seconds to compile.
const more: readonly LayerShape[] = [
  [4, 300, 17, undefined],
  [2, 1030, 130, undefined],
  [1, 2080, 65, 32],
  [3, 2080, 40, 16],
  [1, 96, 3100, 32],
  [3, 64, 3090, undefined],
  [16, 640, 65, 32],
  [17, 96, 70, undefined],
  [64, 1030, 130, undefined],
  [64, 96, 65, 8],
  [129, 37, 70, undefined],
  [130, 256, 65, 128],
  [260, 140, 64, 20],
];

describe.each([8, 4] as const)('%d bits', (bits) => {
  describe.each([false, true])('zero points: %s', (zeros) => {
    test.each(shapes)('%d×%d×%d, groups of %s', async (rows, k, n, groupSize) => {
      expect(await checkLayer(gpu.device, { bits, rows, k, n, groupSize, zeros }, targets['software']!(gpu.device))).toEqual([]);
    });
  });

  describe.each(['gpu, 16 KiB', 'gpu, 32 KiB'])('%s', (name) => {
    // With the larger memory only the largest tile is another kernel. Half of the shapes have zero points, the others with the other width.
    const own = [...shapes, ...more].filter(([rows]) => name === 'gpu, 16 KiB' || rows > 64);
    test.each(own.map((shape, i) => [(i + bits / 4) % 2 === 0, ...shape] as const))(
      'zero points: %s, %d×%d×%d, groups of %s',
      async (zeros, rows, k, n, groupSize) => {
        const bias = n % 2 === 1 ? 'f32' : undefined;
        expect(await checkLayer(gpu.device, { bits, rows, k, n, groupSize, zeros, bias }, targets[name]!(gpu.device))).toEqual([]);
      },
    );
  });
});
