import { attr } from '@qfuse/plugin';
import { getIntxQuantizationConfig } from '../configs/intx.js';
import { getSymmetricQuantizationConfig } from '../configs/symmetric.js';
import { getXNNPACKQuantizationConfig } from '../configs/xnnpack.js';
import { embeddingQuantizer, linearQuantizer } from '../quantizers/weights.js';
import { xnnpackQuantizer } from '../quantizers/xnnpack.js';
import { defineRecipe, type QuantizationRecipe } from './recipe.js';
import { groupOption, mappingOption, scopeOptions, scopesOf } from './options.js';

const bits = attr.optional(attr.int({ min: 4, max: 8 }), 8);
const granularity = attr.optional(attr.oneOf('channel', 'tensor', 'group'), 'channel');

/** A number of bits that weights can have; the config refuses others. */
const weightBits = (value: number): 4 | 8 => value as 4 | 8;

/** Linears with integer weights, activations float. ExecuTorch's Vulkan quantizer. */
const weightOnly: QuantizationRecipe = defineRecipe({
  name: 'weight-only',
  summary: 'weights of linears in 8 or 4 bits, activations float; needs no data',
  options: { ...scopeOptions, bits, granularity, group: attr.optional(attr.int({ min: 1 }), 32) },
  create: (o) =>
    linearQuantizer({
      ...scopesOf(o),
      global: getSymmetricQuantizationConfig({ weightBits: weightBits(o.bits), granularity: o.granularity, groupSize: o.group }),
    }),
});

/** Linears with 8-bit activations whose scale is computed at run time. ExecuTorch's Vulkan quantizer with `is_dynamic`. */
const dynamicInt8: QuantizationRecipe = defineRecipe({
  name: 'dynamic-int8',
  summary: 'weights of linears in 8 or 4 bits, activations in 8 bits with a scale for the tensor computed at run time; needs no data',
  options: { ...scopeOptions, bits, granularity, group: attr.optional(attr.int({ min: 1 }), 32) },
  create: (o) =>
    linearQuantizer({
      ...scopesOf(o),
      global: getSymmetricQuantizationConfig({
        isDynamic: true,
        weightBits: weightBits(o.bits),
        granularity: o.granularity,
        groupSize: o.group,
      }),
    }),
});

/** Everything that ExecuTorch's XNNPACK quantizer takes, with 8-bit activations from calibration. */
const staticInt8: QuantizationRecipe = defineRecipe({
  name: 'static-int8',
  summary:
    'weights and activations of linears, convolutions, sums, products and pools in 8 bits; scales of activations come from calibration data',
  needsCalibration: true,
  options: {
    ...scopeOptions,
    granularity: attr.optional(attr.oneOf('channel', 'tensor'), 'channel'),
    bias: attr.optional(attr.oneOf('float', 'int32'), 'float'),
  },
  create: (o) => {
    const config = getXNNPACKQuantizationConfig({ isPerChannel: o.granularity === 'channel' });
    return xnnpackQuantizer({ ...scopesOf(o), global: o.bias === 'int32' ? { ...config, bias: 'derived' } : config });
  },
});

/** Linears with weights in groups, activations float. torchao's `IntxWeightOnlyConfig`. */
const w4: QuantizationRecipe = defineRecipe({
  name: 'w4',
  summary: 'weights of linears in 4 bits with a scale for each group of input channels (0: all of them), activations float; needs no data',
  options: { ...scopeOptions, bits: attr.optional(attr.int({ min: 1, max: 8 }), 4), group: groupOption, mapping: mappingOption },
  create: (o) => linearQuantizer({ ...scopesOf(o), global: intxConfig(o, false) }),
});

/** Linears with weights in groups and 8-bit activations, a scale for each row computed at run time. torchao's `Int8DynamicActivationIntxWeightConfig`. */
const dynamic8da4w: QuantizationRecipe = defineRecipe({
  name: '8da4w',
  summary:
    'weights of linears in 4 bits per group, activations in 8 bits with a scale and zero point for each row computed at run time; needs no data',
  options: { ...scopeOptions, bits: attr.optional(attr.int({ min: 1, max: 8 }), 4), group: groupOption, mapping: mappingOption },
  create: (o) => linearQuantizer({ ...scopesOf(o), global: intxConfig(o, true) }),
});

/** Tables of embeddings in groups. torchao's `IntxWeightOnlyConfig` on `nn.Embedding`. */
const embedding: QuantizationRecipe = defineRecipe({
  name: 'embedding',
  summary: 'tables of embeddings in 4 bits with a scale for each group of columns (0: a row); needs no data',
  options: { ...scopeOptions, bits: attr.optional(attr.int({ min: 1, max: 8 }), 4), group: groupOption, mapping: mappingOption },
  create: (o) => embeddingQuantizer({ ...scopesOf(o), global: intxConfig(o, false) }),
});

function intxConfig(
  o: { readonly bits: number; readonly group: number; readonly mapping: typeof mappingOption.default },
  isDynamic: boolean,
) {
  return getIntxQuantizationConfig({
    weightBits: o.bits,
    groupSize: o.group === 0 ? 'channel' : o.group,
    mapping: o.mapping,
    isDynamic,
  });
}

/** The recipes of this package. */
export const recipes: readonly QuantizationRecipe[] = [weightOnly, dynamicInt8, staticInt8, w4, dynamic8da4w, embedding];
