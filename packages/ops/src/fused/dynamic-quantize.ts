import { attr, tensor, type TensorType, type Value } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { ChooseQparams } from '../quant/choose-qparams.js';
import { Quantize } from '../quant/quantize.js';

/**
 * `quant.choose_qparams` and `quant.quantize` in one step (ONNX: DynamicQuantizeLinear): results are the integers in the shape of the
 * input, the scale, and the zero point. The attributes are those of the two ops; `compute` is that of `quant.choose_qparams`,
 * `quantize_compute` that of `quant.quantize`.
 */
export const DynamicQuantize = defineOp({
  name: 'fused.dynamic_quantize',
  summary: 'integers, scale and zero point from the range of the elements',
  operands: { input: tensor('f32', 'f64', 'f16', 'bf16') },
  attrs: {
    ...ChooseQparams.attrs,
    dtype: attr.dtype(),
    quantize_compute: attr.optional(attr.dtype(), 'f32'),
    round_last: attr.optional(attr.bool(), false),
  },
  infer: ({ operands: { input }, attrs, env, fail }) => {
    const [scale, zero_point] = ChooseQparams.infer({ operands: { input }, attrs, env, fail }) as [TensorType, TensorType];
    const quantized = Quantize.infer({
      operands: { input, scale, zero_point },
      attrs: { ...attrs, compute: attrs.quantize_compute },
      env,
      fail,
    });
    return [...quantized, scale, zero_point];
  },
  decompose: ({ operands: { input }, attrs, builder: b }) => {
    const { dtype, quantize_compute: compute, round_last, ...choose } = attrs;
    const { granularity, axis, group_size, block_size, qmin, qmax } = attrs;
    const [scale, zero_point] = b.create(ChooseQparams, { input }, choose).results as [Value, Value];
    const grid = { granularity, axis, group_size, block_size, qmin, qmax };
    const { result } = b.create(Quantize, { input, scale, zero_point }, { ...grid, dtype, compute, round_last });
    return [result, scale, zero_point];
  },
});
