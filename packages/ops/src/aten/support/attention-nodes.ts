import { type Builder, boolScalar, type Dim, dimFloorDiv, dimMul, floatScalar, type Value } from '@qfuse/ir';
import { AddTensor, MulScalar } from '../arithmetic.js';
import { ToCopy } from '../casts.js';
import { Expand } from '../expand.js';
import { Full } from '../fills.js';
import { Matmul } from '../matmul.js';
import { TransposeInt } from '../permute.js';
import { Reshape } from '../reshape.js';
import { SafeSoftmax, Softmax } from '../softmax.js';
import { Unsqueeze } from '../squeeze.js';
import { Tril } from '../triangle.js';
import { WhereScalarOther } from '../where.js';

/** Operands of an attention in a graph. */
export interface AttentionValues {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
  readonly mask: Value | undefined;
}

const minusInfinity = floatScalar(-Infinity);

/** Each head (axis -3) of `x` as often as it takes to have `heads`. */
function repeatHeads(builder: Builder, x: Value, heads: Dim): Value {
  const { shape } = x.type;
  const own = shape.at(-3)!;
  if (own === heads) return x;
  const [lead, matrix] = [shape.slice(0, -3), shape.slice(-2)];
  const apart = builder.create(Unsqueeze, { self: x }, { dim: -3 }).result;
  const wide = builder.create(Expand, { self: apart }, { size: [...lead, own, dimFloorDiv(heads, own), ...matrix] }).result;
  return builder.create(Reshape, { self: wide }, { shape: [...lead, dimMul(own, dimFloorDiv(heads, own)), ...matrix] }).result;
}

/** `softmax(query · keyᵀ · scale + mask) · value` as nodes; `grouped` heads of key and value are repeated first. */
export function attentionNodes(builder: Builder, values: AttentionValues, causal: boolean, scale: number, grouped: boolean): Value {
  const { query, mask } = values;
  const heads = query.type.shape.at(-3)!;
  const [key, value] = [values.key, values.value].map((x) => (grouped ? repeatHeads(builder, x, heads) : x)) as [Value, Value];
  const scaled = builder.create(MulScalar, { self: query }, { other: floatScalar(scale) }).result;
  const turned = builder.create(TransposeInt, { self: key }, { dim0: -2, dim1: -1 }).result;
  let scores = builder.create(Matmul, { self: scaled, other: turned }).result;
  const { dtype } = scores.type;
  if (mask?.type.dtype === 'bool')
    scores = builder.create(WhereScalarOther, { condition: mask, self: scores }, { other: minusInfinity }).result;
  else if (mask !== undefined) {
    const same = mask.type.dtype === dtype ? mask : builder.create(ToCopy, { self: mask }, { dtype }).result;
    scores = builder.create(AddTensor, { self: scores, other: same }).result;
  }
  if (causal) {
    const all = builder.create(Full, {}, { size: scores.type.shape.slice(-2), fill_value: boolScalar(true), dtype: 'bool' }).result;
    const lower = builder.create(Tril, { self: all }).result;
    scores = builder.create(WhereScalarOther, { condition: lower, self: scores }, { other: minusInfinity }).result;
  }
  // Only a mask can leave a row without a score: causal ones keep the first column.
  const shares =
    mask === undefined
      ? builder.create(Softmax, { self: scores }, { dim: -1, half_to_float: false })
      : builder.create(SafeSoftmax, { self: scores }, { dim: -1 });
  return builder.create(Matmul, { self: shares.result, other: value }).result;
}
