import { hostTensor, optionalTensor, storer, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { resultType } from '../promotion.js';
import { shapeText } from '../shapes.js';

/** `y[…, n] = Σ_k input[…, k] · weight[n, k] + bias[n]`; weight `[N, K]` (or `[K]`, then the last axis goes), bias `[N]`. */
export const Linear = defineOp({
  name: 'aten.linear',
  summary: 'input · weightᵀ + bias',
  operands: { input: tensor(), weight: tensor(), bias: optionalTensor() },
  infer: ({ operands: { input, weight, bias }, env, fail }) => {
    const k = weight.shape.at(-1);
    const last = input.shape.at(-1);
    if (k === undefined || weight.shape.length > 2) return fail(`weight has shape ${shapeText(weight.shape)}, expected [N, K] or [K]`);
    if (last === undefined || env.equal(last, k) === 'no') return fail(`input has shape ${shapeText(input.shape)}, expected its last dim to be ${shapeText([k])}`);
    const n = weight.shape.length === 2 ? [weight.shape[0]!] : [];
    if (bias !== undefined && !(bias.shape.length <= n.length && bias.shape.every((d) => d === 1 || env.equal(d, n[0]!) !== 'no')))
      fail(`bias has shape ${shapeText(bias.shape)}, expected ${shapeText(n)}`);
    const types = bias === undefined ? [input, weight] : [input, weight, bias];
    if (types.some((t) => t.dtype !== input.dtype)) fail(`operands have dtypes ${types.map((t) => t.dtype).join(', ')}, expected one dtype`);
    return [tensorType(resultType(types), [...input.shape.slice(0, -1), ...n])];
  },
  reference: ({ operands: { input, weight, bias }, results }) => {
    const k = weight.shape.at(-1)!;
    const n = weight.shape.length === 2 ? weight.shape[0]! : 1;
    const out = hostTensor(results[0]!.dtype, results[0]!.shape);
    const store = storer(out.dtype);
    const rows = n === 0 ? 0 : out.data.length / n;
    const big = typeof input.data[0] === 'bigint' || typeof weight.data[0] === 'bigint';
    for (let row = 0; row < rows; row++)
      for (let c = 0; c < n; c++) {
        const b = bias === undefined ? 0 : bias.data[bias.data.length === 1 ? 0 : c]!;
        if (big) {
          let sum = BigInt(b);
          for (let i = 0; i < k; i++) sum += BigInt(input.data[row * k + i]!) * BigInt(weight.data[c * k + i]!);
          store(out.data, row * n + c, sum);
        } else {
          let sum = Number(b);
          for (let i = 0; i < k; i++) sum += (input.data[row * k + i] as number) * (weight.data[c * k + i] as number);
          store(out.data, row * n + c, sum);
        }
      }
    return [out];
  },
});
