import { type Constant, countOf, type Node, no, type Verdict, yes } from '@qfuse/plugin';
import {
  cellsAlong,
  groupsOf,
  largestZero,
  packedFormat,
  packedGroups,
  packScales,
  packWeight,
  packZeroPoints,
  zeroPointsFit,
  type PackedFormat,
} from '../packing.js';
import type { WebGPUTarget } from '../target.js';

/**
 * A constant weight of integers [N, K] with its scales, as fused ops have it in their operands `weight`, `scales` and
 * `zero_points`: what linears and embeddings share, so that a tied table is packed and uploaded once for all.
 */
export interface PackedTable {
  readonly format: PackedFormat;
  readonly n: number;
  readonly k: number;
  readonly groups: number;
  /** The largest magnitude of a zero point; 0 without any. */
  readonly largestZero: number;
  /** Parts of whole rows that fit into a binding each. */
  readonly shards: readonly TableShard[];
}

/** Rows `from` to `to`, packed. */
interface TableShard {
  readonly from: number;
  readonly to: number;
  readonly weight: Constant;
  readonly scales: Constant;
  readonly zeros: Constant | undefined;
}

/** Shards begin at multiples of this many rows, the width of the widest tile. */
const SHARD_ROWS = 64;

const shapeOf = (node: Node): readonly [n: number, k: number] => node.operand('weight').type.shape as readonly [number, number];

/** Rows that one binding holds of the weight, and of the scales. */
function rowsPerShard(bits: 4 | 8, k: number, groups: number, { limits }: WebGPUTarget): number {
  const bytesPerRow = Math.max(1, cellsAlong(packedFormat(bits), k)) * 16;
  const largest = Math.max(bytesPerRow, packedGroups(k, groups) * 4);
  return Math.floor(limits.maxStorageBufferBindingSize / largest / SHARD_ROWS) * SHARD_ROWS;
}

/** Whether the weight of a node can be packed for `target`. */
export function tableFits(node: Node, bits: 4 | 8, target: WebGPUTarget): Verdict {
  const [weight, scales, zeros] = [node.operand('weight').constant, node.operand('scales').constant, node.operandOrNone('zero_points')];
  if (weight === undefined) return no('the weight is computed, expected a constant that can be packed');
  if (scales === undefined) return no('the scales are computed, expected a constant');
  if (zeros !== undefined && zeros.constant === undefined) return no('the zero points are computed, expected a constant');
  const [, k] = shapeOf(node);
  if (rowsPerShard(bits, k, groupsOf(scales), target) === 0)
    return no(`${SHARD_ROWS} rows of ${k} weights are beyond the binding limit of ${target.limits.maxStorageBufferBindingSize} bytes`);
  return zeros?.constant === undefined ? yes : zeroPointsFit(zeros.constant);
}

/** The weight of a node for which {@link tableFits} says yes. Equal weights give the same constants. */
export function packedTable(node: Node, bits: 4 | 8, target: WebGPUTarget): PackedTable {
  const [n, k] = shapeOf(node);
  const [weight, scales, zeros] = [
    node.operand('weight').constant!,
    node.operand('scales').constant!,
    node.operandOrNone('zero_points')?.constant,
  ];
  const groups = groupsOf(scales);
  const format = packedFormat(bits);
  const rows = rowsPerShard(bits, k, groups, target);
  const shards = Array.from({ length: Math.ceil(n / rows) }, (_, i): TableShard => {
    const [from, to] = [i * rows, Math.min(n, (i + 1) * rows)];
    return {
      from,
      to,
      weight: packWeight(weight, format, from, to),
      scales: packScales(scales, k, from, to),
      zeros: zeros === undefined ? undefined : packZeroPoints(zeros, k, from, to),
    };
  });
  return { format, n, k, groups, shards, largestZero: zeros === undefined ? 0 : Math.abs(largestZero(zeros)) };
}

/** Bytes of `rows` rows with their scales and zero points, without padding; of all rows when not given. */
export function tableBytes(node: Node, bits: 4 | 8, rows = shapeOf(node)[0]): number {
  const [, k] = shapeOf(node);
  const perRow = countOf(node.operand('scales').type.shape.slice(1) as readonly number[]);
  return (rows * k * bits) / 8 + 4 * rows * perRow * (node.operandOrNone('zero_points') === undefined ? 1 : 2);
}
