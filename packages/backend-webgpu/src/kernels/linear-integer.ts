import { fused } from '@qfuse/ops';
import { type AnyOp, countOf, isFloat, isStatic, type Node, no, type Verdict, yes } from '@qfuse/plugin';
import { packGrids } from '../integer-packing.js';
import { type Cost, defineKernel, type ErrorBound, type Sizes, type WebGPUKernel } from '../kernel.js';
import { floatConstant } from '../packing.js';
import { hasIntegerDot, type WebGPUTarget } from '../target.js';
import { integerForms } from '../wgsl/integer-linear.js';
import type { IntegerLinear } from '../wgsl/integer-weights.js';
import type { Requantize } from '../wgsl/requantize.js';
import { inputFits, inputParameters, integerSizes } from './integer-operands.js';
import { packedTable, tableBytes, tableFits } from './packed-table.js';

/**
 * Linears of integers with a float result, `fused.linear_dq8ca_*` and `fused.linear_q8ta_*`:
 * `y[…, n] = input_scale · Σ_g scales[n, g] · Σ_{k in g} (input[…, k] − input_zero_point) · (weight[n, k] − zero_points[n, g]) + bias[n]`. Sums of integers are
 * exact; what follows is the same in every form, so a row's result depends on nothing but the row: not on the number of rows, and not on
 * whether the device has integer dot products. The weight is packed once for all kernels, see `packing.ts`.
 *
 * The error is that of `integer-sums.ts`: 2 · perChunk + 2 · chunks + 3 roundings, where chunks <= 32 and perChunk <= 1.5 · max(256, G / 32).
 */
const error: ErrorBound = { absolute: 2 ** -100, relative: 835 * 2 ** -24, perTerm: (3 / 32) * 2 ** -24, sums: true };

/** What all linears of integers need. */
export function integersFit(node: Node, bits: 4 | 8, target: WebGPUTarget): Verdict {
  const table = tableFits(node, bits, target);
  if (!table.ok) return table;
  const input = inputFits(node);
  if (!input.ok) return input;
  const bias = node.operandOrNone('bias');
  if (bias !== undefined && bias.type.dtype !== 'f32' && (bias.constant === undefined || !isFloat(bias.type.dtype)))
    return no(`the bias is ${bias.type.dtype}, expected f32`);
  const sizes = integerSizes(node, bits);
  return typeof sizes === 'string' ? no(sizes) : yes;
}

/** The layer for each shard of the weight. */
export function integerLayers(
  node: Node,
  bits: 4 | 8,
  target: WebGPUTarget,
  result: { readonly y: IntegerLinear['y']; readonly requantize?: Requantize },
): readonly IntegerLinear[] {
  const table = packedTable(node, bits, target);
  const input = node.operand('input');
  const [weight, scales, bias] = [node.operand('weight').constant!, node.operand('scales').constant!, node.operandOrNone('bias')];
  const zeros = node.operandOrNone('zero_points')?.constant;
  const parameters = inputParameters(node);
  const kinds = { sums: parameters.inputZero !== undefined, zeros: zeros !== undefined };
  const { wide, largest } = integerSizes(node, bits) as Exclude<ReturnType<typeof integerSizes>, string>;
  const lead = input.type.shape.slice(0, -1);
  return table.shards.map(({ from, to, weight: w }) => ({
    format: table.format,
    k: table.k,
    n: to - from,
    first: from,
    columns: table.n,
    groups: table.groups,
    x: input,
    w,
    kinds,
    grids: packGrids({ weight, scales, zeros }, bits, kinds, from, to),
    ...parameters,
    wide,
    largest,
    bias: bias?.constant === undefined ? bias : floatConstant(bias.constant),
    y: result.y,
    requantize: result.requantize,
    rows: (sizes: Sizes): number => lead.reduce((m: number, d) => m * sizes.dim(d), 1),
    staticRows: isStatic(lead) ? countOf(lead) : undefined,
    integerDot: hasIntegerDot(target),
  }));
}

/** Codes and weights once, floats of scales, bias and result. */
export function integerCost(node: Node, bits: 4 | 8, resultBytes: number, sizes: Sizes): Cost {
  const [n, k] = node.operand('weight').type.shape as readonly [number, number];
  const lead = node.operand('input').type.shape.slice(0, -1);
  const m = lead.reduce((rows: number, d) => rows * sizes.dim(d), 1);
  const bias = node.operandOrNone('bias') === undefined ? 0 : 4 * n;
  const parameters = [node.operand('input_scale'), node.operandOrNone('input_zero_point')];
  const perRow = parameters.reduce((sum, v) => sum + (v === undefined ? 0 : 4 * sizes.count(v)), 0);
  return { bytes: tableBytes(node, bits) + m * k + resultBytes * m * n + bias + perRow, operations: 2 * m * n * k };
}

const define = (op: AnyOp, bits: 4 | 8): WebGPUKernel =>
  defineKernel({
    name: `packed-linear/${op.name}`,
    op,
    packs: ['weight', 'scales', 'zero_points', 'bias', 'input_scale', 'input_zero_point'],
    error,
    supports: (node, target) => integersFit(node, bits, target),
    emit: (node, target) => integerLayers(node, bits, target, { y: node.results[0]! }).flatMap((layer) => integerForms(layer, target)),
    cost: (node, sizes) => integerCost(node, bits, 4, sizes),
  });

/** The kernels of this family. */
export const integerLinearKernels: readonly WebGPUKernel[] = [
  define(fused.LinearDq8caQ8csw, 8),
  define(fused.LinearDq8caQ4csw, 4),
  define(fused.LinearDq8caQ8gsw, 8),
  define(fused.LinearDq8caQ4gsw, 4),
  define(fused.LinearQ8taQ8csw, 8),
  define(fused.LinearQ8taQ4csw, 4),
  define(fused.LinearQ8taQ8gsw, 8),
  define(fused.LinearQ8taQ4gsw, 4),
];
