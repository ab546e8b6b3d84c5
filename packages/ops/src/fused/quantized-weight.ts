import {
  type Builder,
  type Constant,
  decodeElements,
  type DType,
  encodeElements,
  integerRange,
  newElements,
  type Node,
  numel,
  tensorType,
  type Value,
  type Verdict,
} from '@qfuse/ir';
import { Embedding } from '../aten/embedding.js';
import { Linear } from '../aten/linear.js';
import type { Dequantize } from '../quant/quantize.js';
import { type Grid, gridOf, onGrid, sameZeros } from './weight-grid.js';

/** A constant weight `[N, K]` behind `quant.dequantize`, as the fused ops read it. */
export interface QuantizedWeight {
  /** The width that the declared range needs; the data do not matter. */
  readonly bits: 4 | 8;
  readonly granularity: 'channel' | 'group';
  /** Consecutive weights that share a scale; K per channel. */
  readonly groupSize: number;
  /** Signed integers `[N, K]`, i8 or i4, however wide they were stored. */
  readonly weight: Constant;
  /** Scales `[N]` or `[N, K / groupSize]` in f32. */
  readonly scales: Constant;
  /** Zero points in the shape of the scales as i32; undefined when all are 0. */
  readonly zeroPoints: Constant | undefined;
}

/** What {@link quantizedWeight} found. */
export type WeightVerdict = { readonly ok: true; readonly weight: QuantizedWeight } | { readonly ok: false; readonly why: string };

const refuse = (why: string): WeightVerdict => ({ ok: false, why });

/** How integers become signed ones: the width they need and what is subtracted from integers and zero points. */
interface Recoding {
  readonly bits: 4 | 8;
  readonly offset: 0 | 8 | 128;
}

/** The smallest signed width that holds the declared range, unsigned ranges moved by half of theirs. */
function recodingOf(qmin: number, qmax: number): Recoding | undefined {
  if (qmin >= -8 && qmax <= 7) return { bits: 4, offset: 0 };
  if (qmin >= 0 && qmax <= 15) return { bits: 4, offset: 8 };
  if (qmin >= -128 && qmax <= 127) return { bits: 8, offset: 0 };
  return qmin >= 0 && qmax <= 255 ? { bits: 8, offset: 128 } : undefined;
}

/** Zero points beyond this are no grid that integers of 8 bits use; differences stay exact far below 2^24. */
export const FARTHEST_ZERO = 2 ** 15;

const numbers = (constant: Constant): readonly number[] =>
  Array.from(decodeElements(constant.type.dtype, constant.bytes(), numel(constant.type) as number) as ArrayLike<number | bigint>, Number);

/**
 * Reads a `quant.dequantize` of a constant matrix `[N, K]` as the weight of a fused op: per tensor, per output channel (axis 0), per
 * group along K or per block; signed or unsigned; symmetric or with zero points. Nothing is changed; the constants are derived once and kept.
 * @param rounds - the reader itself rounds products to the dtype `compute`, as embeddings do; others need them rounded once, to the result
 * @returns the reason, when it is none: `what is, what was expected`
 */
export function quantizedWeight(dq: Node<typeof Dequantize>, rounds = false): WeightVerdict {
  const source = dq.operand('input').constant;
  if (source === undefined) return refuse('the weight is not constant');
  const { shape } = source.type;
  if (shape.length !== 2) return refuse(`the weight has rank ${shape.length}, expected 2`);
  const scales = dq.operand('scale').constant;
  if (scales === undefined) return refuse('the scales are not constant');
  const grid = gridOf(dq, shape as readonly [number, number]);
  if (!grid.ok) return grid;
  const { qmin, qmax } = dq.attrs;
  const recoding = recodingOf(qmin, qmax);
  if (recoding === undefined) return refuse(`the declared range [${qmin}, ${qmax}] does not fit 8 bits`);
  const zeroPoint = dq.operandOrNone('zero_point');
  if (zeroPoint !== undefined && zeroPoint.constant === undefined) return refuse('the zero points are not constant');
  if (zeroPoint?.constant?.resolved === false) return refuse('the data of the zero points are not there');
  const zeros = zeroPoint === undefined ? [0] : numbers(zeroPoint.constant!);
  const odd = zeros.find((z) => !Number.isInteger(z) || Math.abs(z) > FARTHEST_ZERO);
  if (odd !== undefined) return refuse(`the weight has the zero point ${odd}, expected an integer within ±${FARTHEST_ZERO}`);
  const rounded = roundedOtherwise(dq, zeros, rounds);
  if (rounded !== undefined) return refuse(rounded);
  const codes = signedCodes(source, recoding, qmin, qmax);
  if (typeof codes === 'string') return refuse(codes);
  const { bits, offset } = recoding;
  const { granularity, groupSize } = grid;
  return {
    ok: true,
    weight: {
      bits,
      granularity,
      groupSize,
      weight: codes,
      scales: onGrid(scales, grid, 'f32'),
      zeroPoints: zerosOnGrid(zeroPoint?.constant, zeros, offset, grid, scales),
    },
  };
}

/** Integers up to this are exact in a float dtype. */
export const exactIntegers: Partial<Record<DType, number>> = { bf16: 2 ** 8, f16: 2 ** 11, f32: 2 ** 24, f64: 2 ** 53 };

/** Why `(q − z) · s` is more than exact differences times scales in f32, rounded once to the result's dtype. */
function roundedOtherwise(dq: Node<typeof Dequantize>, zeros: readonly number[], rounds: boolean): string | undefined {
  const { compute, difference, dtype, qmin, qmax } = dq.attrs;
  // Products of 16-bit scales and integers of 8 bits are exact in f32: computing in that dtype only rounds the products to it.
  const narrowed = (compute === 'f16' || compute === 'bf16') && dq.operand('scale').type.dtype === compute;
  const once = compute === 'f32' || (narrowed && (rounds || compute === dtype));
  if (!once) return `the weight is dequantized in ${compute}, expected f32: its numbers are rounded otherwise`;
  const narrow = difference ?? 'f32';
  let largest = Math.max(-qmin, qmax);
  for (const z of zeros) largest = Math.max(largest, Math.abs(z), qmax - z, z - qmin);
  return largest > exactIntegers[narrow]!
    ? `the weight's zero points are subtracted in ${narrow}, expected exact differences: they reach ${largest}`
    : undefined;
}

function signedCodes(source: Constant, { bits, offset }: Recoding, qmin: number, qmax: number): Constant | string {
  const { dtype, shape } = source.type;
  const count = numel(source.type) as number;
  const codes = (bytes: Uint8Array): Int8Array => decodeElements(dtype, bytes, count) as Int8Array;
  const [low, high] = integerRange(dtype).map(Number) as [number, number];
  // Data are read only where their dtype could hold more than the declared range.
  if (qmin > low || qmax < high) {
    if (!source.resolved) return 'the data of the weight are not there';
    const outside = codes(source.bytes()).find((w) => w < qmin || w > qmax);
    if (outside !== undefined) return `the declared range is [${qmin}, ${qmax}], but the weight holds ${outside}`;
  }
  const target: DType = bits === 8 ? 'i8' : 'i4';
  if (dtype === target && offset === 0) return source;
  return source.derive(offset === 0 ? target : `${target} less ${offset}`, tensorType(target, shape), (bytes) => {
    const given = codes(bytes);
    const out = newElements(target, count);
    for (let i = 0; i < count; i++) out[i] = given[i]! - offset;
    return encodeElements(target, out);
  });
}

/** Zero points that belong to integers less `offset`; undefined when all are 0 then. */
function zerosOnGrid(
  source: Constant | undefined,
  zeros: readonly number[],
  offset: number,
  grid: Grid,
  scales: Constant,
): Constant | undefined {
  if (zeros.every((z) => z === offset)) return undefined;
  // Without zero points of its own an unsigned weight has the same one everywhere.
  return source === undefined ? sameZeros(scales, grid, -offset) : onGrid(source, grid, 'i32', offset);
}

/** Readers that take the weight as integers: linears and lookups. */
const consumers: readonly (readonly [op: Node['op'], operand: number])[] = [
  [Linear, 1],
  [Embedding, 0],
];

/** Whether only linears and embeddings read a dequantized weight; any other reader would keep a float copy of it alive. */
export function readAsWeight(dq: Node): Verdict {
  const other = dq.result
    .uses()
    .find(({ reader, index }) => !('op' in reader) || !consumers.some(([op, operand]) => reader.op === op && index === operand));
  if (other === undefined) return { ok: true };
  const reader = 'op' in other.reader ? other.reader.op.name : 'the graph return';
  return { ok: false, why: `the dequantized weight has ${dq.result.readers().length} readers, one of them is ${reader}` };
}

/** A weight as operands of a fused op. The names of new constants are made from that of the weight. */
export function weightValues(
  found: QuantizedWeight,
  dq: Node<typeof Dequantize>,
  b: Builder,
): { readonly weight: Value; readonly scales: Value; readonly zero_points: Value | undefined } {
  const [weight, scale, zeros] = [dq.operand('input'), dq.operand('scale'), dq.operandOrNone('zero_point')];
  const name = weight.name ?? 'weight';
  const as = (constant: Constant, given: Value | undefined, suffix: string): Value =>
    given?.constant === constant ? given : b.constant(constant, `${given?.name ?? name}.${suffix}`);
  return {
    weight: as(found.weight, weight, found.weight.type.dtype),
    scales: as(found.scales, scale, found.granularity),
    zero_points: found.zeroPoints === undefined ? undefined : as(found.zeroPoints, zeros, 'zero_points'),
  };
}
