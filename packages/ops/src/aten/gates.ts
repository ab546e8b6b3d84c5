import { attr, type Dim, dimFloorDiv, hostTensor, intScalar, isFloat, storer, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { broadcastShapes, type Fail, shapeText, wrapAxis } from '../shapes.js';
import { MulTensor } from './arithmetic.js';
import { GtScalar } from './comparison.js';
import { Sigmoid } from './exponential.js';
import { View } from './reshape.js';
import { Narrow } from './slice.js';
import { mapNumbers } from './support/elementwise.js';
import { groupsOf } from './support/reduce.js';
import { sigmoid } from './support/special-functions.js';
import { WhereSelf } from './where.js';

/** `a · sigmoid(b)` for the two halves `a` and `b` of axis `dim`; floats only. The axis is halved. */
export const Glu = defineOp({
  name: 'aten.glu',
  summary: 'first half of an axis times sigmoid of the second',
  operands: { self: tensor('f32', 'f64', 'f16', 'bf16') },
  attrs: { dim: attr.optional(attr.int(), -1) },
  infer: ({ operands: { self }, attrs: { dim }, env, fail }) => {
    if (self.shape.length === 0) fail('self has rank 0, expected an axis to halve');
    const axis = wrapAxis(dim, self.shape.length, fail);
    if (env.divides(2, self.shape[axis]!) === 'no') fail(`axis ${axis} of shape ${shapeText(self.shape)} is odd, expected an even size`);
    return [tensorType(self.dtype, self.shape.with(axis, dimFloorDiv(self.shape[axis]!, 2)))];
  },
  reference: ({ operands: { self }, attrs: { dim }, results: [result], fail }) => {
    const { starts, steps } = groupsOf(self.shape, [wrapAxis(dim, self.shape.length, fail)]);
    const halved = groupsOf(result!.shape, [wrapAxis(dim, self.shape.length, fail)]);
    const half = halved.steps.length;
    const data = self.data as Float64Array;
    const out = hostTensor(result!.dtype, result!.shape);
    const store = storer(result!.dtype);
    starts.forEach((from, g) => {
      for (let k = 0; k < half; k++)
        store(out.data, halved.starts[g]! + halved.steps[k]!, data[from + steps[k]!]! * sigmoid(data[from + steps[k + half]!]!));
    });
    return [out];
  },
  decompose: ({ operands: { self }, attrs: { dim }, results: [result], builder }) => {
    const axis = dim < 0 ? dim + self.type.shape.length : dim;
    const length = result!.shape[axis]!;
    const [a, b] = [0, length].map((start) => builder.create(Narrow, { self }, { dim: axis, start, length }).result);
    return [builder.create(MulTensor, { self: a!, other: builder.create(Sigmoid, { self: b! }).result }).result];
  },
});

/** `self > 0 ? self : weight · self`, broadcast; floats of one dtype. */
export const PreluKernel = defineOp({
  name: 'aten._prelu_kernel',
  summary: 'x, with slopes of a tensor below 0',
  operands: { self: tensor('f32', 'f64', 'f16', 'bf16'), weight: tensor('f32', 'f64', 'f16', 'bf16') },
  elementwise: true,
  infer: ({ operands: { self, weight }, env, fail }) => {
    checkSame(self.dtype, weight.dtype, fail);
    return [tensorType(self.dtype, broadcastShapes(env, [self.shape, weight.shape], fail))];
  },
  reference: ({ operands: { self, weight }, results: [result] }) => [
    mapNumbers(result!, [self, weight], (x, w) => (x! > 0 ? x! : w! * x!)),
  ],
  decompose: ({ operands: { self, weight }, builder: b }) => {
    const condition = b.create(GtScalar, { self }, { other: intScalar(0) }).result;
    return [b.create(WhereSelf, { condition, self, other: b.create(MulTensor, { self: weight, other: self }).result }).result];
  },
});

const checkSame = (self: string, weight: string, fail: Fail): void =>
  void (self === weight || fail(`weight is ${weight}, expected ${self} as self`));

/** {@link PreluKernel} with one slope, or one for each index of axis 1 (the channels) of self. */
export const Prelu = defineOp({
  name: 'aten.prelu',
  summary: 'x, with learned slopes below 0',
  operands: { self: tensor(), weight: tensor() },
  infer: ({ operands: { self, weight }, env, fail }) => {
    if (!isFloat(self.dtype)) fail(`self is ${self.dtype}, expected a float dtype`);
    checkSame(self.dtype, weight.dtype, fail);
    const single = weight.shape.every((d) => d === 1);
    const channels: Dim = self.shape.length > 1 ? self.shape[1]! : 1;
    if (weight.shape.length > 1 || (!single && (self.shape.length === 0 || env.equal(weight.shape[0]!, channels) === 'no')))
      fail(`weight has shape ${shapeText(weight.shape)}, expected [1] or ${shapeText([channels])}`);
    return [self];
  },
  decompose: ({ operands: { self, weight }, builder }) => {
    const { shape } = self.type;
    const size = weight.type.shape.length === 0 ? 1 : weight.type.shape[0]!;
    // The channels are axis 1, or the only axis of a vector.
    const aligned = shape.map((_, i) => (i === Math.min(1, shape.length - 1) ? size : 1));
    const slopes = builder.create(View, { self: weight }, { size: aligned }).result;
    return [builder.create(PreluKernel, { self, weight: slopes }).result];
  },
});

/** The operand: outside of training nothing is dropped. Training is refused. */
export const Dropout = defineOp({
  name: 'aten.dropout',
  summary: 'drops elements in training, nothing otherwise',
  operands: { input: tensor() },
  attrs: { p: attr.float(), train: attr.bool() },
  elementwise: true,
  view: true,
  infer: ({ operands: { input }, attrs: { p, train }, fail }) =>
    train && p > 0 ? fail('train is true: elements are dropped at random; export the model in evaluation mode') : [input],
  reference: ({ operands: { input } }) => [input],
  decompose: ({ operands: { input } }) => [input],
});
