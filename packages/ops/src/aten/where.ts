import { attr, type DType, floatScalar, type HostTensor, intScalar, isFloat, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Promotable, resultType } from '../promotion.js';
import { broadcastShapes, type Fail, shapeText } from '../shapes.js';
import { castTensor, checkScalar, mapElements, type ResultType, scalarTensor } from './support/elementwise.js';

const condition = tensor('bool', 'u8');

/** `condition ? a : b`, all three broadcast, a and b cast to the result's dtype. */
const chosen = (result: ResultType, by: HostTensor, a: HostTensor, b: HostTensor): readonly HostTensor[] => [
  mapElements(result, [by, castTensor(a, result.dtype), castTensor(b, result.dtype)], (c, x, y) => (c === 0 ? y! : x!)),
];

function dtypeOf(operands: readonly Promotable[], fail: Fail): DType {
  const dtype = resultType(operands);
  for (const o of operands) if ('scalar' in o && !isFloat(dtype)) checkScalar('a choice', o.scalar, dtype, fail);
  return dtype;
}

/** `condition ? self : other`, broadcast; the dtypes of self and other are promoted. The condition is bool (or u8, not 0). */
export const WhereSelf = defineOp({
  name: 'aten.where.self',
  summary: 'chooses elements by a condition',
  operands: { condition, self: tensor(), other: tensor() },
  elementwise: true,
  infer: ({ operands: { condition: by, self, other }, env, fail }) => [
    tensorType(dtypeOf([self, other], fail), broadcastShapes(env, [by.shape, self.shape, other.shape], fail)),
  ],
  reference: ({ operands: { condition: by, self, other }, results: [result] }) => chosen(result!, by, self, other),
});

/** {@link WhereSelf} with a Python number as other. */
export const WhereScalarOther = defineOp({
  name: 'aten.where.ScalarOther',
  summary: 'chooses between elements and a number',
  operands: { condition, self: tensor() },
  attrs: { other: attr.scalar() },
  elementwise: true,
  infer: ({ operands: { condition: by, self }, attrs: { other }, env, fail }) => [
    tensorType(dtypeOf([self, { scalar: other }], fail), broadcastShapes(env, [by.shape, self.shape], fail)),
  ],
  reference: ({ operands: { condition: by, self }, attrs: { other }, results: [result] }) =>
    chosen(result!, by, self, scalarTensor(other, result!.dtype)),
});

/** {@link WhereSelf} with a Python number as self. */
export const WhereScalarSelf = defineOp({
  name: 'aten.where.ScalarSelf',
  summary: 'chooses between a number and elements',
  operands: { condition, other: tensor() },
  attrs: { self: attr.scalar() },
  elementwise: true,
  infer: ({ operands: { condition: by, other }, attrs: { self }, env, fail }) => [
    tensorType(dtypeOf([{ scalar: self }, other], fail), broadcastShapes(env, [by.shape, other.shape], fail)),
  ],
  reference: ({ operands: { condition: by, other }, attrs: { self }, results: [result] }) =>
    chosen(result!, by, scalarTensor(self, result!.dtype), other),
});

/** {@link WhereSelf} with Python numbers as self and other. */
export const WhereScalar = defineOp({
  name: 'aten.where.Scalar',
  summary: 'chooses between two numbers',
  operands: { condition },
  attrs: { self: attr.scalar(), other: attr.scalar() },
  elementwise: true,
  infer: ({ operands: { condition: by }, attrs: { self, other }, fail }) => [
    tensorType(dtypeOf([{ scalar: self }, { scalar: other }], fail), by.shape),
  ],
  reference: ({ operands: { condition: by }, attrs: { self, other }, results: [result] }) =>
    chosen(result!, by, scalarTensor(self, result!.dtype), scalarTensor(other, result!.dtype)),
});

const mask = tensor('bool');

/** `mask ? value : self`, self and mask broadcast; the result has self's dtype, which the number is cast to. */
export const MaskedFillScalar = defineOp({
  name: 'aten.masked_fill.Scalar',
  summary: 'replaces masked elements by a number',
  operands: { self: tensor(), mask },
  attrs: { value: attr.scalar() },
  elementwise: true,
  infer: ({ operands: { self, mask: by }, attrs: { value }, env, fail }) => {
    checkScalar('value', value, self.dtype, fail);
    return [tensorType(self.dtype, broadcastShapes(env, [self.shape, by.shape], fail))];
  },
  reference: ({ operands: { self, mask: by }, attrs: { value }, results: [result] }) =>
    chosen(result!, by, scalarTensor(value, self.dtype), self),
});

/** {@link MaskedFillScalar} with a 0-d tensor as value. */
export const MaskedFillTensor = defineOp({
  name: 'aten.masked_fill.Tensor',
  summary: 'replaces masked elements by one element',
  operands: { self: tensor(), mask, value: tensor() },
  elementwise: true,
  infer: ({ operands: { self, mask: by, value }, env, fail }) => {
    if (value.shape.length > 0) fail(`value has shape ${shapeText(value.shape)}, expected a 0-d tensor`);
    return [tensorType(self.dtype, broadcastShapes(env, [self.shape, by.shape], fail))];
  },
  reference: ({ operands: { self, mask: by, value }, results: [result], fail }) => {
    const element = value.data[0]!;
    checkScalar('value', isFloat(value.dtype) ? floatScalar(element as number) : intScalar(element), self.dtype, fail);
    return chosen(result!, by, value, self);
  },
});
