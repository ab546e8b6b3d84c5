import { attr, type Builder, type HostTensor, tensor, type TensorType, tensorType, type Value } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { broadcastShapes } from '../shapes.js';
import { Expand } from './expand.js';
import { castTensor, checkScalar, mapElements, scalarTensor } from './support/elementwise.js';

/**
 * `self` with its elements cast to `dtype` (its own by default): floats are rounded to nearest even, floats to integers
 * are cut towards 0, integers wrap, bools are "not 0". All other casts and copies decompose into this op or into nothing.
 */
export const ToCopy = defineOp({
  name: 'aten._to_copy',
  summary: 'casts elements to a dtype',
  operands: { self: tensor() },
  attrs: { dtype: attr.optional(attr.dtype()) },
  elementwise: true,
  infer: ({ operands: { self }, attrs: { dtype } }) => [tensorType(dtype ?? self.dtype, self.shape)],
  reference: ({ operands: { self }, results: [result] }) => [castTensor(self, result!.dtype)],
});

const cast = (name: string) =>
  defineOp({
    name,
    summary: 'casts elements to a dtype; the same tensor when it has it',
    operands: { self: tensor() },
    attrs: { dtype: attr.optional(attr.dtype()) },
    elementwise: true,
    infer: ({ operands: { self }, attrs: { dtype } }) => [tensorType(dtype ?? self.dtype, self.shape)],
    decompose: ({ operands: { self }, results: [result], builder }) => [
      result === self.type ? self : builder.create(ToCopy, { self }, { dtype: result!.dtype }).result,
    ],
  });

/** {@link ToCopy}, or `self` when it has the dtype. */
export const ToDtype = cast('aten.to.dtype');
/** {@link ToDtype}; the layout says nothing here. */
export const ToDtypeLayout = cast('aten.to.dtype_layout');
/** {@link ToDtype}; the device says nothing here. */
export const ToDevice = cast('aten.to.device');

const castLike = (name: string) =>
  defineOp({
    name,
    summary: 'casts elements to the dtype of another tensor',
    operands: { self: tensor(), other: tensor() },
    infer: ({ operands: { self, other } }) => [tensorType(other.dtype, self.shape)],
    decompose: ({ operands: { self, other }, builder }) => [
      self.type.dtype === other.type.dtype ? self : builder.create(ToCopy, { self }, { dtype: other.type.dtype }).result,
    ],
  });

/** `self` in the dtype of `other`. */
export const ToOther = castLike('aten.to.other');
/** `self` in the dtype of `other`. */
export const TypeAs = castLike('aten.type_as');

const identity = (name: string) =>
  defineOp({
    name,
    summary: 'the same tensor',
    operands: { self: tensor() },
    elementwise: true,
    view: true,
    infer: ({ operands: { self } }) => [self],
    reference: ({ operands: { self } }) => [self],
    decompose: ({ operands: { self } }) => [self],
  });

/** The same elements; memory formats say nothing here. */
export const Clone = identity('aten.clone');
/** The same elements, which are contiguous here anyway. */
export const Contiguous = identity('aten.contiguous');
/** The same tensor. */
export const Alias = identity('aten.alias');
/** The same elements. */
export const AliasCopy = identity('aten.alias_copy');
/** The same tensor, without a gradient. */
export const Detach = identity('aten.detach');
/** The same elements, without a gradient. */
export const DetachCopy = identity('aten.detach_copy');
/** The same tensor. */
export const Lift = identity('aten.lift');
/** The same tensor. */
export const LiftFresh = identity('aten.lift_fresh');
/** The same elements. */
export const LiftFreshCopy = identity('aten.lift_fresh_copy');

/** The elements of `src` in the shape and dtype of `self`, to which `src` broadcasts. */
export const Copy = defineOp({
  name: 'aten.copy',
  summary: 'other elements for a tensor',
  operands: { self: tensor(), src: tensor() },
  infer: ({ operands: { self, src }, env, fail }) => {
    const shape = broadcastShapes(env, [self.shape, src.shape], fail);
    if (shape.length > self.shape.length || shape.some((d, i) => env.equal(d, self.shape[i]!) === 'no'))
      fail('src does not broadcast to the shape of self');
    return [self];
  },
  reference: ({ operands: { src }, results: [result] }) => [copied(src, result!)],
  decompose: ({ operands: { src }, results: [result], builder }) => repeated(src, result!, builder),
});

/** A value cast and expanded to a type. */
function repeated(value: Value, { dtype, shape }: TensorType, builder: Builder): readonly Value[] {
  const cast = value.type.dtype === dtype ? value : builder.create(ToCopy, { self: value }, { dtype }).result;
  return builder.create(Expand, { self: cast }, { size: shape }).results;
}

const copied = (src: HostTensor, result: { readonly dtype: HostTensor['dtype']; readonly shape: readonly number[] }): HostTensor =>
  mapElements(result, [castTensor(src, result.dtype)], (x) => x!);

/** A tensor like `self` filled with a number. */
export const FillScalar = defineOp({
  name: 'aten.fill.Scalar',
  summary: 'one number for all elements',
  operands: { self: tensor() },
  attrs: { value: attr.scalar() },
  infer: ({ operands: { self }, attrs: { value }, fail }) => {
    checkScalar('value', value, self.dtype, fail);
    return [self];
  },
  reference: ({ attrs: { value }, results: [result] }) => [copied(scalarTensor(value, result!.dtype), result!)],
});

/** A tensor like `self` filled with the element of a 0-d tensor. */
export const FillTensor = defineOp({
  name: 'aten.fill.Tensor',
  summary: 'one element for all',
  operands: { self: tensor(), value: tensor() },
  infer: ({ operands: { self, value }, fail }) =>
    value.shape.length === 0 ? [self] : fail(`value has rank ${value.shape.length}, expected a 0-d tensor`),
  reference: ({ operands: { value }, results: [result] }) => [copied(value, result!)],
  decompose: ({ operands: { value }, results: [result], builder }) => repeated(value, result!, builder),
});
