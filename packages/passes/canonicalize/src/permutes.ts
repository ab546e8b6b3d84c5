import { any, type Builder, defineRule, no, type Node, op, type OpDefinition, type Rule, type Value, yes } from '@qfuse/plugin';
import { aten } from '@qfuse/ops';
import { ruleNameOf } from './rule-name.js';

const self = any().as('self');

const permute = (value: Value, dims: readonly number[], b: Builder): Value => b.create(aten.Permute, { self: value }, { dims }).result;

/** Where each axis of the result comes from. */
export const permutationOf = ({ attrs: { dims } }: Node<typeof aten.Permute>): readonly number[] =>
  dims.map((d) => (d < 0 ? d + dims.length : d));

/** Ops that put the axes of a tensor in another order; each decomposes into the permute that it is. */
const spellings: readonly OpDefinition[] = [
  aten.PermuteCopy,
  aten.TransposeInt,
  aten.TransposeCopyInt,
  aten.Swapaxes,
  aten.T,
  aten.TCopy,
  aten.MT,
  aten.Adjoint,
  aten.NumpyT,
  aten.MovedimInt,
  aten.MovedimIntlist,
];

/** transpose(x, a, b), t(x), movedim(x, a, b), … ⇒ permute(x, dims) */
const toPermute = (def: OpDefinition): Rule =>
  defineRule({
    name: `canonicalize/${ruleNameOf(def)}-to-permute`,
    summary: `${def.name} is a permute`,
    root: op(def, { self }),
    numerics: 'exact',
    rewrite: ({ self: value }, b, { root, env }) =>
      def.decompose!({ operands: { self: value }, attrs: root.attrs, env, builder: b, results: [root.result.type] }),
  });

/** permute(permute(x, p), q) ⇒ permute(x, p[q]) */
const chain = defineRule({
  name: 'canonicalize/permute-of-permute',
  summary: 'two permutes are one',
  root: op(aten.Permute, { self: op(aten.Permute, { self }).shared().as('inner') }),
  numerics: 'exact',
  rewrite: ({ self: value, inner }, b, { root }) => {
    const p = permutationOf(inner);
    return permute(
      value,
      permutationOf(root).map((i) => p[i]!),
      b,
    );
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
export const permuteRules: readonly Rule[] = [...spellings.map(toPermute), chain, identity];
