import type { Node, Verdict } from '@qfuse/ir';
import type { Linear } from '../aten/linear.js';
import { Dequantize } from '../quant/quantize.js';
import { type QuantizedWeight, quantizedWeight, readAsWeight, type WeightVerdict } from './quantized-weight.js';
import { floats } from './weight-operands.js';

/**
 * Reads `aten.linear` whose weight is `quant.dequantize` of a constant as a weight-only linear with one scale a channel or one a group.
 * @returns the weight, or the reason why it is none: `what is, what was expected`
 */
export function weightOnlyLinear(
  linear: Node<typeof Linear>,
  dq: Node<typeof Dequantize>,
  granularity: QuantizedWeight['granularity'],
): WeightVerdict {
  const found = quantizedWeight(dq);
  if (!found.ok) return found;
  if (found.weight.granularity !== granularity) return { ok: false, why: otherGranularity(found.weight) };
  if (linear.operand('input').producer?.op === Dequantize)
    return { ok: false, why: 'the activation is quantized: this is not a weight-only linear' };
  for (const verdict of [readAsWeight(dq), floatActivation(linear), sameDtype(linear, dq), biasInside(linear)])
    if (!verdict.ok) return verdict;
  return found;
}

const otherGranularity = ({ granularity, groupSize }: QuantizedWeight): string =>
  granularity === 'group'
    ? `the weight has one scale for every ${groupSize} elements of a channel, expected one an output channel`
    : 'the weight has one scale an output channel, expected one for each of several groups of a channel';

/** Whether the activation has a dtype that fused weight-only ops compute in. */
function floatActivation(linear: Node<typeof Linear>): Verdict {
  const { dtype } = linear.operand('input').type;
  return (floats as readonly string[]).includes(dtype)
    ? { ok: true }
    : { ok: false, why: `the activation is ${dtype}, expected ${floats.join(', ')}` };
}

/** Whether a weight is dequantized to the dtype of the activation. */
export function sameDtype(linear: Node<typeof Linear>, dq: Node<typeof Dequantize>): Verdict {
  const { dtype } = linear.operand('input').type;
  return dq.attrs.dtype === dtype
    ? { ok: true }
    : { ok: false, why: `the weight is dequantized to ${dq.attrs.dtype}, the activation is ${dtype}` };
}

/** Whether the bias of a linear, if there is one, can go into a fused op: a constant with one element an output channel. */
export function biasInside(linear: Node<typeof Linear>): Verdict {
  const bias = linear.operandOrNone('bias');
  if (bias === undefined) return { ok: true };
  if (bias.constant === undefined) return { ok: false, why: 'the bias is computed, expected a constant' };
  const { shape } = bias.type;
  return shape.length === 1 && shape[0] === linear.operand('weight').type.shape[0]
    ? { ok: true }
    : { ok: false, why: 'the bias has not one element an output channel' };
}
