import {
  attr,
  type Dim,
  dimFloorDiv,
  dimMul,
  isFloat,
  optionalTensor,
  QfuseError,
  type ShapeEnv,
  tensor,
  type TensorType,
  tensorType,
} from '@qfuse/ir';
import { defineOp } from '../define.js';
import { broadcastShapes, type Fail, shapeText } from '../shapes.js';
import { attentionNodes } from './support/attention-nodes.js';
import { attend } from './support/attention.js';

interface Shapes {
  readonly query: TensorType;
  readonly key: TensorType;
  readonly value: TensorType;
  readonly attn_mask?: TensorType | undefined;
}

/** Batch axes of the result. With `grouped`, heads of key and value (axis -3) serve equal runs of query heads. */
function batchOf({ query, key, value }: Shapes, grouped: boolean, env: ShapeEnv, fail: Fail): readonly Dim[] {
  const leads = [query, key, value].map((t) => t.shape.slice(0, -2));
  if (!grouped) return broadcastShapes(env, leads, fail);
  const heads = query.shape.at(-3);
  return broadcastShapes(
    env,
    leads.map((lead) => {
      const own = lead.at(-1);
      if (heads === undefined || own === undefined)
        return fail(
          `operands have shapes ${[query, key, value].map((t) => shapeText(t.shape)).join(', ')}, expected heads on axis -3 for enable_gqa`,
        );
      const divides =
        own === heads ||
        (own === 0
          ? false
          : typeof own === 'number'
            ? env.divides(own, heads) !== 'no'
            : env.equal(dimMul(dimFloorDiv(heads, own), own), heads) !== 'no');
      if (!divides) fail(`query has ${shapeText([heads])} heads, expected a multiple of ${shapeText([own])} for enable_gqa`);
      return [...lead.slice(0, -1), heads];
    }),
    fail,
  );
}

/** Result type, or a refusal: query `[…, L, E]`, key `[…, S, E]`, value `[…, S, V]`, mask broadcastable to `[…, L, S]`. */
function inferAttention(types: Shapes, grouped: boolean, env: ShapeEnv, fail: Fail): TensorType {
  const { query, key, value, attn_mask: mask } = types;
  if (!isFloat(query.dtype) || key.dtype !== query.dtype || value.dtype !== query.dtype)
    fail(`query, key and value are ${query.dtype}, ${key.dtype} and ${value.dtype}, expected one float dtype`);
  for (const [name, t] of Object.entries({ query, key, value, mask }))
    if (t !== undefined && t.shape.length < 2) fail(`${name} has shape ${shapeText(t.shape)}, expected at least 2 axes`);
  const differ = (a: Dim | undefined, b: Dim | undefined): boolean => env.equal(a!, b!) === 'no';
  if (differ(query.shape.at(-1), key.shape.at(-1)))
    fail(`query has shape ${shapeText(query.shape)} and key ${shapeText(key.shape)}, expected equal last dims`);
  if (differ(key.shape.at(-2), value.shape.at(-2)))
    fail(`key has shape ${shapeText(key.shape)} and value ${shapeText(value.shape)}, expected equal dims -2`);
  const batch = batchOf(types, grouped, env, fail);
  const rows = query.shape.at(-2)!;
  if (mask !== undefined) {
    if (mask.dtype !== 'bool' && mask.dtype !== 'f32' && mask.dtype !== query.dtype)
      fail(`attn_mask is ${mask.dtype}, expected bool, f32 or ${query.dtype}`);
    const scores = [...batch, rows, key.shape.at(-2)!];
    const lead = scores.length - mask.shape.length;
    if (lead < 0 || mask.shape.some((d, i) => d !== 1 && differ(d, scores[lead + i])))
      fail(`attn_mask has shape ${shapeText(mask.shape)}, expected one that broadcasts to ${shapeText(scores)}`);
  }
  return tensorType(query.dtype, [...batch, rows, value.shape.at(-1)!]);
}

/**
 * `softmax(query · keyᵀ · scale + mask) · value`; scale defaults to `1 / sqrt(E)`. Query `[…, L, E]`, key `[…, S, E]`,
 * value `[…, S, V]`, result `[…, L, V]`. A bool mask keeps the scores where it is true, a float mask is added;
 * `is_causal` keeps scores of columns up to the row. A row without any score left gives 0. With `enable_gqa` each head
 * (axis -3) of key and value serves an equal run of query heads. Dropout is refused.
 */
export const ScaledDotProductAttention = defineOp({
  name: 'aten.scaled_dot_product_attention',
  summary: 'attention of queries to keys and values',
  operands: { query: tensor(), key: tensor(), value: tensor(), attn_mask: optionalTensor() },
  attrs: {
    dropout_p: attr.optional(attr.float(), 0),
    is_causal: attr.optional(attr.bool(), false),
    scale: attr.optional(attr.float()),
    enable_gqa: attr.optional(attr.bool(), false),
  },
  infer: ({ operands, attrs, env, fail }) => {
    if (attrs.dropout_p !== 0) fail(`dropout_p is ${attrs.dropout_p}, expected 0: export the model in evaluation mode`);
    return [inferAttention(operands, attrs.enable_gqa, env, fail)];
  },
  reference: ({ operands: { query, key, value, attn_mask }, attrs, results }) => {
    const scale = attrs.scale ?? 1 / Math.sqrt(query.shape.at(-1)!);
    return [attend({ query, key, value, mask: attn_mask, causal: attrs.is_causal, scale, result: results[0]! })];
  },
  decompose: ({ operands: { query, key, value, attn_mask: mask }, attrs, builder, env }) => {
    const width = env.simplify(query.type.shape.at(-1)!);
    if (attrs.scale === undefined && typeof width !== 'number')
      throw new QfuseError(
        'ops/symbolic-scale',
        `the default scale of attention is 1 / sqrt(E), but E is the symbolic dim ${shapeText([width])}`,
        { help: 'give scale' },
      );
    return [
      attentionNodes(
        builder,
        { query, key, value, mask },
        attrs.is_causal,
        attrs.scale ?? 1 / Math.sqrt(width as number),
        attrs.enable_gqa,
      ),
    ];
  },
});
