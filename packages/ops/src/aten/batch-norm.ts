import {
  attr,
  countOf,
  type Dim,
  floatScalar,
  type HostTensor,
  numel,
  optionalTensor,
  type ShapeEnv,
  tensor,
  type TensorType,
  tensorType,
} from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Fail, shapeText } from '../shapes.js';
import { Full } from './fills.js';
import { checkParameters, fromNumbers, inverseRoots, type Moments, momentsOf, normalized } from './support/moments.js';
import { asResult, batchStatistics, givenStatistics, normalizedChannels } from './support/normalizing.js';

const floats = ['f32', 'f64', 'f16', 'bf16'] as const;
const input = tensor(...floats);
const parameter = optionalTensor(...floats);
const statistics = tensor(...floats);

/** Checks the `[C]` parameters of a batch norm over input `[N, C, …]` and returns `C`. */
function channelsOf(x: TensorType, parameters: Readonly<Record<string, TensorType | undefined>>, env: ShapeEnv, fail: Fail): Dim {
  const channels = x.shape.length < 2 ? fail(`input has shape ${shapeText(x.shape)}, expected at least 2 axes`) : x.shape[1]!;
  checkParameters(x, [channels], parameters, env, fail);
  return channels;
}

const groupingOf = (x: HostTensor) => ({ outer: x.shape[0]!, groups: x.shape[1]!, inner: countOf(x.shape.slice(2)) });
const numbersOf = (t: HostTensor): Float64Array => Float64Array.from(t.data as Float32Array);

function apply(
  x: HostTensor,
  mean: Float64Array,
  scale: Float64Array,
  weight: HostTensor | undefined,
  bias: HostTensor | undefined,
): HostTensor {
  const grouping = groupingOf(x);
  return normalized(x, grouping, mean, scale, { weight, bias, index: (i) => Math.floor(i / grouping.inner) % grouping.groups });
}

/**
 * `y = (x - mean) / sqrt(variance + eps) · weight + bias` per channel; with `training` the statistics are those of the
 * batch, else the running ones. Input `[N, C, …]`, the others `[C]`. Running statistics are not updated.
 */
export const BatchNorm = defineOp({
  name: 'aten.batch_norm',
  summary: 'normalization of each channel over the batch',
  operands: { input, weight: parameter, bias: parameter, running_mean: parameter, running_var: parameter },
  attrs: { training: attr.bool(), momentum: attr.float(), eps: attr.float() },
  infer: ({ operands: { input: x, weight, bias, running_mean, running_var }, attrs, env, fail }) => {
    // As in torch, an empty tensor needs no channel axis.
    if (env.equal(numel(x), 0) === 'yes') return [tensorType(x.dtype, x.shape)];
    channelsOf(x, { weight, bias, running_mean, running_var }, env, fail);
    if (!attrs.training && (running_mean === undefined || running_var === undefined))
      fail('training is false, expected running_mean and running_var');
    return [tensorType(x.dtype, x.shape)];
  },
  reference: ({ operands: { input: x, weight, bias, running_mean, running_var }, attrs }) => {
    if (x.data.length === 0) return [x];
    const { mean, variance }: Moments = attrs.training
      ? momentsOf(x.data, groupingOf(x))
      : { mean: numbersOf(running_mean!), variance: numbersOf(running_var!) };
    return [apply(x, mean, inverseRoots(variance, attrs.eps), weight, bias)];
  },
  decompose: ({ operands: o, attrs: { training, eps }, results, env, builder: b }) =>
    env.equal(numel(o.input.type), 0) === 'yes'
      ? [o.input]
      : [
          normalizedChannels(
            o,
            training ? batchStatistics(o.input, eps, b) : givenStatistics(o.input, o.running_mean!, o.running_var!, eps, b),
            results[0]!,
            b,
          ),
        ],
});

/** {@link BatchNorm} with running statistics, and two empty tensors: what it becomes in Core ATen. */
export const NativeBatchNormLegitNoTraining = defineOp({
  name: 'aten._native_batch_norm_legit_no_training',
  summary: 'normalization of each channel with given statistics',
  operands: { input, weight: parameter, bias: parameter, running_mean: statistics, running_var: statistics },
  attrs: { momentum: attr.float(), eps: attr.float() },
  infer: ({ operands: { input: x, ...parameters }, env, fail }) => {
    channelsOf(x, parameters, env, fail);
    const none = tensorType(x.dtype, [0]);
    return [tensorType(x.dtype, x.shape), none, none];
  },
  reference: ({ operands: { input: x, weight, bias, running_mean, running_var }, attrs, results }) => {
    const y = apply(x, numbersOf(running_mean), inverseRoots(numbersOf(running_var), attrs.eps), weight, bias);
    return [y, fromNumbers(results[1]!, []), fromNumbers(results[2]!, [])];
  },
  decompose: ({ operands: o, attrs: { eps }, results, builder: b }) => {
    const none = b.create(Full, {}, { size: [0], fill_value: floatScalar(0), dtype: o.input.type.dtype }).result;
    return [normalizedChannels(o, givenStatistics(o.input, o.running_mean, o.running_var, eps, b), results[0]!, b), none, none];
  },
});

/** {@link BatchNorm} with the statistics of the batch. Results: `y`, and `mean` and `rstd` `[C]`. */
export const NativeBatchNormLegitNoStats = defineOp({
  name: 'aten._native_batch_norm_legit.no_stats',
  summary: 'normalization of each channel over the batch, with its statistics',
  operands: { input, weight: parameter, bias: parameter },
  attrs: { training: attr.bool(), momentum: attr.float(), eps: attr.float() },
  infer: ({ operands: { input: x, weight, bias }, attrs, env, fail }) => {
    if (!attrs.training) fail('training is false, but there are no running statistics');
    const kept = tensorType(x.dtype, [channelsOf(x, { weight, bias }, env, fail)]);
    return [tensorType(x.dtype, x.shape), kept, kept];
  },
  reference: ({ operands: { input: x, weight, bias }, attrs, results }) => {
    const { mean, variance } = momentsOf(x.data, groupingOf(x));
    const rstd = inverseRoots(variance, attrs.eps);
    return [apply(x, mean, rstd, weight, bias), fromNumbers(results[1]!, mean), fromNumbers(results[2]!, rstd)];
  },
  decompose: ({ operands: o, attrs: { eps }, results, builder: b }) => {
    const statistics = batchStatistics(o.input, eps, b);
    const [mean, rstd] = [statistics.mean, statistics.rstd].map((v, i) => asResult(v, results[i + 1]!, b));
    return [normalizedChannels(o, statistics, results[0]!, b), mean!, rstd!];
  },
});

/**
 * {@link BatchNorm} with the new running statistics as results: `y`, `mean`, `rstd`, and
 * `running + momentum · (batch - running)` for mean and unbiased variance. Without `training` the statistics stay.
 */
export const NativeBatchNormLegitFunctional = defineOp({
  name: 'aten._native_batch_norm_legit_functional',
  summary: 'normalization of each channel, with new running statistics',
  operands: { input, weight: parameter, bias: parameter, running_mean: statistics, running_var: statistics },
  attrs: { training: attr.bool(), momentum: attr.float(), eps: attr.float() },
  infer: ({ operands: { input: x, ...parameters }, attrs, env, fail }) => {
    const kept = tensorType(x.dtype, [attrs.training ? channelsOf(x, parameters, env, fail) : (channelsOf(x, parameters, env, fail), 0)]);
    const { running_mean, running_var } = parameters;
    return [
      tensorType(x.dtype, x.shape),
      kept,
      kept,
      tensorType(running_mean.dtype, running_mean.shape),
      tensorType(running_var.dtype, running_var.shape),
    ];
  },
  reference: ({ operands: { input: x, weight, bias, running_mean, running_var }, attrs, results }) => {
    const [oldMean, oldVariance] = [numbersOf(running_mean), numbersOf(running_var)];
    if (!attrs.training) {
      const y = apply(x, oldMean, inverseRoots(oldVariance, attrs.eps), weight, bias);
      return [y, fromNumbers(results[1]!, []), fromNumbers(results[2]!, []), running_mean, running_var];
    }
    const grouping = groupingOf(x);
    const { mean, variance } = momentsOf(x.data, grouping);
    const rstd = inverseRoots(variance, attrs.eps);
    const count = grouping.outer * grouping.inner;
    const updated = (old: Float64Array, now: Float64Array) => old.map((v, i) => v + attrs.momentum * (now[i]! - v));
    return [
      apply(x, mean, rstd, weight, bias),
      fromNumbers(results[1]!, mean),
      fromNumbers(results[2]!, rstd),
      fromNumbers(results[3]!, updated(oldMean, mean)),
      fromNumbers(
        results[4]!,
        updated(
          oldVariance,
          variance.map((v) => (v * count) / (count - 1)),
        ),
      ),
    ];
  },
});
