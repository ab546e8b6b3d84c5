import {
  type HostTensor,
  type Node,
  QfuseError,
  type Scalar,
  scalarNumber,
  tensorFrom,
  tensorOf,
  type Value,
  type Verdict,
} from '@qfuse/ir';
import { Clamp, ClampMax, ClampMaxTensor, ClampMin, ClampMinTensor, ClampTensor } from '../aten/clamp.js';
import { Hardtanh, Relu, Relu6 } from '../aten/rectifiers.js';
import { Dequantize, Quantize } from '../quant/quantize.js';
import { isStaticInput } from './quantized-input.js';

type Bounds = readonly [low: number, high: number];

const number = (s: Scalar | undefined, absent: number): number => (s === undefined ? absent : Math.fround(scalarNumber(s)));

/** The single number of a bound; NaN when it is not known at compile time or not single. */
function single(value: Value | undefined, absent: number): number {
  if (value === undefined) return absent;
  const data = value.constant?.resolved === true ? tensorFrom(value.constant).data : [];
  return data.length === 1 ? Math.fround(Number(data[0])) : Number.NaN;
}

/** How each op that is nothing but `min(max(x, low), high)` states its bounds. */
const boundsOf = new Map<Node['op'], (node: Node<any>) => Bounds>([
  [Relu, () => [0, Infinity]],
  [Relu6, () => [0, 6]],
  [Hardtanh, ({ attrs }: Node<typeof Hardtanh>) => [number(attrs.min_val, -1), number(attrs.max_val, 1)]],
  [Clamp, ({ attrs }: Node<typeof Clamp>) => [number(attrs.min, -Infinity), number(attrs.max, Infinity)]],
  [ClampMin, ({ attrs }: Node<typeof ClampMin>) => [number(attrs.min, -Infinity), Infinity]],
  [ClampMax, ({ attrs }: Node<typeof ClampMax>) => [-Infinity, number(attrs.max, Infinity)]],
  [ClampTensor, (n: Node<typeof ClampTensor>) => [single(n.operandOrNone('min'), -Infinity), single(n.operandOrNone('max'), Infinity)]],
  [ClampMinTensor, (n: Node<typeof ClampMinTensor>) => [single(n.operand('min'), -Infinity), Infinity]],
  [ClampMaxTensor, (n: Node<typeof ClampMaxTensor>) => [-Infinity, single(n.operand('max'), Infinity)]],
]);

/** Activations that only limit x to a range, in every spelling; each takes x as `self`. */
export const clampOps: readonly Node['op'][] = Object.freeze([...boundsOf.keys()]);

/** Whether a node of {@link clampOps} limits an f32 to a range `[low, high]` that is known, in place. */
export function limitsRange(node: Node): Verdict {
  const { type } = node.operands[0]!;
  if (type.dtype !== 'f32' || node.result.type !== type)
    return { ok: false, why: `${node.op.name} makes ${node.result.type.dtype} of ${type.dtype}, expected f32 in the same shape` };
  const [low, high] = boundsOf.get(node.op)!(node);
  if (Number.isNaN(low) || Number.isNaN(high)) return { ok: false, why: `${node.op.name} has a bound that is not one constant number` };
  return low <= high ? { ok: true } : { ok: false, why: `${node.op.name} has the bounds ${low} and ${high}, expected the lower one first` };
}

/** The range that clamps leave, the innermost first: each limits the bounds of those before it as it limits any number. */
function rangeAfter(clamps: readonly Node[]): Bounds {
  let [low, high]: Bounds = [-Infinity, Infinity];
  for (const node of clamps) {
    const [a, b] = boundsOf.get(node.op)!(node);
    [low, high] = [low, high].map((x) => Math.min(Math.max(x, a), b)) as unknown as [number, number];
  }
  return [low, high];
}

/** Bounds of integers, or why there are none. */
export type BoundsVerdict =
  | { readonly ok: true; readonly qmin: number; readonly qmax: number }
  | { readonly ok: false; readonly why: string };

const refuse = (why: string): BoundsVerdict => ({ ok: false, why });

/**
 * The bounds of the integers that `quantize` makes of numbers that went through `clamps` (nodes of {@link clampOps} for which
 * {@link limitsRange} holds, the innermost first), so that the clamps need not be computed:
 * `Q(clamp(x, low, high)) = clamp(Q(x), Q(low), Q(high))`, as Q is monotone, rounding and all, for a positive scale.
 * @returns the reason, when scale or zero point are not known or Q is not monotone: `what is, what was expected`
 */
export function clampedBounds(quantize: Node<typeof Quantize>, clamps: readonly Node[]): BoundsVerdict {
  const { attrs } = quantize;
  const [scale, zero] = [quantize.operand('scale'), quantize.operandOrNone('zero_point')];
  if (attrs.granularity !== 'tensor')
    return refuse(`the result has scales of granularity "${attrs.granularity}", expected one for the whole tensor`);
  for (const [what, v] of [
    ['scale', scale],
    ['zero point', zero],
  ] as const)
    if (v !== undefined && v.constant?.resolved !== true) return refuse(`the ${what} of the result is not constant`);
  const s = Number(tensorFrom(scale.constant!).data[0]);
  const inverse = Math.fround(1 / s);
  if (!(inverse > 0 && inverse < Infinity))
    return refuse(`the scale of the result is ${s}, expected a positive number with a finite reciprocal`);
  const z = zero === undefined ? 0 : Number(tensorFrom(zero.constant!).data[0]);
  if (!Number.isInteger(z)) return refuse(`the zero point of the result is ${z}, expected an integer`);
  const [qmin, qmax] = onGrid(Quantize, quantize, tensorOf('f32', [2], rangeAfter(clamps))) as [number, number];
  return { ok: true, qmin, qmax };
}

/** Quantizes or dequantizes numbers as a node with constant parameters does. */
function onGrid(op: typeof Quantize | typeof Dequantize, node: Node<typeof Quantize | typeof Dequantize>, input: HostTensor): number[] {
  const zero = node.operandOrNone('zero_point');
  const [out] = op.reference!({
    operands: { input, scale: tensorFrom(node.operand('scale').constant!), zero_point: zero && tensorFrom(zero.constant!) },
    attrs: node.attrs as never,
    results: [{ dtype: node.attrs.dtype, shape: input.shape }],
    fail: (why) => {
      throw new QfuseError('ops/value', `${op.name}: ${why}`);
    },
  });
  return Array.from(out!.data, Number);
}

/**
 * The bounds of integers that `quantize(clamps(dequantize(q)))` is a clamp of, for integers q of 8 bits in `[low, high]`. All of them are tried.
 * @returns the reason, when they come back as others or {@link clampedBounds} has one
 */
export function clampedAgain(
  dequantize: Node<typeof Dequantize>,
  clamps: readonly Node[],
  quantize: Node<typeof Quantize>,
  [low, high]: Bounds,
): BoundsVerdict {
  const { dtype } = dequantize.operand('input').type;
  if (quantize.attrs.dtype !== dtype) return refuse(`the integers are ${dtype} and become ${quantize.attrs.dtype}`);
  const bounds = clampedBounds(quantize, clamps);
  if (!bounds.ok) return bounds;
  if (!isStaticInput(dequantize)) return refuse('the integers are dequantized with parameters that are not constant');
  const all = Array.from({ length: high - low + 1 }, (_, i) => low + i);
  const between = onGrid(Dequantize, dequantize, tensorOf(dtype, [all.length], all));
  const [a, b] = rangeAfter(clamps);
  const limited = tensorOf(
    'f32',
    [all.length],
    between.map((x) => Math.min(Math.max(x, a), b)),
  );
  const after = onGrid(Quantize, quantize, limited);
  const { qmin, qmax } = bounds;
  const other = all.findIndex((q, i) => after[i] !== Math.min(Math.max(q, qmin), qmax));
  return other < 0 ? bounds : refuse(`the integer ${all[other]} becomes ${after[other]}: it is quantized to another grid`);
}
