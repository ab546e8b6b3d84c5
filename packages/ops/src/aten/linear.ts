import { hostTensor, optionalTensor, storer, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { broadcastStrides, forEachOffset, shapeText } from '../shapes.js';
import { AddTensor } from './arithmetic.js';
import { Matmul } from './matmul.js';
import { T } from './permute.js';
import { checkFactors, forEachProduct } from './support/matmul.js';

/**
 * `y[…, n] = Σ_k input[…, k] · weight[n, k] + bias[n]`: input `[…, K]`, weight `[N, K]`, bias `[N]` or what else
 * broadcasts to the result `[…, N]`. With a vector `[K]` as weight the last axis goes, and bias is a number.
 */
export const Linear = defineOp({
  name: 'aten.linear',
  summary: 'input · weightᵀ + bias',
  operands: { input: tensor(), weight: tensor(), bias: optionalTensor() },
  infer: ({ operands: { input, weight, bias }, env, fail }) => {
    const k = weight.shape.at(-1);
    const last = input.shape.at(-1);
    if (k === undefined || weight.shape.length > 2) return fail(`weight has shape ${shapeText(weight.shape)}, expected [N, K] or [K]`);
    if (last === undefined || env.equal(last, k) === 'no')
      return fail(`input has shape ${shapeText(input.shape)}, expected its last dim to be ${shapeText([k])}`);
    const shape = [...input.shape.slice(0, -1), ...weight.shape.slice(0, -1)];
    const lead = shape.length - (bias?.shape.length ?? 0);
    const broadcasts =
      lead >= 0 && (bias?.shape ?? []).every((d, i) => env.equal(d, 1) !== 'no' || env.equal(d, shape[i + lead]!) !== 'no');
    if (!broadcasts)
      fail(
        `bias has shape ${shapeText(bias!.shape)}, expected ${shapeText(weight.shape.slice(0, -1))} or another shape that broadcasts to the result ${shapeText(shape)}`,
      );
    if (bias !== undefined && weight.shape.length === 1 && input.shape.length > 1)
      fail(`weight has shape ${shapeText(weight.shape)}, expected [N, K] when there is a bias`);
    checkFactors([input, weight, bias], fail);
    return [tensorType(input.dtype, shape)];
  },
  reference: ({ operands: { input, weight, bias }, results }) => {
    const out = hostTensor(input.dtype, results[0]!.shape);
    const store = storer(out.dtype);
    const at: number[] = [];
    if (bias !== undefined) forEachOffset(out.shape, [broadcastStrides(bias.shape, out.shape)], (_, [offset]) => at.push(offset!));
    forEachProduct(input, weight, weight.shape.length === 2, (position, sum) => {
      const more = bias?.data[at[position]!];
      // Number and bigint never meet: all operands have one dtype.
      store(out.data, position, more === undefined ? sum : (sum as number) + (more as number));
    });
    return [out];
  },
  decompose: ({ operands: { input, weight, bias }, builder }) => {
    const other = weight.type.shape.length === 2 ? builder.create(T, { self: weight }).result : weight;
    const product = builder.create(Matmul, { self: input, other });
    return bias === undefined ? product.results : builder.create(AddTensor, { self: product.result, other: bias }).results;
  },
});
