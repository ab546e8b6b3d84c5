import { attr, type Dim, type DType, hostTensor, storer, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { defaultFloat } from '../promotion.js';
import { shapeText } from '../shapes.js';
import { checkScalar, scalarTensor } from './support/elementwise.js';

const diagonal = (name: string, square: boolean) =>
  defineOp({
    name,
    summary: 'ones on the diagonal, else zeros',
    operands: {},
    attrs: { n: attr.dim(), ...(square ? {} : { m: attr.dim() }), dtype: attr.optional(attr.dtype()) },
    infer: ({ attrs: given, env, fail }) => {
      const { n, m = n, dtype = defaultFloat } = given as { readonly n: Dim; readonly m?: Dim; readonly dtype: DType | undefined };
      if (env.lessEqual(0, n) === 'no' || env.lessEqual(0, m) === 'no')
        fail(`the shape would be ${shapeText([n, m])}, expected no negative numbers`);
      return [tensorType(dtype, [n, m])];
    },
    reference: ({ results: [result] }) => {
      const [n, m] = result!.shape as [number, number];
      const out = hostTensor(result!.dtype, result!.shape);
      const store = storer(result!.dtype);
      for (let i = 0; i < Math.min(n, m); i++) store(out.data, i * m + i, 1);
      return [out];
    },
  });

/** The identity matrix `[n, n]`, f32 by default. */
export const Eye = diagonal('aten.eye', true);
/** Ones where row and column are equal; `[n, m]`, f32 by default. */
export const EyeM = diagonal('aten.eye.m', false);

/** A number as a 0-d tensor, f32 by default. */
export const ScalarTensor = defineOp({
  name: 'aten.scalar_tensor',
  summary: 'a number as a 0-d tensor',
  operands: {},
  attrs: { s: attr.scalar(), dtype: attr.optional(attr.dtype()) },
  infer: ({ attrs: { s, dtype = defaultFloat }, fail }) => {
    checkScalar('s', s, dtype, fail);
    return [tensorType(dtype, [])];
  },
  reference: ({ attrs: { s }, results: [result] }) => [scalarTensor(s, result!.dtype)],
});
