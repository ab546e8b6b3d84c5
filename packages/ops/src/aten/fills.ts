import { attr, type Dim, type DType, type HostTensor, hostTensor, intScalar, type Scalar, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { defaultFloat } from '../promotion.js';
import { type Fail, shapeText } from '../shapes.js';
import { checkScalar, type ResultType, scalarTensor } from './support/elementwise.js';

const optionalDType = attr.optional(attr.dtype());
const zero = intScalar(0);
const one = intScalar(1);

/** A tensor with the same number everywhere. */
function filled(result: ResultType, value: Scalar): HostTensor {
  const out = hostTensor(result.dtype, result.shape);
  const [element] = scalarTensor(value, result.dtype).data;
  (out.data as { fill(x: number | bigint): unknown }).fill(element!);
  return out;
}

function checkSize(size: readonly Dim[], fail: Fail): readonly Dim[] {
  return size.some((d) => typeof d === 'number' && d < 0) ? fail(`size is ${shapeText(size)}, expected no negative numbers`) : size;
}

/** The dtype that `torch.full` finds for a number. */
const dtypeOf = ({ kind }: Scalar): DType => (kind === 'float' ? defaultFloat : kind === 'int' ? 'i64' : 'bool');

/** A tensor of shape `size` with `fill_value` everywhere; by default bool, i64 or f32 as the number is. */
export const Full = defineOp({
  name: 'aten.full',
  summary: 'one number everywhere',
  operands: {},
  attrs: { size: attr.dims(), fill_value: attr.scalar(), dtype: optionalDType },
  infer: ({ attrs: { size, fill_value: value, dtype = dtypeOf(value) }, fail }) => {
    checkScalar('fill_value', value, dtype, fail);
    return [tensorType(dtype, checkSize(size, fail))];
  },
  reference: ({ attrs: { fill_value: value }, results: [result] }) => [filled(result!, value)],
});

/** A tensor of the shape of `self` with `fill_value` everywhere; by default of its dtype. */
export const FullLike = defineOp({
  name: 'aten.full_like',
  summary: 'one number everywhere, in the shape of a tensor',
  operands: { self: tensor() },
  attrs: { fill_value: attr.scalar(), dtype: optionalDType },
  infer: ({ operands: { self }, attrs: { fill_value: value, dtype = self.dtype }, fail }) => {
    checkScalar('fill_value', value, dtype, fail);
    return [tensorType(dtype, self.shape)];
  },
  decompose: ({ attrs: { fill_value: value }, results: [result], builder }) => [
    builder.create(Full, {}, { size: result!.shape, fill_value: value, dtype: result!.dtype }).result,
  ],
});

/** A tensor of shape `size` with `fill_value` everywhere; by default of the dtype of `self`. */
export const NewFull = defineOp({
  name: 'aten.new_full',
  summary: 'one number everywhere, in the dtype of a tensor',
  operands: { self: tensor() },
  attrs: { size: attr.dims(), fill_value: attr.scalar(), dtype: optionalDType },
  infer: ({ operands: { self }, attrs: { size, fill_value: value, dtype = self.dtype }, fail }) => {
    checkScalar('fill_value', value, dtype, fail);
    return [tensorType(dtype, checkSize(size, fail))];
  },
  decompose: ({ attrs: { size, fill_value: value }, results: [result], builder }) => [
    builder.create(Full, {}, { size, fill_value: value, dtype: result!.dtype }).result,
  ],
});

const constant = (name: string, summary: string, value: Scalar) =>
  defineOp({
    name,
    summary,
    operands: {},
    attrs: { size: attr.dims(), dtype: optionalDType },
    infer: ({ attrs: { size, dtype = defaultFloat }, fail }) => [tensorType(dtype, checkSize(size, fail))],
    decompose: ({ attrs: { size }, results: [result], builder }) => [
      builder.create(Full, {}, { size, fill_value: value, dtype: result!.dtype }).result,
    ],
  });

const like = (name: string, summary: string, value: Scalar) =>
  defineOp({
    name,
    summary,
    operands: { self: tensor() },
    attrs: { dtype: optionalDType },
    infer: ({ operands: { self }, attrs: { dtype = self.dtype } }) => [tensorType(dtype, self.shape)],
    decompose: ({ results: [result], builder }) => [
      builder.create(Full, {}, { size: result!.shape, fill_value: value, dtype: result!.dtype }).result,
    ],
  });

const fresh = (name: string, summary: string, value: Scalar) =>
  defineOp({
    name,
    summary,
    operands: { self: tensor() },
    attrs: { size: attr.dims(), dtype: optionalDType },
    infer: ({ operands: { self }, attrs: { size, dtype = self.dtype }, fail }) => [tensorType(dtype, checkSize(size, fail))],
    decompose: ({ attrs: { size }, results: [result], builder }) => [
      builder.create(Full, {}, { size, fill_value: value, dtype: result!.dtype }).result,
    ],
  });

/** {@link Full} of 0, f32 by default. */
export const Zeros = constant('aten.zeros', 'zeros', zero);
/** {@link Full} of 1, f32 by default. */
export const Ones = constant('aten.ones', 'ones', one);
/** {@link FullLike} of 0. */
export const ZerosLike = like('aten.zeros_like', 'zeros in the shape of a tensor', zero);
/** {@link FullLike} of 1. */
export const OnesLike = like('aten.ones_like', 'ones in the shape of a tensor', one);
/** {@link NewFull} of 0. */
export const NewZeros = fresh('aten.new_zeros', 'zeros in the dtype of a tensor', zero);
/** {@link NewFull} of 1. */
export const NewOnes = fresh('aten.new_ones', 'ones in the dtype of a tensor', one);
/** A tensor whose elements nobody may rely on; zeros here. */
export const EmptyMemoryFormat = constant('aten.empty.memory_format', 'unspecified elements', zero);
/** {@link EmptyMemoryFormat} in the shape of `self`. */
export const EmptyLike = like('aten.empty_like', 'unspecified elements in the shape of a tensor', zero);
/** {@link EmptyMemoryFormat} in the dtype of `self`. */
export const NewEmpty = fresh('aten.new_empty', 'unspecified elements in the dtype of a tensor', zero);
