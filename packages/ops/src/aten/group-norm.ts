import { attr, countOf, type Dim, dimFloorDiv, dimMul, dimProduct, optionalTensor, tensor, type TensorType, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Fail, shapeText } from '../shapes.js';
import { checkParameters, fromNumbers, inverseRoots, momentsOf, normalized } from './support/moments.js';
import { asResult, inverseRoot, normalize, perChannel, scaleAndShift, statisticsOf } from './support/normalizing.js';
import { reshapeTo } from './support/reshaping.js';

const floats = ['f32', 'f64', 'f16', 'bf16'] as const;
const input = tensor(...floats);
const parameter = optionalTensor(...floats);

const channelsOf = (type: TensorType, fail: Fail): Dim =>
  type.shape.length < 2 ? fail(`input has shape ${shapeText(type.shape)}, expected at least 2 axes`) : type.shape[1]!;

/**
 * `y = (x - mean) · rstd · weight + bias`, mean and biased variance over each of `group` runs of channels and all
 * positions; input `[N, C, …]`, weight and bias `[C]`. `N`, `C` and `HxW` restate the input's sizes. Results: `y`, and
 * `mean` and `rstd` `[N, group]`.
 */
export const NativeGroupNorm = defineOp({
  name: 'aten.native_group_norm',
  summary: 'normalization over groups of channels, with its statistics',
  operands: { input, weight: parameter, bias: parameter },
  attrs: { N: attr.dim(), C: attr.dim(), HxW: attr.dim(), group: attr.int({ min: 1 }), eps: attr.float() },
  infer: ({ operands: { input: x, weight, bias }, attrs, env, fail }) => {
    const stated = dimProduct([attrs.N, attrs.C, attrs.HxW]);
    if (env.equal(dimProduct(x.shape), stated) === 'no')
      fail(`input has shape ${shapeText(x.shape)}, expected N·C·HxW = ${shapeText([stated])} elements`);
    if (env.divides(attrs.group, attrs.C) === 'no')
      fail(`input has ${shapeText([attrs.C])} channels, expected a multiple of group ${attrs.group}`);
    checkParameters(x, [attrs.C], { weight, bias }, env, fail);
    const statistics = tensorType(x.dtype, [attrs.N, attrs.group]);
    return [tensorType(x.dtype, x.shape), statistics, statistics];
  },
  reference: ({ operands: { input: x, weight, bias }, attrs, results }) => {
    const grouping = { outer: 1, groups: attrs.N * attrs.group, inner: (attrs.C / attrs.group) * attrs.HxW };
    const { mean, variance } = momentsOf(x.data, grouping);
    const rstd = inverseRoots(variance, attrs.eps);
    const y = normalized(x, grouping, mean, rstd, { weight, bias, index: (i) => Math.floor(i / attrs.HxW) % attrs.C });
    return [y, fromNumbers(results[1]!, mean), fromNumbers(results[2]!, rstd)];
  },
  decompose: ({ operands: { input: x, weight, bias }, attrs: { N, C, HxW, group, eps }, results, builder: b }) => {
    const grouped = reshapeTo(b, x, [N, group, dimMul(dimFloorDiv(C, group), HxW)]);
    const { mean, rstd } = statisticsOf(grouped, [2], eps, b);
    const centred = normalize(grouped, { mean, rstd }, undefined, undefined, b);
    const byChannel = reshapeTo(b, centred, [N, C, HxW]);
    const y = scaleAndShift(byChannel, perChannel(weight, 3, b), perChannel(bias, 3, b), b);
    return [y, mean, rstd].map((v, i) => asResult(v, results[i]!, b));
  },
});

/** The first result of {@link NativeGroupNorm}: input `[N, C, …]`, weight and bias `[C]`. */
export const GroupNorm = defineOp({
  name: 'aten.group_norm',
  summary: 'normalization over groups of channels',
  operands: { input, weight: parameter, bias: parameter },
  attrs: { num_groups: attr.int({ min: 1 }), eps: attr.optional(attr.float(), 1e-5) },
  infer: ({ operands: { input: x, weight, bias }, attrs, env, fail }) => {
    const channels = channelsOf(x, fail);
    if (env.divides(attrs.num_groups, channels) === 'no')
      fail(`input has ${shapeText([channels])} channels, expected a multiple of num_groups ${attrs.num_groups}`);
    checkParameters(x, [channels], { weight, bias }, env, fail);
    return [tensorType(x.dtype, x.shape)];
  },
  decompose: ({ operands: o, attrs: { num_groups, eps }, builder }) => {
    const [N, C, ...rest] = o.input.type.shape as [Dim, Dim, ...Dim[]];
    return [builder.create(NativeGroupNorm, o, { N, C, HxW: dimProduct(rest), group: num_groups, eps }).results[0]!];
  },
});

/**
 * `y = (x - mean) / sqrt(variance + eps) · weight + bias` per sample and channel; with `use_input_stats` over the
 * positions, else with the running statistics. Input `[N, C, …]`, the others `[C]`. Running statistics are not updated.
 */
export const InstanceNorm = defineOp({
  name: 'aten.instance_norm',
  summary: 'normalization of each channel of each sample',
  operands: { input, weight: parameter, bias: parameter, running_mean: parameter, running_var: parameter },
  attrs: { use_input_stats: attr.bool(), momentum: attr.float(), eps: attr.float() },
  infer: ({ operands: { input: x, weight, bias, running_mean, running_var }, attrs, env, fail }) => {
    checkParameters(x, [channelsOf(x, fail)], { weight, bias, running_mean, running_var }, env, fail);
    if (!attrs.use_input_stats && (running_mean === undefined || running_var === undefined))
      fail('use_input_stats is false, expected running_mean and running_var');
    return [tensorType(x.dtype, x.shape)];
  },
  reference: ({ operands: { input: x, weight, bias, running_mean, running_var }, attrs }) => {
    const [batch, channels, ...rest] = x.shape as [number, number, ...number[]];
    const inner = countOf(rest);
    const affine = { weight, bias, index: (i: number) => Math.floor(i / inner) % channels };
    if (attrs.use_input_stats) {
      const grouping = { outer: 1, groups: batch * channels, inner };
      const { mean, variance } = momentsOf(x.data, grouping);
      return [normalized(x, grouping, mean, inverseRoots(variance, attrs.eps), affine)];
    }
    const scale = inverseRoots(Float64Array.from(running_var!.data as Float32Array), attrs.eps);
    return [normalized(x, { outer: batch, groups: channels, inner }, Float64Array.from(running_mean!.data as Float32Array), scale, affine)];
  },
  decompose: ({ operands: o, attrs: { use_input_stats, eps }, results, builder: b }) => {
    const [N, C, ...rest] = o.input.type.shape as [Dim, Dim, ...Dim[]];
    const x = reshapeTo(b, o.input, [N, C, dimProduct(rest)]);
    const statistics = use_input_stats
      ? statisticsOf(x, [2], eps, b)
      : { mean: perChannel(o.running_mean!, 3, b), rstd: perChannel(inverseRoot(o.running_var!, eps, b), 3, b) };
    return [asResult(normalize(x, statistics, perChannel(o.weight, 3, b), perChannel(o.bias, 3, b), b), results[0]!, b)];
  },
});
