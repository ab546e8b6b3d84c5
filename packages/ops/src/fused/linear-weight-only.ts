import { hostTensor, optionalTensor, storer, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
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
} from './weight-operands.js';

/**
 * Weight-only linear: `y[…, n] = Σ_k x[…, k] · (weight[n, k] − zero_points[n, g(k)]) · scales[n, g(k)] + bias[n]`. x float `[…, K]`, weight integers
 * `[N, K]`, scales and zero points `[N]` or `[N, G]`, bias `[N]`; result `[…, N]` in the dtype of x. Without zero points the weight is symmetric.
 */
const linear = (name: string, scheme: WeightScheme) =>
  defineOp({
    name: `fused.${name}`,
    summary: `linear with ${scheme.bits}-bit weights, one scale ${scheme.granularity === 'channel' ? 'an output channel' : 'a group'}`,
    operands: {
      input: tensor(...floats),
      ...weightOperands(scheme),
      bias: optionalTensor(...floats),
      zero_points: optionalZeroPoints,
    },
    infer: ({ operands, env, fail }) => {
      const { input, weight } = operands;
      checkWeight(operands, scheme, env, fail);
      checkInput(input, weight, env, fail);
      return [tensorType(input.dtype, [...input.shape.slice(0, -1), weight.shape[0]!])];
    },
    reference: ({ operands, results }) => {
      const { input, weight, bias } = operands;
      const [n, k] = weight.shape as [number, number];
      const out = hostTensor(results[0]!.dtype, results[0]!.shape);
      const store = storer(out.dtype);
      const sums = weightedSums(operands);
      const rows = n === 0 ? 0 : out.data.length / n;
      for (let row = 0; row < rows; row++)
        sums(Float64Array.from((input.data as Float32Array).subarray(row * k, (row + 1) * k)), (c, y) =>
          store(out.data, row * n + c, y + biasAt(bias, c)),
        );
      return [out];
    },
  });

/** {@link linear}: 8 bits, per channel. */
export const LinearQcs8w = linear('linear_qcs8w', q8csw);
/** {@link linear}: 4 bits, per channel. */
export const LinearQcs4w = linear('linear_qcs4w', q4csw);
/** {@link linear}: 8 bits, per group. */
export const LinearQ8gsw = linear('linear_q8gsw', q8gsw);
/** {@link linear}: 4 bits, per group. */
export const LinearQ4gsw = linear('linear_q4gsw', q4gsw);
