import { type DType, hostTensor, optionalTensor, storer, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { shapeText } from '../shapes.js';

const floats = ['f32', 'f16', 'bf16'] as const;

/**
 * Weight-only linear, per-channel symmetric weights:
 * `y[…, n] = scales[n] · Σ_k x[…, k] · weight[n, k] + bias[n]`.
 * x float `[…, K]`, weight integer `[N, K]`, scales `[N]`, bias `[N]`; result `[…, N]` in the dtype of x.
 */
const linearQcs = (bits: 4 | 8, weight: DType) =>
  defineOp({
    name: `fused.linear_qcs${bits}w`,
    summary: `linear with ${bits}-bit weights, one scale an output channel, no zero points`,
    operands: {
      input: tensor(...floats),
      weight: tensor(weight),
      scales: tensor('f32', 'f64', 'f16', 'bf16'),
      bias: optionalTensor(...floats),
    },
    infer: ({ operands: { input, weight, scales, bias }, env, fail }) => {
      const [n, k] = weight.shape;
      if (weight.shape.length !== 2 || n === undefined || k === undefined)
        return fail(`weight has shape ${shapeText(weight.shape)}, expected [N, K]`);
      const last = input.shape.at(-1);
      if (last === undefined || env.equal(last, k) === 'no')
        return fail(`input has shape ${shapeText(input.shape)}, expected its last dim to be ${shapeText([k])}`);
      for (const [name, t] of [
        ['scales', scales],
        ['bias', bias],
      ] as const)
        if (t !== undefined && (t.shape.length !== 1 || env.equal(t.shape[0]!, n) === 'no'))
          fail(`${name} has shape ${shapeText(t.shape)}, expected ${shapeText([n])}`);
      return [tensorType(input.dtype, [...input.shape.slice(0, -1), n])];
    },
    reference: ({ operands: { input, weight, scales, bias }, results }) => {
      const [n, k] = weight.shape as [number, number];
      const out = hostTensor(results[0]!.dtype, results[0]!.shape);
      const store = storer(out.dtype);
      const x = input.data as Float32Array;
      const w = weight.data as Int8Array;
      const rows = n === 0 ? 0 : out.data.length / n;
      for (let row = 0; row < rows; row++)
        for (let c = 0; c < n; c++) {
          let sum = 0;
          for (let i = 0; i < k; i++) sum += x[row * k + i]! * w[c * k + i]!;
          store(out.data, row * n + c, sum * Number(scales.data[c]) + (bias === undefined ? 0 : Number(bias.data[c])));
        }
      return [out];
    },
  });

/** {@link linearQcs} with signed 8-bit weights. */
export const LinearQcs8w = linearQcs(8, 'i8');

/** {@link linearQcs} with signed 4-bit weights. */
export const LinearQcs4w = linearQcs(4, 'i4');
