import { attr, countOf, type Dim, optionalTensor, type ShapeEnv, tensor, type TensorType, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Fail, shapeText } from '../shapes.js';
import { checkParameters, fromNumbers, inverseRoots, momentsOf, normalized } from './support/moments.js';

const floats = ['f32', 'f64', 'f16', 'bf16'] as const;
const operands = { input: tensor(...floats), weight: optionalTensor(...floats), bias: optionalTensor(...floats) };

/** Checks that `normalized` are the last dims of the input; returns the dims before them. */
function leadOf(input: TensorType, normalizedShape: readonly Dim[], env: ShapeEnv, fail: Fail): readonly Dim[] {
  const rank = normalizedShape.length;
  const last = input.shape.slice(input.shape.length - rank);
  if (rank === 0) fail('normalized_shape is empty, expected at least one dim');
  if (rank > input.shape.length || last.some((d, i) => env.equal(d, normalizedShape[i]!) === 'no'))
    fail(`input has shape ${shapeText(input.shape)}, expected it to end in normalized_shape ${shapeText(normalizedShape)}`);
  return input.shape.slice(0, -rank);
}

/**
 * `y = (x - mean) · rstd · weight + bias`, `rstd = 1 / sqrt(variance + eps)`, mean and biased variance over the last
 * axes, those of `normalized_shape`. Weight and bias have that shape. Results: `y`, `mean`, `rstd`; the latter two have
 * size 1 on the normalized axes.
 */
export const NativeLayerNorm = defineOp({
  name: 'aten.native_layer_norm',
  summary: 'normalization over the last axes, with its statistics',
  operands,
  attrs: { normalized_shape: attr.dims(), eps: attr.float() },
  infer: ({ operands: { input, weight, bias }, attrs, env, fail }) => {
    const lead = leadOf(input, attrs.normalized_shape, env, fail);
    checkParameters(input, attrs.normalized_shape, { weight, bias }, env, fail);
    const statistics = tensorType(input.dtype, [...lead, ...attrs.normalized_shape.map(() => 1)]);
    return [tensorType(input.dtype, input.shape), statistics, statistics];
  },
  reference: ({ operands: { input, weight, bias }, attrs, results }) => {
    const inner = countOf(attrs.normalized_shape);
    const grouping = { outer: 1, groups: countOf(results[1]!.shape), inner };
    const { mean, variance } = momentsOf(input.data, grouping);
    const rstd = inverseRoots(variance, attrs.eps);
    const y = normalized(input, grouping, mean, rstd, { weight, bias, index: (i) => i % inner });
    return [y, fromNumbers(results[1]!, mean), fromNumbers(results[2]!, rstd)];
  },
});

/** The first result of {@link NativeLayerNorm}. */
export const LayerNorm = defineOp({
  name: 'aten.layer_norm',
  summary: 'normalization over the last axes',
  operands,
  attrs: { normalized_shape: attr.dims(), eps: attr.optional(attr.float(), 1e-5) },
  infer: ({ operands: { input, weight, bias }, attrs, env, fail }) => {
    leadOf(input, attrs.normalized_shape, env, fail);
    checkParameters(input, attrs.normalized_shape, { weight, bias }, env, fail);
    return [tensorType(input.dtype, input.shape)];
  },
  decompose: ({ operands: o, attrs, builder }) => [builder.create(NativeLayerNorm, o, attrs).results[0]!],
});

/**
 * `y = x / sqrt(mean(x²) + eps) · weight`, the mean over the last axes, those of `normalized_shape`. Without `eps` it is
 * the machine epsilon of f64 for f64 and of f32 for the others. Weight has that shape; the result has the input's dtype.
 */
export const RmsNorm = defineOp({
  name: 'aten.rms_norm',
  summary: 'division by the root mean square over the last axes',
  operands: { input: tensor(...floats), weight: optionalTensor(...floats) },
  attrs: { normalized_shape: attr.dims(), eps: attr.optional(attr.float()) },
  infer: ({ operands: { input, weight }, attrs, env, fail }) => {
    leadOf(input, attrs.normalized_shape, env, fail);
    const { shape } = weight ?? { shape: attrs.normalized_shape };
    if (shape.length !== attrs.normalized_shape.length || shape.some((d, i) => env.equal(d, attrs.normalized_shape[i]!) === 'no'))
      fail(`weight has shape ${shapeText(shape)}, expected ${shapeText(attrs.normalized_shape)}`);
    return [tensorType(input.dtype, input.shape)];
  },
  reference: ({ operands: { input, weight }, attrs }) => {
    const inner = countOf(attrs.normalized_shape);
    const groups = inner === 0 ? 0 : input.data.length / inner;
    const squares = new Float64Array(groups);
    for (let i = 0; i < input.data.length; i++) squares[Math.floor(i / inner)]! += (input.data[i] as number) ** 2 / inner;
    const scale = inverseRoots(squares, attrs.eps ?? (input.dtype === 'f64' ? 2 ** -52 : 2 ** -23));
    return [
      normalized(input, { outer: 1, groups, inner }, new Float64Array(groups), scale, { weight, bias: undefined, index: (i) => i % inner }),
    ];
  },
});
