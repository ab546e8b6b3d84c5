import { tensorType, type AnyOp } from '@qfuse/plugin';
import { quant } from '@qfuse/ops';
import { type Random, testPass } from '@qfuse/testing';
import fuseLinearQcsnw from './index.js';

/** Sizes of one planted graph: drawn once, so that operands fit each other. */
const sizes = new WeakMap<Random, { readonly n: number; readonly k: number }>();
const sizesOf = (random: Random) => {
  let known = sizes.get(random);
  if (known === undefined) sizes.set(random, (known = { n: random.int(1, 9), k: random.int(1, 11) }));
  return known;
};

testPass(import.meta.url, fuseLinearQcsnw(), {
  soil: {
    'fuse-linear-qcsnw/weight-only': {
      value: (name, random) => {
        const { n, k } = sizesOf(random);
        if (name === 'weight') return { type: tensorType(random.chance(0.9) ? 'i8' : 'u8', [n, k]), range: [-0, 7] };
        if (name === 'scales') return { type: tensorType('f32', [n]) };
        return { type: tensorType('f32', [...Array.from({ length: random.int(0, 3) }, () => random.int(1, 4)), k]) };
      },
      attrs: (op: AnyOp, random) => {
        if (op !== quant.Dequantize) return {};
        const [qmin, qmax] = random.pick([
          [-8, 7],
          [-128, 127],
          [-7, 7],
          [-127, 127],
        ] as const);
        return {
          granularity: 'axis',
          axis: random.pick([0, 0, 0, -2]),
          group_size: undefined,
          block_size: undefined,
          qmin,
          qmax,
          dtype: 'f32',
        };
      },
      free: (_, operand, edit, random, others) =>
        operand === 'bias' && random.chance(0.3) ? edit.addInput('bias', tensorType('f32', [others['weight']!.type.shape[0]!])) : undefined,
    },
  },
});
