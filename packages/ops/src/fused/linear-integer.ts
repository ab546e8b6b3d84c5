import {
  attr,
  type HostTensor,
  hostTensor,
  isFloat,
  optionalTensor,
  type ShapeEnv,
  storer,
  tensor,
  type TensorType,
  tensorType,
} from '@qfuse/ir';
import { defineOp } from '../define.js';
import { checkQparams, type Granularity, type GranularityAttrs } from '../quant/granularity.js';
import type { Fail } from '../shapes.js';
import { requantizer } from './requantize.js';
import {
  biasAt,
  checkInput,
  checkWeight,
  floats,
  optionalZeroPoints,
  q4csw,
  q4gsw,
  q8csw,
  q8gsw,
  weightedSums,
  weightOperands,
  type WeightScheme,
  type WeightTensors,
} from './weight-operands.js';

const codes = ['i8', 'u8'] as const;

const gridOf = (granularity: Granularity): GranularityAttrs => ({
  granularity,
  axis: undefined,
  group_size: undefined,
  block_size: undefined,
});

/** Scale and zero point of an input: one pair, or where `rows` allows it one for each row. */
function checkInputParameters(
  input: TensorType,
  parameters: Readonly<Record<'input_scale' | 'input_zero_point', TensorType | undefined>>,
  rows: boolean,
  env: ShapeEnv,
  fail: Fail,
): void {
  const single = ({ shape }: TensorType): boolean => shape.length === 0 || (shape.length === 1 && shape[0] === 1 && input.shape.length > 1);
  for (const [name, type] of Object.entries(parameters))
    if (type !== undefined) checkQparams(name, type, input.shape, gridOf(rows && !single(type) ? 'row' : 'tensor'), env, fail);
}

/** Operands of {@link integerSums}. */
interface IntegerTensors extends WeightTensors {
  readonly input: HostTensor;
  readonly input_scale: HostTensor;
  readonly input_zero_point?: HostTensor | undefined;
  readonly bias?: HostTensor | undefined;
}

/** Calls `emit(index, y)` for each element of the result, y in float64. */
function integerSums(operands: IntegerTensors, emit: (index: number, column: number, y: number) => void): void {
  const { input, weight, input_scale: scale, input_zero_point: zero, bias } = operands;
  const [n, k] = weight.shape as [number, number];
  const sums = weightedSums(operands);
  const rows = input.shape.slice(0, -1).reduce((a, b) => a * b, 1);
  const x = new Float64Array(k);
  const at = (t: HostTensor, row: number): number => Number(t.data[t.data.length === 1 ? 0 : row]);
  for (let row = 0; row < rows; row++) {
    const [s, z] = [at(scale, row), zero === undefined ? 0 : at(zero, row)];
    for (let i = 0; i < k; i++) x[i] = Number(input.data[row * k + i]) - z;
    sums(x, (c, y) => emit(row * n + c, c, y * s + biasAt(bias, c)));
  }
}

/**
 * Linear of integers with a float result:
 * `y[…, n] = input_scale · Σ_k (input[…, k] − input_zero_point) · (weight[n, k] − zero_points[n, g(k)]) · scales[n, g(k)] + bias[n]`.
 * Input 8-bit integers `[…, K]`; input scale and zero point `[]`, or (where `rows` says so) also `[…, 1]`, one pair a row; weight as in the
 * weight-only linears; result `[…, N]` of `dtype`. Sums of integers are exact; the result does not depend on the other rows.
 */
const linear = (name: string, summary: string, scheme: WeightScheme, rows: boolean) =>
  defineOp({
    name: `fused.${name}_${scheme.tag}`,
    summary: `linear with ${summary} 8-bit inputs and ${scheme.bits}-bit weights, one scale ${scheme.granularity === 'channel' ? 'an output channel' : 'a group'}`,
    operands: {
      input: tensor(...codes),
      input_scale: tensor('f32', 'f64', 'f16', 'bf16'),
      ...weightOperands(scheme),
      input_zero_point: optionalTensor(),
      bias: optionalTensor(...floats),
      zero_points: optionalZeroPoints,
    },
    attrs: { dtype: attr.optional(attr.dtype(), 'f32') },
    infer: ({ operands, attrs, env, fail }) => {
      const { input, weight } = operands;
      if (!isFloat(attrs.dtype)) fail(`dtype is ${attrs.dtype}, expected a float dtype`);
      checkWeight(operands, scheme, env, fail);
      checkInput(input, weight, env, fail);
      checkInputParameters(input, { input_scale: operands.input_scale, input_zero_point: operands.input_zero_point }, rows, env, fail);
      return [tensorType(attrs.dtype, [...input.shape.slice(0, -1), weight.shape[0]!])];
    },
    reference: ({ operands, results }) => {
      const out = hostTensor(results[0]!.dtype, results[0]!.shape);
      const store = storer(out.dtype);
      integerSums(operands, (i, _, y) => store(out.data, i, y));
      return [out];
    },
  });

const dynamic = (scheme: WeightScheme) => linear('linear_dq8ca', 'dynamically quantized', scheme, true);
const fixed = (scheme: WeightScheme) => linear('linear_q8ta', 'statically quantized', scheme, false);

/** {@link linear}: scale and zero point of the input are computed, one pair a row or one for all rows; 8-bit weights per channel. */
export const LinearDq8caQ8csw = dynamic(q8csw);
/** {@link LinearDq8caQ8csw} with 4-bit weights per channel. */
export const LinearDq8caQ4csw = dynamic(q4csw);
/** {@link LinearDq8caQ8csw} with 8-bit weights per group. */
export const LinearDq8caQ8gsw = dynamic(q8gsw);
/** {@link LinearDq8caQ8csw} with 4-bit weights per group. */
export const LinearDq8caQ4gsw = dynamic(q4gsw);

/** {@link linear}: scale and zero point of the input are constants for the whole tensor; 8-bit weights per channel. */
export const LinearQ8taQ8csw = fixed(q8csw);
/** {@link LinearQ8taQ8csw} with 4-bit weights per channel. */
export const LinearQ8taQ4csw = fixed(q4csw);
/** {@link LinearQ8taQ8csw} with 8-bit weights per group. */
export const LinearQ8taQ8gsw = fixed(q8gsw);
/** {@link LinearQ8taQ8csw} with 4-bit weights per group. */
export const LinearQ8taQ4gsw = fixed(q4gsw);

/**
 * Linear of integers with an integer result: `q = clamp(round(y / output_scale) + output_zero_point, qmin, qmax)`, ties to even, where y is the
 * result of {@link LinearQ8taQ8csw} in float64. An activation that clamps (relu, relu6, hardtanh) is the bounds `qmin` and `qmax`:
 * quantizing is monotone, so clamping after it is the same. Weight `[N, K]` of 8 or 4 bits with one scale an output channel.
 */
export const Q8taLinear = defineOp({
  name: 'fused.q8ta_linear',
  summary: 'linear of statically quantized 8-bit inputs that quantizes its result',
  operands: {
    input: tensor(...codes),
    input_scale: tensor('f32', 'f64', 'f16', 'bf16'),
    weight: tensor('i8', 'i4'),
    scales: tensor('f32', 'f64', 'f16', 'bf16'),
    output_scale: tensor('f32', 'f64', 'f16', 'bf16'),
    input_zero_point: optionalTensor(),
    output_zero_point: optionalTensor(),
    bias: optionalTensor(...floats),
    zero_points: optionalZeroPoints,
  },
  attrs: { qmin: attr.int(), qmax: attr.int(), dtype: attr.optional(attr.dtype(), 'i8') },
  infer: ({ operands, attrs, env, fail }) => {
    const { input, weight, output_scale: scale, output_zero_point: zero } = operands;
    if (attrs.dtype !== 'i8' && attrs.dtype !== 'u8') fail(`dtype is ${attrs.dtype}, expected i8 or u8`);
    if (attrs.qmin > attrs.qmax) fail(`qmin ${attrs.qmin} is above qmax ${attrs.qmax}`);
    checkWeight(operands, q8csw, env, fail);
    checkInput(input, weight, env, fail);
    checkInputParameters(input, { input_scale: operands.input_scale, input_zero_point: operands.input_zero_point }, false, env, fail);
    const result = tensorType(attrs.dtype, [...input.shape.slice(0, -1), weight.shape[0]!]);
    for (const [name, type] of Object.entries({ output_scale: scale, output_zero_point: zero }))
      if (type !== undefined) checkQparams(name, type, result.shape, gridOf('tensor'), env, fail);
    return [result];
  },
  reference: ({ operands, attrs, results }) => {
    const out = hostTensor(results[0]!.dtype, results[0]!.shape);
    const store = storer(out.dtype);
    const quantize = requantizer(operands.output_scale, operands.output_zero_point, attrs);
    integerSums(operands, (i, _, y) => store(out.data, i, quantize(y)));
    return [out];
  },
});
