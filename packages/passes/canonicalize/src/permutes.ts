import { any, defineRule, no, op, type Rule, type Value, type Builder, type Node, yes } from '@qfuse/plugin';
import { aten } from '@qfuse/ops';

const self = any().as('self');

const permute = (value: Value, dims: readonly number[], b: Builder): Value => b.create(aten.Permute, { self: value }, { dims }).result;

const wrap = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Where each axis of the result comes from. */
export const permutationOf = (node: Node<typeof aten.Permute>): readonly number[] => node.attrs.dims.map((d) => wrap(d, node.attrs.dims.length));

/** transpose(x, a, b) ⇒ permute(x, axes with a and b swapped) */
const transpose = defineRule({
  name: 'canonicalize/transpose-to-permute',
  summary: 'transpose is a permute of two axes',
  root: op(aten.TransposeInt, { self }),
  numerics: 'exact',
  rewrite: ({ self: value }, b, { root }) => {
    const rank = value.type.shape.length;
    if (rank === 0) return value;
    const dims = Array.from({ length: rank }, (_, i) => i);
    const [p, q] = [wrap(root.attrs.dim0, rank), wrap(root.attrs.dim1, rank)];
    dims[p] = q;
    dims[q] = p;
    return permute(value, dims, b);
  },
});

/** t(x) ⇒ permute(x, [1, 0]), or x when it has fewer than two axes */
const t = defineRule({
  name: 'canonicalize/t-to-permute',
  summary: 't is a permute of two axes',
  root: op(aten.T, { self }),
  numerics: 'exact',
  rewrite: ({ self: value }, b) => (value.type.shape.length < 2 ? value : permute(value, [1, 0], b)),
});

/** permute(permute(x, p), q) ⇒ permute(x, p[q]) */
const chain = defineRule({
  name: 'canonicalize/permute-of-permute',
  summary: 'two permutes are one',
  root: op(aten.Permute, { self: op(aten.Permute, { self }).shared().as('inner') }),
  numerics: 'exact',
  rewrite: ({ self: value, inner }, b, { root }) => {
    const p = permutationOf(inner);
    return permute(value, permutationOf(root).map((i) => p[i]!), b);
  },
});

/** permute(x, [0, 1, …]) ⇒ x */
const identity = defineRule({
  name: 'canonicalize/permute-identity',
  summary: 'a permute that moves nothing goes',
  root: op(aten.Permute, { self }),
  numerics: 'exact',
  where: (_, { root }) => (permutationOf(root).every((d, i) => d === i) ? yes : no('the permute moves axes')),
  rewrite: ({ self: value }) => value,
});

/** Permutes: all spellings become `aten.permute`, chains become one, identities go. */
export const permuteRules: readonly Rule[] = [transpose, t, chain, identity];
