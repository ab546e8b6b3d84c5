import { type AnyOp, type AttrRecord, hostTensor, type HostTensor, type TensorType } from '@qfuse/ir';
import { aten } from '@qfuse/ops';
import { Evaluator } from './run.js';

const { fround } = Math;

/** `a · b + c` of f32 numbers with one rounding. Exact but for results that are subnormal. */
export function fma32(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const rounded = fround(sum);
  // Rounding twice differs from rounding once only where f64 stopped at the middle of two f32 numbers.
  const other = 2 * sum - rounded;
  if (other === rounded || fround(other) !== other || !Number.isFinite(sum)) return rounded;
  const back = sum - product;
  const rest = product - (sum - back) + (c - back);
  if (rest === 0) return rounded;
  return rest > 0 === other > rounded ? other : rounded;
}

interface Rows {
  readonly data: Float32Array;
  readonly start: number;
}

/** `sum + Σ_k x[k] · w[k]`, one fused multiply-add after the other. */
function chain(x: Rows, w: Rows, from: number, to: number, sum: number): number {
  for (let k = from; k < to; k++) sum = fma32(x.data[x.start + k]!, w.data[w.start + k]!, sum);
  return sum;
}

/** As {@link chain} over every `step`-th product, each rounded before it is added. */
function steps(x: Rows, w: Rows, from: number, to: number, step: number, sum: number): number {
  for (let k = from; k < to; k += step) sum = fround(sum + fround(x.data[x.start + k]! * w.data[w.start + k]!));
  return sum;
}

/** Longest run of products that is summed before it is added to the others. */
const BLOCK = 192;

/** `bias + Σ_k x[k] · w[k]` in blocks: two equal ones where the second would be short. */
function blocked(x: Rows, w: Rows, count: number, bias: number): number {
  const block = count <= BLOCK ? count : count < 2 * BLOCK ? Math.floor(count / 2) : BLOCK;
  let sum = bias;
  for (let at = 0; at < count; at += block) sum = fround(sum + chain(x, w, at, Math.min(at + block, count), 0));
  return sum;
}

/** `Σ_k x[k] · w[k] + bias` in 4 or 8 lanes, which are added in pairs; the first `lead` products go into the first lane, the last ones that fill no lanes follow. */
function inLanes(x: Rows, w: Rows, count: number, lanes: 4 | 8, bias: number, lead: number): number {
  const whole = count - ((count - lead) % lanes);
  let sums = Array.from({ length: lanes }, (_, lane) =>
    steps(x, w, lead + lane, whole, lanes, lane === 0 ? steps(x, w, 0, lead, 1, 0) : 0),
  );
  while (sums.length > 1) sums = sums.slice(sums.length / 2).map((s, i) => fround(sums[i]! + s));
  return fround(steps(x, w, whole, count, 1, sums[0]!) + bias);
}

/** Rows that are computed together, and columns from which they are. */
const [TILE_ROWS, TILE_COLUMNS] = [4, 12];

/** Whether an element of a matrix product lies in a tile, not at the rim. */
const isTiled = (row: number, rows: number, columns: number): boolean => columns >= TILE_COLUMNS && row < rows - (rows % TILE_ROWS);

function linear(input: HostTensor, weight: HostTensor, bias: HostTensor | undefined, result: TensorType): HostTensor {
  const [columns, k] = weight.shape as [number, number];
  const out = hostTensor('f32', result.shape as readonly number[]);
  const [x, w, y] = [input.data, weight.data, out.data] as Float32Array[] as [Float32Array, Float32Array, Float32Array];
  const rows = columns === 0 ? 0 : y.length / columns;
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const [a, b] = [
        { data: x, start: row * k },
        { data: w, start: column * k },
      ];
      const start = bias === undefined ? 0 : (bias.data[column] as number);
      const lanes = column < columns - (columns % 4) ? 4 : 8;
      y[row * columns + column] = isTiled(row, rows, columns)
        ? blocked(a, b, k, start)
        : inLanes(a, b, k, lanes, start, rows === 1 ? Math.min(k, 4) : 0);
    }
  return out;
}

interface ConvAttrs {
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
}

/** Input channels that oneDNN's kernels for AVX2 take at a time. */
const CHANNELS = 8;

/** Elements from which torch gives a convolution of one image to oneDNN. */
const LARGE = 20480;

/** Whether torch computes a convolution with oneDNN, which starts from the bias, or as a matrix product, to which it adds the bias. */
function usesOneDnn({ shape }: HostTensor, weight: HostTensor, groups: number): boolean {
  const [out, perGroup, ...kernel] = weight.shape as [number, number, ...number[]];
  if (groups > 1 && perGroup > 1 && (perGroup % CHANNELS !== 0 || (out / groups) % CHANNELS !== 0)) return false;
  return groups > 1 || kernel.every((size) => size > 3) || shape[0]! > 1 || shape.reduce((a, b) => a * b, 1) > LARGE;
}

/** Attributes and shapes of an axis as those of two, the first of size 1. */
const plane = (sizes: readonly number[], first: number): readonly [number, number] =>
  sizes.length === 1 ? [first, sizes[0]!] : [sizes[0]!, sizes[1]!];

/** A convolution over one or two axes, output by output: products in the order in which torch sums them. */
function convolution(
  input: HostTensor,
  weight: HostTensor,
  bias: HostTensor | undefined,
  attrs: ConvAttrs,
  result: TensorType,
): HostTensor {
  const { groups } = attrs;
  const rank = input.shape.length - 2;
  const each = (a: readonly number[]): readonly number[] => (a.length < rank ? Array<number>(rank).fill(a[0]!) : a);
  const [stride, padding, dilation] = [plane(each(attrs.stride), 1), plane(each(attrs.padding), 0), plane(each(attrs.dilation), 1)];
  const [images, channels] = input.shape as [number, number];
  const [height, width] = plane(input.shape.slice(2), 1);
  const [outs, perGroup] = weight.shape as [number, number];
  const [kh, kw] = plane(weight.shape.slice(2), 1);
  const out = hostTensor('f32', result.shape as readonly number[]);
  const [oh, ow] = plane(out.shape.slice(2), 1);
  const first = usesOneDnn(input, weight, groups);
  const order = tapsOf(perGroup, kh, kw, first ? CHANNELS : 1);
  const [x, w, y] = [input.data, weight.data, out.data] as Float32Array[] as [Float32Array, Float32Array, Float32Array];
  const taps = { data: new Float32Array(order.length), start: 0 };
  const weights = { data: new Float32Array(order.length), start: 0 };
  for (let o = 0; o < outs; o++) {
    const base = Math.floor(o / (outs / groups)) * perGroup;
    const b = bias === undefined ? 0 : (bias.data[o] as number);
    const tiled = isTiled(o % (outs / groups), outs / groups, oh * ow);
    order.forEach(([c, r, s], i) => (weights.data[i] = w[((o * perGroup + c) * kh + r) * kw + s]!));
    for (let n = 0; n < images; n++)
      for (let p = 0; p < oh * ow; p++) {
        const [top, left] = [Math.floor(p / ow) * stride[0] - padding[0], (p % ow) * stride[1] - padding[1]];
        for (let i = 0; i < order.length; i++) {
          const [c, r, s] = order[i]!;
          const [row, column] = [top + r * dilation[0], left + s * dilation[1]];
          const inside = row >= 0 && row < height && column >= 0 && column < width;
          taps.data[i] = inside ? x[((n * channels + base + c) * height + row) * width + column]! : 0;
        }
        y[(n * outs + o) * oh * ow + p] = first
          ? chain(taps, weights, 0, order.length, b)
          : tiled
            ? blocked(taps, weights, order.length, b)
            : steps(taps, weights, 0, order.length, 1, b);
      }
  }
  return out;
}

/** Channel, row and column of each product: `block` channels at a time, of these row by row and column by column. */
function tapsOf(channels: number, kh: number, kw: number, block: number): readonly (readonly [number, number, number])[] {
  const taps: [number, number, number][] = [];
  for (let first = 0; first < channels; first += block)
    for (let r = 0; r < kh; r++)
      for (let s = 0; s < kw; s++) for (let c = first; c < Math.min(first + block, channels); c++) taps.push([c, r, s]);
  return taps;
}

/** Padding by name as numbers; undefined when the two ends of an axis differ. */
function paddingOf(attrs: AttrRecord, { shape }: HostTensor): readonly number[] | undefined {
  const { padding, dilation } = attrs as { readonly padding?: unknown; readonly dilation?: readonly number[] };
  if (typeof padding !== 'string') return padding as readonly number[];
  const both = shape.slice(2).map((k, i) => (padding === 'same' ? (k - 1) * (dilation![i] ?? dilation![0]!) : 0));
  return both.every((p) => p % 2 === 0) ? both.map((p) => p / 2) : undefined;
}

const named: ReadonlySet<AnyOp> = new Set([aten.Conv1dPadding, aten.Conv2dPadding]);

/**
 * Sums the products of linears and of convolutions over one or two axes in f32, in the order in which PyTorch's CPU kernels do on processors with AVX2
 * (MKL and oneDNN, several threads), so that what a program computes mostly equals what PyTorch computes to the last bit: calibration then finds the same
 * scales. Everything else is evaluated from its definition. Orders that depend on how memory is aligned are not followed.
 */
export class Float32Evaluator extends Evaluator {
  override evaluate(
    op: AnyOp,
    slots: readonly (HostTensor | undefined)[],
    attrs: AttrRecord,
    types: readonly TensorType[],
  ): readonly HostTensor[] {
    const [input, weight, bias] = slots;
    if (input !== undefined && weight !== undefined && slots.every((s) => s === undefined || s.dtype === 'f32')) {
      if (op === aten.Linear && weight.shape.length === 2 && (bias === undefined || bias.shape.length === 1))
        return [linear(input, weight, bias, types[0]!)];
      const forward = (op === aten.Convolution && attrs['transposed'] === false) || named.has(op);
      const padding = forward && (weight.shape.length === 3 || weight.shape.length === 4) ? paddingOf(attrs, weight) : undefined;
      if (padding !== undefined && input.shape.length === weight.shape.length)
        return [convolution(input, weight, bias, { ...(attrs as unknown as ConvAttrs), padding }, types[0]!)];
    }
    return super.evaluate(op, slots, attrs, types);
  }
}
