import { any, defineRule, no, op, type Rule, yes } from '@qfuse/plugin';
import { aten } from '@qfuse/ops';

/** native_layer_norm(x, shape, w, b, eps).0 ⇒ layer_norm(x, shape, w, b, eps)     mean and rstd unread */
const nativeLayerNorm = defineRule({
  name: 'canonicalize/native-layer-norm',
  summary: 'a layer norm whose statistics nobody reads is a plain one',
  root: op(aten.NativeLayerNorm, { input: any().as('input') }),
  numerics: 'exact',
  where: (_, { root }) => (root.results.slice(1).every((r) => r.useCount === 0) ? yes : no('its mean or rstd is read')),
  rewrite: ({ input }, b, { root }) => {
    const { normalized_shape, eps } = root.attrs;
    const norm = b.create(
      aten.LayerNorm,
      { input, weight: root.operandOrNone('weight'), bias: root.operandOrNone('bias') },
      { normalized_shape, eps },
    );
    return { results: [norm.result, undefined, undefined] };
  },
});

/** Norms in the spelling that kernels and fusions know. */
export const normRules: readonly Rule[] = [nativeLayerNorm];
