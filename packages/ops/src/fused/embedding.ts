import { attr, hostTensor, isFloat, storer, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { arithmeticRounder } from '../quant/rounders.js';
import { checkWeight, optionalZeroPoints, q4csw, q4gsw, q8csw, q8gsw, weightOperands, type WeightScheme } from './weight-operands.js';

/**
 * Rows of a quantized table: `y[…, d] = (weight[i, d] − zero_points[i, g(d)]) · scales[i, g(d)]` with `i = indices[…]`. Weight integers `[V, D]`, scales and
 * zero points `[V]` or `[V, G]`, indices of any shape in [0, V); result `[…, D]` of `dtype`. Products are rounded to f32, to `compute` and
 * to `dtype`, as `quant.dequantize` does.
 */
const embedding = (scheme: WeightScheme) =>
  defineOp({
    name: `fused.embedding_${scheme.tag}`,
    summary: `rows by index of a table of ${scheme.bits}-bit weights, one scale ${scheme.granularity === 'channel' ? 'a row' : 'a group'}`,
    operands: { ...weightOperands(scheme), indices: tensor('i64', 'i32'), zero_points: optionalZeroPoints },
    attrs: { dtype: attr.optional(attr.dtype(), 'f32'), compute: attr.optional(attr.dtype(), 'f32') },
    infer: ({ operands, attrs, env, fail }) => {
      for (const [name, dtype] of Object.entries(attrs)) if (!isFloat(dtype)) fail(`${name} is ${dtype}, expected a float dtype`);
      checkWeight(operands, scheme, env, fail);
      return [tensorType(attrs.dtype, [...operands.indices.shape, operands.weight.shape[1]!])];
    },
    reference: ({ operands: { weight, scales, indices, zero_points: zeros }, attrs, results, fail }) => {
      const [rows, width] = weight.shape as [number, number];
      const groups = scales.shape[1] ?? 1;
      const size = width / groups;
      const out = hostTensor(results[0]!.dtype, results[0]!.shape);
      const store = storer(out.dtype);
      const round = arithmeticRounder(attrs.compute);
      Array.from(indices.data as ArrayLike<number | bigint>, Number).forEach((row, i) => {
        if (row < 0 || row >= rows) fail(`index ${row} is out of range for a weight of ${rows} rows`);
        for (let d = 0; d < width; d++) {
          const g = row * groups + Math.floor(d / size);
          const zero = zeros === undefined ? 0 : Number(zeros.data[g]);
          store(out.data, i * width + d, round((Number(weight.data[row * width + d]) - zero) * Number(scales.data[g])));
        }
      });
      return [out];
    },
  });

/** {@link embedding}: 8 bits, one scale a row. */
export const EmbeddingQ8csw = embedding(q8csw);
/** {@link embedding}: 4 bits, one scale a row. */
export const EmbeddingQ4csw = embedding(q4csw);
/** {@link embedding}: 8 bits, per group. */
export const EmbeddingQ8gsw = embedding(q8gsw);
/** {@link embedding}: 4 bits, per group. */
export const EmbeddingQ4gsw = embedding(q4gsw);
