import { fused } from '@qfuse/ops';
import { countOf, isStatic, type Node, no, type Verdict, yes } from '@qfuse/plugin';
import { type Binding, type Cost, defineKernel, type Dispatch, type ErrorBound, type Sizes, type WebGPUKernel } from '../kernel.js';
import { cellsAlong, floatConstant, packedFormat, packWeight } from '../packing.js';
import type { WebGPUTarget } from '../target.js';
import { bindValue } from '../wgsl/elements.js';
import { packedLinear } from '../wgsl/packed-linear.js';

/**
 * `fused.linear_qcs8w` and `fused.linear_qcs4w`: `y[…, n] = scales[n] · Σ_k x[…, k] · weight[n, k] + bias[n]`. The
 * weight is packed once (see `packing.ts`) for all kernels; one that is larger than a binding is split by rows.
 */
const bound: ErrorBound = { absolute: 1e-6, relative: 2 ** -16, sums: true };

/** Shards begin at multiples of this many rows, the width of the widest tile. */
const SHARD_ROWS = 64;

const shapeOf = (node: Node): readonly [n: number, k: number] => node.operand('weight').type.shape as readonly [number, number];

/** Rows of the weight that one binding holds. */
function rowsPerShard(bits: 4 | 8, k: number, target: WebGPUTarget): number {
  const bytesPerRow = Math.max(1, cellsAlong(packedFormat(bits), k)) * 16;
  return Math.floor(target.limits.maxStorageBufferBindingSize / bytesPerRow / SHARD_ROWS) * SHARD_ROWS;
}

function supports(node: Node, bits: 4 | 8, target: WebGPUTarget): Verdict {
  if (node.operand('weight').constant === undefined) return no('the weight is computed, expected a constant that can be packed');
  if (node.operand('scales').constant === undefined) return no('the scales are computed, expected a constant');
  if (node.operandOrNone('zero_points') !== undefined) return no('weights with zero points are not supported');
  const x = node.operand('input').type;
  if (x.dtype !== 'f32') return no(`the input is ${x.dtype}, expected f32`);
  const bias = node.operandOrNone('bias');
  if (bias !== undefined && bias.type.dtype !== 'f32') return no(`the bias is ${bias.type.dtype}, expected f32`);
  const [, k] = shapeOf(node);
  return rowsPerShard(bits, k, target) === 0
    ? no(`${SHARD_ROWS} rows of ${k} weights are beyond the binding limit of ${target.limits.maxStorageBufferBindingSize} bytes`)
    : yes;
}

function emit(node: Node, bits: 4 | 8, target: WebGPUTarget): readonly Dispatch[] {
  const [n, k] = shapeOf(node);
  const input = node.operand('input');
  const output = node.results[0]!;
  const bias = node.operandOrNone('bias');
  const lead = input.type.shape.slice(0, -1);
  const shard = rowsPerShard(bits, k, target);
  const format = packedFormat(bits);
  return Array.from({ length: Math.ceil(n / shard) }, (_, i) => {
    const [from, to] = [i * shard, Math.min(n, (i + 1) * shard)];
    const weight = packWeight(node.operand('weight').constant!, format, from, to);
    const bindings: Binding[] = [
      { ...bindValue('x', input), type: k % 4 === 0 ? 'array<vec4<f32>>' : 'array<f32>' },
      { name: 'w', type: 'array<vec4<u32>>', access: 'read', from: weight },
      { name: 'scales', type: 'array<f32>', access: 'read', from: floatConstant(node.operand('scales').constant!) },
      ...(bias === undefined ? [] : [bindValue('bias', bias)]),
      bindValue('y', output, 'read_write'),
    ];
    const rows = (sizes: Sizes): number => lead.reduce((m: number, d) => m * sizes.dim(d), 1);
    return packedLinear(
      {
        format,
        k,
        n: to - from,
        first: from,
        columns: n,
        bindings,
        bias: bias !== undefined,
        rows,
        staticRows: isStatic(lead) ? countOf(lead) : undefined,
      },
      target,
    );
  }).flat();
}

function cost(node: Node, bits: 4 | 8, sizes: Sizes): Cost {
  const [n, k] = shapeOf(node);
  const m = k === 0 ? 0 : sizes.count(node.operand('input')) / k;
  return { bytes: (n * k * bits) / 8 + 4 * (m * k + m * n + 2 * n), operations: 2 * m * n * k };
}

const define = (bits: 4 | 8): WebGPUKernel =>
  defineKernel({
    name: `packed-linear/fused.linear_qcs${bits}w`,
    op: bits === 8 ? fused.LinearQcs8w : fused.LinearQcs4w,
    packs: ['weight', 'scales'],
    error: bound,
    supports: (node, target) => supports(node, bits, target),
    emit: (node, target) => emit(node, bits, target),
    cost: (node, sizes) => cost(node, bits, sizes),
  });

export const linearQcsKernels: readonly WebGPUKernel[] = [define(8), define(4)];
