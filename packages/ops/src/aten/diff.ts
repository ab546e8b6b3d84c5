import { attr, dimAdd, dimMax, dimSub, optionalTensor, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { promoteTypes } from '../promotion.js';
import { shapeText, wrapAxis } from '../shapes.js';
import { SubTensor } from './arithmetic.js';
import { Cat } from './cat.js';
import { LogicalXor } from './logical.js';
import { Narrow } from './slice.js';

/**
 * `y[i] = x[i + 1] - x[i]` along axis `dim`, `n` times; `x` is self between `prepend` and `append`. For bools the
 * difference is "not equal". The axis has `n` elements less, at least none; with `n` 0 nothing is joined.
 */
export const Diff = defineOp({
  name: 'aten.diff',
  summary: 'differences of neighbours along an axis',
  operands: { self: tensor(), prepend: optionalTensor(), append: optionalTensor() },
  attrs: { n: attr.optional(attr.int(), 1), dim: attr.optional(attr.int(), -1) },
  infer: ({ operands: { self, prepend, append }, attrs: { n, dim }, env, fail }) => {
    if (self.shape.length === 0) fail('self has rank 0, expected at least one axis');
    if (n < 0) fail(`n is ${n}, expected at least 0`);
    const axis = wrapAxis(dim, self.shape.length, fail);
    const parts = [prepend, self, append].filter((t) => t !== undefined);
    for (const t of parts)
      if (t.shape.length !== self.shape.length || t.shape.some((d, i) => i !== axis && env.equal(d, self.shape[i]!) === 'no'))
        fail(`a tensor of shape ${shapeText(t.shape)} cannot be joined with ${shapeText(self.shape)} along axis ${axis}`);
    // Without differences torch joins nothing either.
    if (n === 0) return [self];
    const size = parts.map((t) => t.shape[axis]!).reduce(dimAdd);
    return [tensorType(parts.map((t) => t.dtype).reduce(promoteTypes), self.shape.with(axis, dimMax(0, dimSub(size, n))))];
  },
  decompose: ({ operands: { self, prepend, append }, attrs: { n, dim }, env, builder }) => {
    const axis = dim < 0 ? dim + self.type.shape.length : dim;
    if (n === 0) return [self];
    const parts = [prepend, self, append].filter((v) => v !== undefined);
    let x = parts.length === 1 ? self : builder.create(Cat, { tensors: parts }, { dim: axis }).result;
    for (let i = 0; i < n && x.type.shape[axis] !== 0; i++) {
      const length = env.simplify(dimMax(0, dimSub(x.type.shape[axis]!, 1)));
      const [a, b] = [1, 0].map((start) => builder.create(Narrow, { self: x }, { dim: axis, start, length }).result);
      x = builder.create(x.type.dtype === 'bool' ? LogicalXor : SubTensor, { self: a!, other: b! }).result;
    }
    return [x];
  },
});
