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

/** A constant weight `[N, K]` behind `quant.dequantize`, as the fused ops read it. */
export interface QuantizedWeight {
  /** The width that the declared range needs; the data do not matter. */
  readonly bits: 4 | 8;
  readonly granularity: 'channel' | 'group';
  /** Consecutive weights that share a scale; K per channel. */
  readonly groupSize: number;
  /** Signed integers `[N, K]`, i8 or i4. */
  readonly weight: Constant;
  /** Scales `[N]` or `[N, K / groupSize]`. */
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
const FARTHEST_ZERO = 2 ** 15;

const numbers = (constant: Constant): readonly number[] =>
  Array.from(decodeElements(constant.type.dtype, constant.bytes(), numel(constant.type) as number) as ArrayLike<number | bigint>, Number);

/**
 * Reads a `quant.dequantize` of a constant matrix `[N, K]` as the weight of a fused op: per tensor, per output channel (axis 0) or per
 * group along K; signed or unsigned; symmetric or with zero points. Nothing is changed; the constants are derived once and kept.
 * @returns the reason, when it is none: `what is, what was expected`
 */
export function quantizedWeight(dq: Node<typeof Dequantize>): WeightVerdict {
  const input = dq.operand('input');
  const source = input.constant;
  if (source === undefined) return refuse('the weight is not constant');
  const { shape } = source.type;
  if (shape.length !== 2) return refuse(`the weight has rank ${shape.length}, expected 2`);
  if (dq.attrs.compute !== 'f32')
    return refuse(`the weight is dequantized in ${dq.attrs.compute}, expected f32: its numbers are rounded otherwise`);
  if (dq.attrs.difference !== undefined)
    return refuse(`the weight's zero points are subtracted in ${dq.attrs.difference}, expected exact differences`);
  const grid = gridOf(dq, shape as readonly [number, number]);
  if (!grid.ok) return grid;
  const { qmin, qmax } = dq.attrs;
  const recoding = recodingOf(qmin, qmax);
  if (recoding === undefined) return refuse(`the declared range [${qmin}, ${qmax}] does not fit 8 bits`);
  const codes = signedCodes(source, recoding, qmin, qmax);
  if (typeof codes === 'string') return refuse(codes);
  const zeroPoint = dq.operandOrNone('zero_point');
  if (zeroPoint !== undefined && zeroPoint.constant === undefined) return refuse('the zero points are not constant');
  const zeroPoints = signedZeros(zeroPoint?.constant, recoding.offset, grid);
  if (typeof zeroPoints === 'string') return refuse(zeroPoints);
  const { granularity, groupSize } = grid;
  return { ok: true, weight: { bits: recoding.bits, granularity, groupSize, weight: codes, scales: fit(grid.scales, grid), zeroPoints } };
}

interface Grid extends Pick<QuantizedWeight, 'granularity' | 'groupSize'> {
  readonly ok: true;
  readonly scales: Constant;
  /** Shape that scales and zero points get. */
  readonly shape: readonly number[];
}

function gridOf(dq: Node<typeof Dequantize>, [n, k]: readonly [number, number]): Grid | { readonly ok: false; readonly why: string } {
  const { granularity, axis, group_size: size, block_size: block } = dq.attrs;
  const scales = dq.operand('scale').constant;
  if (scales === undefined) return { ok: false, why: 'the scales are not constant' };
  const channel: Grid = { ok: true, granularity: 'channel', groupSize: k, scales, shape: [n] };
  const group = (groupSize: number): Grid =>
    groupSize === k ? channel : { ok: true, granularity: 'group', groupSize, scales, shape: [n, k / groupSize] };
  const at = axis !== undefined && axis < 0 ? axis + 2 : axis;
  if (granularity === 'tensor' || granularity === 'row') return channel;
  if (granularity === 'axis')
    return at === 0 ? channel : { ok: false, why: `the scales lie along axis ${axis}, expected 0 (the output channels)` };
  if (granularity === 'group')
    return at === 1 ? group(size!) : { ok: false, why: `the groups lie along axis ${axis}, expected 1 (the input channels)` };
  const [rows, columns] = block as readonly [number, number];
  return rows === 1 ? group(columns) : { ok: false, why: `${rows} output channels share a scale, expected one scale a channel or group` };
}

/** The data in the grid's shape; one number becomes as many as there are. */
function fit(constant: Constant, { shape }: Pick<Grid, 'shape'>): Constant {
  const { dtype, shape: own } = constant.type;
  if (own.join() === shape.join()) return constant;
  const count = shape.reduce((a, b) => a * b, 1);
  return constant.derive(`as ${shape.join('×')}`, tensorType(dtype, shape), (bytes) =>
    numel(constant.type) === count
      ? bytes
      : encodeElements(dtype, newElements(dtype, count).fill(decodeElements(dtype, bytes, 1)[0] as never)),
  );
}

function signedCodes(source: Constant, { bits, offset }: Recoding, qmin: number, qmax: number): Constant | string {
  const { dtype, shape } = source.type;
  if (!['i8', 'i4', 'u8', 'u4'].includes(dtype)) return `the weight is ${dtype}, expected i8, u8, i4 or u4`;
  const count = numel(source.type) as number;
  const codes = (bytes: Uint8Array): Int8Array | Uint8Array => decodeElements(dtype, bytes, count) as Int8Array;
  const [low, high] = integerRange(dtype).map(Number) as [number, number];
  // Data are read only where their dtype could hold more than the declared range.
  const outside = qmin <= low && qmax >= high ? undefined : codes(source.bytes()).find((w) => w < qmin || w > qmax);
  if (outside !== undefined) return `the declared range is [${qmin}, ${qmax}], but the weight holds ${outside}`;
  const target: DType = bits === 8 ? 'i8' : 'i4';
  if (dtype === target && offset === 0) return source;
  return source.derive(offset === 0 ? target : `${target} less ${offset}`, tensorType(target, shape), (bytes) =>
    encodeElements(
      target,
      Int8Array.from(codes(bytes), (w) => w - offset),
    ),
  );
}

function signedZeros(source: Constant | undefined, offset: number, grid: Grid): Constant | undefined | string {
  const given = source === undefined ? [0] : numbers(source);
  const odd = given.find((z) => !Number.isInteger(z) || Math.abs(z) > FARTHEST_ZERO);
  if (odd !== undefined) return `the weight has the zero point ${odd}, expected an integer within ±${FARTHEST_ZERO}`;
  if (given.every((z) => z === offset)) return undefined;
  const count = grid.shape.reduce((a, b) => a * b, 1);
  const zeros = Int32Array.from({ length: count }, (_, i) => given[given.length === 1 ? 0 : i]! - offset);
  const type = tensorType('i32', grid.shape);
  // Without zero points of its own an unsigned weight has the same one everywhere.
  const from = source ?? grid.scales;
  return from.derive(`zero points less ${offset} as ${grid.shape.join('×')}`, type, () => new Uint8Array(zeros.buffer));
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
