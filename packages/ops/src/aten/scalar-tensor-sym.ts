import { attr, hostTensor, storer, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';

/** A size as a 0-d tensor: what a program computes with when it uses `x.shape[0]` as a number. */
export const ScalarTensorSym = defineOp({
  name: 'aten.scalar_tensor.sym',
  summary: 'a size as a 0-d tensor',
  operands: {},
  attrs: { s: attr.dim(), dtype: attr.optional(attr.dtype(), 'i64') },
  infer: ({ attrs }) => [tensorType(attrs.dtype, [])],
  reference: ({ attrs }) => {
    const out = hostTensor(attrs.dtype, []);
    storer(attrs.dtype)(out.data, 0, attrs.s);
    return [out];
  },
});
