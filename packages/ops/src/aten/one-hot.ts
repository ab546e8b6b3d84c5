import { attr, hostTensor, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';

/** `out[…, c] = 1` where `self[…] = c`, else 0: `[…]` to `[…, num_classes]`. The number of classes must be stated. */
export const OneHot = defineOp({
  name: 'aten.one_hot',
  summary: 'class numbers as vectors with one 1',
  operands: { self: tensor('i64') },
  attrs: { num_classes: attr.optional(attr.int(), -1) },
  infer: ({ operands: { self }, attrs: { num_classes }, fail }) =>
    num_classes < 1
      ? fail(`num_classes is ${num_classes}, expected at least 1; -1 would take the number of classes from the data`)
      : [tensorType('i64', [...self.shape, num_classes])],
  reference: ({ operands: { self }, attrs: { num_classes }, results, fail }) => {
    const out = hostTensor('i64', results[0]!.shape);
    self.data.forEach((given: number | bigint, i: number) => {
      const c = Number(given);
      if (c < 0 || c >= num_classes) fail(`self has the class ${c}, expected 0 to ${num_classes - 1}`);
      out.data[i * num_classes + c] = 1n;
    });
    return [out];
  },
});
