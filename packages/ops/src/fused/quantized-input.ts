import {
  type Constant,
  decodeElements,
  type Dim,
  encodeElements,
  integerRange,
  isInteger,
  newElements,
  type Node,
  numel,
  type ShapeEnv,
  tensorType,
  type Value,
} from '@qfuse/ir';
import { View } from '../aten/reshape.js';
import { ChooseQparams } from '../quant/choose-qparams.js';
import { middleOf } from '../quant/choose-qparams-steps.js';
import type { Dequantize } from '../quant/quantize.js';
import { DynamicQuantize } from './dynamic-quantize.js';
import { exactIntegers, FARTHEST_ZERO } from './quantized-weight.js';

/** An activation of 8-bit integers behind `quant.dequantize`, as the fused ops read it. */
export interface QuantizedInput {
  /** The integers, i8 or u8. */
  readonly input: Value;
  /** One scale, or one a row: in a shape that goes with the integers, without views that only arrange it otherwise. */
  readonly scale: Value;
  /** In a shape that goes with the integers; undefined when it is known to be 0. */
  readonly zeroPoint: Value | undefined;
  readonly granularity: 'tensor' | 'row';
}

/** What {@link quantizedInput} found. */
export type InputVerdict = { readonly ok: true; readonly activation: QuantizedInput } | { readonly ok: false; readonly why: string };

const refuse = (why: string): InputVerdict => ({ ok: false, why });

/**
 * Reads a `quant.dequantize` as the activation of a fused op: 8-bit integers on one grid for the whole tensor or on one a row. Scale and
 * zero point may be computed. Nothing is changed.
 * @returns the reason, when it is none: `what is, what was expected`
 */
export function quantizedInput(dq: Node<typeof Dequantize>, env: ShapeEnv): InputVerdict {
  const input = dq.operand('input');
  const { dtype, shape } = input.type;
  const { granularity } = dq.attrs;
  if (dtype !== 'i8' && dtype !== 'u8') return refuse(`the activation is ${dtype}, expected i8 or u8`);
  if (granularity !== 'tensor' && granularity !== 'row')
    return refuse(`the activation has scales of granularity "${granularity}", expected one for the whole tensor or one a row`);
  const zero = dq.operandOrNone('zero_point');
  const range = zero === undefined ? ([0, 0] as const) : zeroPointRange(zero);
  if (range === undefined) return refuse(`the activation's zero point is ${zero!.type.dtype}, expected integers`);
  const odd = zero?.constant === undefined ? undefined : range.find((z) => !(Math.abs(z) <= FARTHEST_ZERO));
  if (odd !== undefined) return refuse(`the activation has the zero point ${odd}, expected an integer within ±${FARTHEST_ZERO}`);
  const rounded = roundedOtherwise(dq, range);
  if (rounded !== undefined) return refuse(rounded);
  const fits = (v: Value): boolean => isOneEach(v.type.shape, shape, granularity, env);
  for (const [name, v] of [
    ['scale', dq.operand('scale')],
    ['zero point', zero],
  ] as const)
    if (v !== undefined && !fits(v)) return refuse(`the activation's ${name} is not known to be one ${each[granularity]}`);
  const zeroPoint = zero === undefined || (range[0] === 0 && range[1] === 0) ? undefined : barest(zero, fits);
  return { ok: true, activation: { input, scale: barest(dq.operand('scale'), fits), zeroPoint, granularity } };
}

const each = { tensor: 'for the whole tensor', row: 'a row' } as const;

/** Whether the integers of a dequantize lie on one grid that is known at compile time. */
export function isStaticInput(dq: Node<typeof Dequantize>): boolean {
  const parameters = [dq.operand('scale'), dq.operandOrNone('zero_point')];
  return dq.attrs.granularity === 'tensor' && parameters.every((v) => v === undefined || v.constant?.resolved === true);
}

/** Whether parameters of a shape are known to be one for the tensor, or one a row with or without the trailing 1. */
function isOneEach(own: readonly Dim[], shape: readonly Dim[], granularity: 'tensor' | 'row', env: ShapeEnv): boolean {
  if (granularity === 'tensor') return own.length === 0 || (own.length === 1 && own[0] === 1);
  const rows = shape.slice(0, -1);
  const bare = own.length === shape.length && own.at(-1) === 1 ? own.slice(0, -1) : own;
  return bare.length === rows.length && bare.every((d, i) => env.equal(d, rows[i]!) === 'yes');
}

/** The value behind as many views as `fits` allows: a kernel need not wait for a view of what it may read directly. */
function barest(value: Value, fits: (v: Value) => boolean): Value {
  for (let v = value; v.producer?.op === View;) {
    v = (v.producer as Node<typeof View>).operand('self');
    if (fits(v)) value = v;
  }
  return value;
}

/** The value that views arrange. */
export function behindViews(value: Value): Value {
  while (value.producer?.op === View) value = (value.producer as Node<typeof View>).operand('self');
  return value;
}

const elements = ({ type, bytes }: { readonly type: Constant['type']; readonly bytes: Uint8Array }): readonly number[] =>
  Array.from(decodeElements(type.dtype, bytes, numel(type) as number) as ArrayLike<number | bigint>, Number);

/**
 * Smallest and largest value that zero points may have, which are whole numbers; undefined when they may be others. Known are
 * constants, what `quant.choose_qparams` chose, and what the dtype holds.
 */
export function zeroPointRange(zero: Value): readonly [number, number] | undefined {
  const { dtype } = zero.type;
  if (zero.constant?.resolved === true) {
    const all = elements({ type: zero.constant.type, bytes: zero.constant.bytes() });
    return all.every(Number.isInteger) ? [Math.min(...all), Math.max(...all)] : undefined;
  }
  const source = behindViews(zero);
  const node = source.producer;
  if ((node?.op === ChooseQparams && source === node.results[1]) || (node?.op === DynamicQuantize && source === node.results[2])) {
    const { attrs } = node as Node<typeof ChooseQparams>;
    return attrs.mapping === 'asymmetric' ? [attrs.qmin, attrs.qmax] : [middleOf(attrs), middleOf(attrs)];
  }
  return isInteger(dtype) ? (integerRange(dtype).map(Number) as [number, number]) : undefined;
}

/** Why `(q − z) · s` is more than exact differences times scales in f32, rounded once to the result's dtype. */
function roundedOtherwise(dq: Node<typeof Dequantize>, [low, high]: readonly [number, number]): string | undefined {
  const { compute, difference, dtype } = dq.attrs;
  const scale = dq.operand('scale').type.dtype;
  // Products of 16-bit scales and integers of 8 bits are exact in f32: computing in that dtype only rounds the result to it.
  const once = compute === 'f32' || compute === 'f64' || (compute === dtype && (dtype === 'f16' || dtype === 'bf16') && scale === dtype);
  if (!once) return `the activation is dequantized in ${compute}, expected f32: its numbers are rounded otherwise`;
  if (difference === undefined) return undefined;
  const [qmin, qmax] = integerRange(dq.operand('input').type.dtype).map(Number) as [number, number];
  const largest = Math.max(high - qmin, qmax - low, -low, high);
  return largest > exactIntegers[difference]!
    ? `the activation's zero point is subtracted in ${difference}, expected exact differences: they may reach ${largest}`
    : undefined;
}

/** A parameter of the whole tensor that is known at compile time, as a constant `[]` of `dtype`; the data are converted. */
export function singleConstant(constant: Constant, dtype: 'f32' | 'i32'): Constant {
  const type = tensorType(dtype, []);
  return constant.type === type
    ? constant
    : constant.derive(`one ${dtype}`, type, (bytes) => {
        const out = newElements(dtype, 1);
        out[0] = elements({ type: constant.type, bytes })[0]!;
        return encodeElements(dtype, out);
      });
}
