import { fused } from '@qfuse/ops';
import { type AnyOp, type Node, no, nodeAttrs, type Verdict } from '@qfuse/plugin';
import { type Cost, defineKernel, type Dispatch, type KernelSample, type SampleTensor, type Sizes, type WebGPUKernel } from '../kernel.js';
import type { WebGPUTarget } from '../target.js';
import { packedLookup, type Rounded } from '../wgsl/packed-lookup.js';
import { packedTable, tableBytes, tableFits } from './packed-table.js';
import { fixed, indices, sample } from './samples.js';

/**
 * `fused.embedding_q8csw`, `q4csw`, `q8gsw` and `q4gsw`: rows of a table of integers, scaled. The table is packed as the weight of a linear,
 * so a table that is tied to a linear is one constant; one that is larger than a binding is split by rows, and every part
 * writes what it holds. An index that is no row reads NaN, a negative one as well. The result is rounded once, and once
 * more where a scale is no f32.
 */
function supports(node: Node, bits: 4 | 8, target: WebGPUTarget): Verdict {
  const fits = tableFits(node, bits, target);
  if (!fits.ok) return fits;
  const compute = roundingOf(node);
  if (!['f32', 'f16', 'bf16'].includes(compute)) return no(`products are rounded to ${compute}, expected f32, f16 or bf16`);
  const [rows] = node.operand('weight').type.shape;
  return rows === 0 && !node.result.type.shape.includes(0) ? no('the table is empty') : fits;
}

const roundingOf = (node: Node): Rounded => nodeAttrs(node)['compute'] as Rounded;

function emit(node: Node, bits: 4 | 8, target: WebGPUTarget): readonly Dispatch[] {
  const { format, n: rows, k, groups, shards } = packedTable(node, bits, target);
  return shards.map(({ from, to, weight, scales, zeros }) =>
    packedLookup({
      format,
      k,
      groups,
      n: to - from,
      first: from,
      rows,
      w: weight,
      scales,
      zeros,
      indices: node.operand('indices'),
      y: node.result,
      round: roundingOf(node),
    }),
  );
}

function cost(node: Node, bits: 4 | 8, sizes: Sizes): Cost {
  const count = sizes.count(node.operand('indices'));
  const results = sizes.count(node.result);
  return { bytes: tableBytes(node, bits, count) + 4 * (count + results), operations: results };
}

/** Tables of odd widths, groups of all kinds, and indices beyond the table. */
const samplesFor = (bits: 4 | 8, grouped: boolean): readonly KernelSample[] => {
  const table = (shape: readonly number[]): SampleTensor => fixed(sample(bits === 8 ? 'i8' : 'i4', shape));
  const grid = (shape: readonly number[]): SampleTensor => fixed(sample('f32', shape));
  const zeros = (shape: readonly number[]): SampleTensor => fixed(sample('i32', shape));
  const wide = grouped ? [20, 2] : [20];
  return [
    { operands: { weight: table([20, 64]), scales: grid(wide), indices: indices([3, 2], 20) } },
    { operands: { weight: table([20, 36]), scales: grid(wide), zero_points: zeros(wide), indices: indices([5], 20) } },
    { operands: { weight: table([9, 30]), scales: grid(grouped ? [9, 6] : [9]), indices: sample('i32', [4], [8, 0, 3]) } },
    {
      operands: {
        weight: table([9, 8]),
        scales: grid(grouped ? [9, 2] : [9]),
        zero_points: zeros(grouped ? [9, 2] : [9]),
        indices: indices([], 9),
      },
    },
    { operands: { weight: table([9, 5]), scales: fixed(sample('f64', grouped ? [9, 5] : [9])), indices: indices([2, 2], 9) } },
    { operands: { weight: table([9, 5]), scales: grid(grouped ? [9, 1] : [9]), indices: sample('i64', [0, 2]) } },
    ...(['f16', 'bf16'] as const).map((compute) => ({
      operands: { weight: table([20, 36]), scales: fixed(sample(compute, wide)), indices: indices([5], 20) },
      attrs: { compute },
    })),
  ];
};

const define = (op: AnyOp, bits: 4 | 8, grouped: boolean): WebGPUKernel =>
  defineKernel({
    name: `packed-embedding/${op.name}`,
    op,
    packs: ['weight', 'scales', 'zero_points'],
    samples: samplesFor(bits, grouped),
    supports: (node, target) => supports(node, bits, target),
    emit: (node, target) => emit(node, bits, target),
    cost: (node, sizes) => cost(node, bits, sizes),
  });

/** The kernels of this family. */
export const packedEmbeddingKernels: readonly WebGPUKernel[] = [
  define(fused.EmbeddingQ8csw, 8, false),
  define(fused.EmbeddingQ4csw, 4, false),
  define(fused.EmbeddingQ8gsw, 8, true),
  define(fused.EmbeddingQ4gsw, 4, true),
];
