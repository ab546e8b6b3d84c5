import { attr, hostTensor, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { shapeText } from '../shapes.js';

/** `y[…, :] = weight[indices[…], :]`; weight `[V, D]`, result `[…, D]`. `padding_idx` concerns gradients only. */
export const Embedding = defineOp({
  name: 'aten.embedding',
  summary: 'rows of weight by index',
  operands: { weight: tensor(), indices: tensor('i64', 'i32') },
  attrs: {
    padding_idx: attr.optional(attr.dim(), -1),
    scale_grad_by_freq: attr.optional(attr.bool(), false),
    sparse: attr.optional(attr.bool(), false),
  },
  infer: ({ operands: { weight, indices }, fail }) => {
    if (weight.shape.length !== 2) fail(`weight has shape ${shapeText(weight.shape)}, expected [V, D]`);
    return [tensorType(weight.dtype, [...indices.shape, weight.shape[1]!])];
  },
  reference: ({ operands: { weight, indices }, results, fail }) => {
    const [rows, width] = weight.shape as [number, number];
    const out = hostTensor(weight.dtype, results[0]!.shape);
    const wanted = Array.from(indices.data as ArrayLike<number | bigint>, Number);
    wanted.forEach((row, i) => {
      if (row < 0 || row >= rows) fail(`index ${row} is out of range for a weight of ${rows} rows`);
      (out.data as Float32Array).set(weight.data.subarray(row * width, (row + 1) * width) as Float32Array, i * width);
    });
    return [out];
  },
});
