import {
  type AnyOp,
  type Constant,
  integerRange,
  isInteger,
  type Node,
  no,
  tensorType,
  type Value,
  type Verdict,
  yes,
} from '@qfuse/plugin';
import { fused, quant } from '@qfuse/ops';
import { integerFactor, numbersOf } from '../integer-packing.js';
import { floatConstant, groupsOf } from '../packing.js';
import type { IntegerLinear, RowParameter } from '../wgsl/integer-weights.js';

/** Smallest and largest integer that something may be; undefined when nothing is known. */
type Range = readonly [low: number, high: number] | undefined;

/** Zero points beyond this are not surely exact in what their range is not known for. */
const WIDE_FROM = 255;
const LARGEST_I32 = 2 ** 31 - 1;

/** The integers of a linear of integers, and how large they may become. */
export interface IntegerSizes {
  /** See {@link IntegerLinear}. */
  readonly wide: boolean;
  readonly largest: number;
}

/** What unsigned codes are moved by to become signed ones; so are their zero points. */
const codeShift = (x: Value): 0 | 128 => (x.type.dtype === 'u8' ? 128 : 0);

/** The range of the input's zero point, as its own dtype has it. */
function zeroRange(zero: Value | undefined): Range {
  if (zero === undefined) return [0, 0];
  if (zero.constant !== undefined) {
    const values = numbersOf(zero.constant);
    return [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
  }
  const chosen = chosenRange(zero);
  if (chosen !== undefined) return chosen;
  const { dtype } = zero.type;
  return ['i8', 'u8', 'i4', 'u4'].includes(dtype) ? (integerRange(dtype).map(Number) as [number, number]) : undefined;
}

/** The range of a zero point that was chosen from a tensor; a missing one is 0. */
function chosenRange(zero: Value): Range {
  let value = zero;
  while (value.producer?.op.view === true) value = value.producer.operands[0]!;
  const node = value.producer;
  const result = new Map<AnyOp, number>([
    [quant.ChooseQparams, 1],
    [fused.DynamicQuantize, 2],
  ]).get(node?.op as AnyOp);
  if (node === undefined || result === undefined || value !== node.results[result]) return undefined;
  const { mapping, qmin, qmax, zero_point: given } = (node as Node<typeof quant.ChooseQparams>).attrs;
  const middle = given ?? Math.trunc((qmax + qmin + 1) / 2);
  return mapping === 'asymmetric' ? [Math.min(qmin, 0), Math.max(qmax, 0)] : [middle, middle];
}

/**
 * How large the integers of a node become. Sums wrap around in i32, so only what is left at the end must fit: D itself, and Σ x · w with
 * the weight's zero points taken out, with |x| <= 128 as signed codes, both as many times as large as dot products give them.
 */
export function integerSizes(node: Node, bits: 4 | 8): IntegerSizes | string {
  const x = node.operand('input');
  const scales = node.operand('scales').constant!;
  const zeros = node.operandOrNone('zero_points')?.constant;
  const [, k] = node.operand('weight').type.shape as readonly [number, number];
  const size = k / groupsOf(scales);
  const half = 2 ** (bits - 1);
  const farthest = zeros === undefined ? 0 : numbersOf(zeros).reduce((most, z) => Math.max(most, Math.abs(z)), 0);
  const weight = half + farthest;
  const known = zeroRange(node.operandOrNone('input_zero_point'));
  const shift = codeShift(x);
  const reach = known === undefined ? Infinity : Math.max(known[1] - shift + 128, 127 - known[0] + shift);
  const each = weight * integerFactor(bits);
  const exact = reach * each * size <= LARGEST_I32;
  const surely = Math.max(128, Math.min(reach, WIDE_FROM + 128));
  const largest = (exact ? reach : surely) * each * size;
  const most = Math.floor(LARGEST_I32 / (surely * each));
  return size > most
    ? `${size} weights share a scale: their integer sums may be beyond 32 bits, expected at most ${most} (weights and their zero points are up to ${weight})`
    : { wide: !exact, largest };
}

/** Whether scale and zero point of the input can be read. */
export function inputFits(node: Node): Verdict {
  const [scale, zero] = [node.operand('input_scale'), node.operandOrNone('input_zero_point')];
  if (scale.constant === undefined && scale.type.dtype !== 'f32')
    return no(`the input's scale is computed in ${scale.type.dtype}, expected f32`);
  if (zero === undefined) return yes;
  if (zero.constant !== undefined) {
    const odd = numbersOf(zero.constant).find((z) => !Number.isInteger(z) || Math.abs(z) > LARGEST_I32 - 128);
    return odd === undefined ? yes : no(`the input's zero point is ${odd}, expected an integer of 32 bits`);
  }
  return isInteger(zero.type.dtype) || chosenRange(zero) !== undefined
    ? yes
    : no(`the input's zero point is computed in ${zero.type.dtype}, expected integers`);
}

/** Whether a parameter has one number for all rows. */
function isSingle({ type }: Value): boolean {
  return type.shape.every((d) => d === 1);
}

/** Scale and zero point of the input as kernels take them. */
export function inputParameters(node: Node): Pick<IntegerLinear, 'inputScale' | 'inputZero'> {
  const [scale, zero] = [node.operand('input_scale'), node.operandOrNone('input_zero_point')];
  const shift = codeShift(node.operand('input'));
  const of = (v: Value, packed: (c: Constant) => Constant, single: (x: number) => number): RowParameter => {
    if (v.constant !== undefined && isSingle(v)) return { value: single(numbersOf(v.constant)[0]!) };
    return { from: v.constant === undefined ? v : packed(v.constant), perRow: !isSingle(v) };
  };
  const inputZero = zero === undefined ? { value: -shift } : of(zero, integers, (z) => z - shift);
  return {
    inputScale: of(scale, floatConstant, Math.fround),
    inputZero: 'value' in inputZero && inputZero.value === 0 ? undefined : inputZero,
  };
}

const integers = (constant: Constant): Constant => {
  const values = Int32Array.from(numbersOf(constant));
  return constant.derive('i32', tensorType('i32', [values.length]), () => new Uint8Array(values.buffer));
};
