import { attr, type Elements, hostTensor, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { shapeText } from '../shapes.js';

/** Keeps the elements of the last two axes whose `column - row - diagonal` `keeps` accepts; the others are 0. */
const triangle = (name: string, summary: string, keeps: (distance: number) => boolean) =>
  defineOp({
    name,
    summary,
    operands: { self: tensor() },
    attrs: { diagonal: attr.optional(attr.dim(), 0) },
    infer: ({ operands: { self }, fail }) =>
      self.shape.length < 2
        ? fail(`self has shape ${shapeText(self.shape)}, expected rank 2 or more`)
        : [tensorType(self.dtype, self.shape)],
    reference: ({ operands: { self }, attrs: { diagonal } }) => {
      const out = hostTensor(self.dtype, self.shape, self.data.slice() as Elements);
      const zero = (out.data instanceof BigInt64Array || out.data instanceof BigUint64Array ? 0n : 0) as number;
      const [rows, columns] = self.shape.slice(-2) as [number, number];
      for (let i = 0; i < out.data.length; i++) {
        const row = Math.floor(i / columns) % rows;
        if (!keeps((i % columns) - row - diagonal)) out.data[i] = zero;
      }
      return [out];
    },
  });

/** The elements of each matrix on and below `diagonal`; the rest is 0. */
export const Tril = triangle('aten.tril', 'the lower triangle of matrices', (distance) => distance <= 0);

/** The elements of each matrix on and above `diagonal`; the rest is 0. */
export const Triu = triangle('aten.triu', 'the upper triangle of matrices', (distance) => distance >= 0);
