import { describe, expect, test } from 'vitest';
import { useDevice } from '../../test/device.js';
import { checkIntegerLayer, integerTargets, integerVariants } from '../../test/integer-layer.js';

const gpu = useDevice('maximum');

// All forms around their tiles, with all kinds of parameters; each takes a software adapter seconds to compile.
const shapes: readonly (readonly [m: number, k: number, n: number, groupSize?: number])[] = [
  [1, 1, 1],
  [1, 37, 19],
  [1, 4096, 9],
  [1, 96, 33, 32],
  [1, 1024, 16, 512],
  [1, 2304, 20, 32],
  [3, 300, 17],
  [2, 288, 20, 32],
  [4, 1600, 12, 320],
  [5, 37, 19],
  [6, 128, 8, 64],
  [9, 96, 70, 32],
  [33, 1030, 130],
  [65, 100, 65],
  [70, 320, 68, 160],
  [130, 704, 66, 32],
  [7, 20, 9, 4],
  [9, 33, 70, 11],
  [5, 48, 12, 24],
];

describe.each([8, 4] as const)('%d bits', (bits) => {
  describe.each(Object.keys(integerTargets).map((name, t) => ({ name, t })))('$name', ({ name, t }) => {
    test.each(shapes.map((shape, i) => ({ shape, i })))('%j', async ({ shape: [m, k, n, groupSize], i }) => {
      const variant = integerVariants[(i + 3 * t + bits) % integerVariants.length]!;
      const options = { bits, m, k, n, groupSize, ...variant };
      expect(await checkIntegerLayer(gpu.device, options, integerTargets[name]!(gpu.device)), JSON.stringify(variant)).toEqual([]);
    });
  });
});
