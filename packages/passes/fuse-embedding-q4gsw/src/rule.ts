import { any, constant, defineRule, no, op, type OpDefinition, type Rule, yes } from '@qfuse/plugin';
import { aten, fused, quant, quantizedWeight, readAsWeight, weightValues } from '@qfuse/ops';

const dequantize = op(quant.Dequantize, { input: constant().as('weight'), scale: constant().as('scales') })
  .shared()
  .as('dequantize');

const ops = {
  channel: { 4: fused.EmbeddingQ4csw, 8: fused.EmbeddingQ8csw },
  group: { 4: fused.EmbeddingQ4gsw, 8: fused.EmbeddingQ8gsw },
} as const satisfies Record<string, Record<number, OpDefinition>>;

/**
 * embedding(dequantize(w, s, z), i) ⇒ embedding_q4gsw(i4(w), s, i, z)     −8 ≤ w ≤ 7, s and z one for each group of a row
 *                                   ⇒ embedding_q8gsw(w, s, i, z)       −128 ≤ w ≤ 127
 *                                   ⇒ embedding_q4csw, embedding_q8csw       one s and z a row
 *
 * Only the rows that are looked up are dequantized. Unsigned w are moved with their z: up to 15 by 8, else by 128.
 */
export const quantizedTable: Rule = defineRule({
  name: 'fuse-embedding-q4gsw/quantized-table',
  summary: 'a lookup in a dequantized table reads the integers itself',
  root: op(aten.Embedding, { weight: dequantize, indices: any().as('indices') }),
  numerics: 'exact',
  where: ({ dequantize: dq }) => {
    const found = quantizedWeight(dq, true);
    if (!found.ok) return found;
    const readers = readAsWeight(dq);
    return readers.ok ? yes : no(readers.why);
  },
  rewrite: ({ indices, dequantize: dq }, b) => {
    const found = quantizedWeight(dq, true);
    if (!found.ok) throw new Error(found.why);
    const { granularity, bits } = found.weight;
    const { dtype, compute } = dq.attrs;
    const Embedding = ops[granularity][bits] as typeof fused.EmbeddingQ4gsw;
    return b.create(Embedding, { ...weightValues(found.weight, dq, b), indices }, { dtype, compute: compute === dtype ? 'f32' : compute })
      .result;
  },
});
