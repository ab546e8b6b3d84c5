import { fused } from '@qfuse/ops';
import { type AnyOp, countOf, isFloat, isStatic, type Node, no, type Verdict, yes } from '@qfuse/plugin';
import { type Cost, defineKernel, type Dispatch, type ErrorBound, type Sizes, type WebGPUKernel } from '../kernel.js';
import { floatConstant } from '../packing.js';
import type { WebGPUTarget } from '../target.js';
import { packedLinear } from '../wgsl/packed-linear.js';
import type { PackedLinear } from '../wgsl/packed-weights.js';
import { packedTable, tableBytes, tableFits } from './packed-table.js';

/**
 * Weight-only linears, `fused.linear_qcs8w`, `qcs4w`, `q8gsw` and `q4gsw`: `y[…, n] = Σ_k x[…, k] · (weight[n, k] − zero_points[n, g(k)]) ·
 * scales[n, g(k)] + bias[n]`, any group size. The weight is packed once (see `packing.ts`) for all kernels; one that is larger than a
 * binding is split by rows.
 *
 * The differences of integers are exact. Each term then meets at most K + 4 roundings, whatever the order of the sum: one of its
 * product, K − 1 of additions, one each for the scale as f32, the product with it, the sum of groups, the bias. So with
 * u = 2^-24: |y − y64| ≤ (K + 4) · u · (Σ|x · w| + |bias|), plus what an implementation may flush to zero below 2^-126 in
 * each of these steps. Sums of x times integers must stay below 2^128. With the target's accuracy `f16` it is the bound of
 * `packed-halves.ts` instead.
 */
const error: ErrorBound = { absolute: 2 ** -100, relative: 4 * 2 ** -24, perTerm: 2 ** -24, sums: true };

const shapeOf = (node: Node): readonly [n: number, k: number] => node.operand('weight').type.shape as readonly [number, number];

function supports(node: Node, bits: 4 | 8, target: WebGPUTarget): Verdict {
  const x = node.operand('input').type;
  if (x.dtype !== 'f32') return no(`the input is ${x.dtype}, expected f32`);
  const bias = node.operandOrNone('bias');
  if (bias !== undefined && bias.type.dtype !== 'f32' && (bias.constant === undefined || !isFloat(bias.type.dtype)))
    return no(`the bias is ${bias.type.dtype}, expected f32`);
  const fits = tableFits(node, bits, target);
  return fits.ok ? yes : fits;
}

const emit = (node: Node, bits: 4 | 8, target: WebGPUTarget): readonly Dispatch[] =>
  packedLayers(node, bits, target).flatMap((layer) => packedLinear(layer, target));

/** The layer that a node stands for, in parts where its weight is larger than a binding. */
export function packedLayers(node: Node, bits: 4 | 8, target: WebGPUTarget): readonly PackedLinear[] {
  const table = packedTable(node, bits, target);
  const input = node.operand('input');
  const bias = node.operandOrNone('bias');
  const lead = input.type.shape.slice(0, -1);
  const rows = (sizes: Sizes): number => lead.reduce((m: number, d) => m * sizes.dim(d), 1);
  return table.shards.map(({ from, to, weight, scales, zeros }) => ({
    format: table.format,
    k: table.k,
    n: to - from,
    first: from,
    columns: table.n,
    groups: table.groups,
    x: input,
    w: weight,
    scales,
    zeros,
    largestZero: table.largestZero,
    bias: bias?.constant === undefined ? bias : floatConstant(bias.constant),
    y: node.results[0]!,
    rows,
    staticRows: isStatic(lead) ? countOf(lead) : undefined,
  }));
}

function cost(node: Node, bits: 4 | 8, sizes: Sizes): Cost {
  const [n, k] = shapeOf(node);
  const input = node.operand('input').type.shape;
  const m = input.slice(0, -1).reduce((rows: number, d) => rows * sizes.dim(d), 1);
  const bias = node.operandOrNone('bias') === undefined ? 0 : n;
  return { bytes: tableBytes(node, bits) + 4 * (m * k + m * n + bias), operations: 2 * m * n * k };
}

const define = (op: AnyOp, bits: 4 | 8): WebGPUKernel =>
  defineKernel({
    name: `packed-linear/${op.name}`,
    op,
    packs: ['weight', 'scales', 'zero_points', 'bias'],
    error,
    supports: (node, target) => supports(node, bits, target),
    emit: (node, target) => emit(node, bits, target),
    cost: (node, sizes) => cost(node, bits, sizes),
  });

/** The kernels of this family. */
export const weightOnlyLinearKernels: readonly WebGPUKernel[] = [
  define(fused.LinearQcs8w, 8),
  define(fused.LinearQcs4w, 4),
  define(fused.LinearQ8gsw, 8),
  define(fused.LinearQ4gsw, 4),
];
