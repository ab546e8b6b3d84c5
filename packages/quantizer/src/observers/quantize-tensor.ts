import { quant } from '@qfuse/ops';
import { type HostTensor, isFloat, QfuseError } from '@qfuse/plugin';
import type { Grid, QParams, SpecGranularity } from '../observer.js';
import { layoutOf } from './extremes.js';

/** The attributes of `quant.quantize`, `quant.dequantize` and `quant.choose_qparams` that say which elements share a scale. */
export function granularityAttrsOf(granularity: SpecGranularity) {
  return {
    granularity: granularity.kind,
    axis: granularity.kind === 'axis' || granularity.kind === 'group' ? granularity.axis : undefined,
    group_size: granularity.kind === 'group' ? granularity.size : undefined,
    block_size: undefined,
  } as const;
}

/**
 * The codes of a tensor of floats on a grid, by the reference of `quant.quantize`, in f32, or in the tensor's own dtype when the scales
 * are of it. Equals torch's `quantized_decomposed.quantize_per_tensor` and `quantize_per_channel`, and torchao's `quantize_affine`, bit for bit.
 * @throws QfuseError `quantizer/quantize` when scales and tensor do not fit
 */
export function quantizeTensor(tensor: HostTensor, { scale, zeroPoint }: QParams, grid: Grid): HostTensor {
  const fail = (why: string): never => {
    throw new QfuseError('quantizer/quantize', `a tensor of ${tensor.dtype}[${tensor.shape.join(', ')}] cannot be quantized: ${why}`);
  };
  const { shape } = layoutOf(tensor.shape, grid.granularity);
  if (!isFloat(tensor.dtype)) fail('it has no floats');
  for (const [name, given] of Object.entries({ scale, zeroPoint }))
    if (given.shape.length !== shape.length || given.shape.some((d, i) => d !== shape[i]))
      fail(`${name} has shape [${given.shape.join(', ')}], expected [${shape.join(', ')}]`);
  const own = scale.dtype === tensor.dtype && (scale.dtype === 'f16' || scale.dtype === 'bf16');
  const [codes] = quant.Quantize.reference!({
    operands: { input: tensor, scale, zero_point: zeroPoint },
    attrs: {
      ...granularityAttrsOf(grid.granularity),
      qmin: grid.qmin,
      qmax: grid.qmax,
      dtype: grid.dtype,
      compute: own ? scale.dtype : 'f32',
      round_last: false,
    },
    results: [{ dtype: grid.dtype, shape: tensor.shape }],
    fail,
  });
  return codes!;
}
