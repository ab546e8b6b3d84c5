import { type Builder, type Node, type ShapeEnv, tensorType, type Value, type Verdict } from '@qfuse/ir';
import type { Linear } from '../aten/linear.js';
import { View } from '../aten/reshape.js';
import type { Dequantize } from '../quant/quantize.js';
import { type QuantizedInput, quantizedInput } from './quantized-input.js';
import { type QuantizedWeight, quantizedWeight, readAsWeight } from './quantized-weight.js';
import { biasInside, sameDtype } from './weight-only-linear.js';
import { floats } from './weight-operands.js';

/** A linear of integers: what its two dequantized operands are made of. */
export interface IntegerLinear {
  readonly activation: QuantizedInput;
  readonly weight: QuantizedWeight;
}

/** What {@link integerLinear} found. */
export type IntegerLinearVerdict = ({ readonly ok: true } & IntegerLinear) | { readonly ok: false; readonly why: string };

/** The nodes of a linear whose operands are dequantized. */
export interface IntegerLinearNodes {
  readonly linear: Node<typeof Linear>;
  readonly activation: Node<typeof Dequantize>;
  /** That of the weight. */
  readonly dequantize: Node<typeof Dequantize>;
  /** Views between the activation and the linear, outermost first. */
  readonly views: readonly Node[];
}

/**
 * Reads `aten.linear` of a dequantized activation and a dequantized constant weight as a linear of integers.
 * @returns the reason, when it is none: `what is, what was expected`
 */
export function integerLinear({ linear, activation: x, dequantize: w, views }: IntegerLinearNodes, env: ShapeEnv): IntegerLinearVerdict {
  const activation = quantizedInput(x, env);
  if (!activation.ok) return activation;
  const weight = quantizedWeight(w);
  if (!weight.ok) return weight;
  const { granularity } = activation.activation;
  const { dtype, shape } = linear.operand('input').type;
  const checks: readonly (Verdict | string | undefined)[] = [
    granularity === 'row' && views.length > 0 ? 'a view arranges the elements of rows otherwise, which have a scale each' : undefined,
    (floats as readonly string[]).includes(dtype) ? undefined : `the linear computes in ${dtype}, expected ${floats.join(', ')}`,
    env.equal(shape.at(-1)!, weight.weight.weight.type.shape[1]!) === 'yes'
      ? undefined
      : 'the last dim of the activation is not known to be that of the weight',
    sameDtype(linear, w),
    readAsWeight(w),
    biasInside(linear),
  ];
  for (const check of checks) {
    if (typeof check === 'string') return { ok: false, why: check };
    if (check?.ok === false) return check;
  }
  return { ok: true, activation: activation.activation, weight: weight.weight };
}

/** `value` with the shape that the outermost of `views` gives, which come outermost first. */
export function viewedAs(value: Value, [outermost]: readonly Node[], b: Builder): Value {
  if (outermost === undefined) return value;
  const { shape } = outermost.result.type;
  const types = [tensorType(value.type.dtype, shape)];
  return b.create(View, { self: value }, { size: shape }, { types }).result;
}
