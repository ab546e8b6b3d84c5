import {
  any,
  type Builder,
  defineRule,
  type Dim,
  no,
  op,
  type OpDefinition,
  type Rule,
  type ShapeEnv,
  type TensorType,
  type Value,
  yes,
} from '@qfuse/plugin';
import { allOps, aten } from '@qfuse/ops';
import { ruleNameOf } from './rule-name.js';

const self = any().as('self');

/**
 * Every op that reads the same elements in the same order under another shape. Strides mean nothing here: also where
 * torch cannot view a permuted tensor, `view` means reshape.
 */
const spellings: readonly OpDefinition[] = [
  ...allOps.filter((o) => o.view && o !== aten.View && o.variadic < 0),
  aten.ViewAs,
  aten.ReshapeAs,
];

/** A view of exactly this type: no -1 is left in its size, and what a file states of symbolic dims is kept. */
export const viewAs = (value: Value, type: TensorType, b: Builder): Value =>
  b.create(aten.View, { self: value }, { size: type.shape }, { types: [type] }).result;

const sameDims = (env: ShapeEnv, a: readonly Dim[], b: readonly Dim[]): boolean =>
  a.length === b.length && a.every((d, i) => env.equal(d, b[i]!) === 'yes');

/** reshape(x, …), flatten(x), unsqueeze(x, d), clone(x), … ⇒ view(x, shape of the result) */
const toView = (def: OpDefinition): Rule =>
  defineRule({
    name: `canonicalize/${ruleNameOf(def)}-to-view`,
    summary: `${def.name} is a view with the shape of its result`,
    root: op(def, { [def.operandNames[0]!]: self } as { self: typeof self }),
    numerics: 'exact',
    rewrite: ({ self: value }, b, { root }) => viewAs(value, root.result.type, b),
  });

/** view(x, [-1, 4]) ⇒ view(x, shape of the result) */
const statedSize = defineRule({
  name: 'canonicalize/view-size',
  summary: 'a view states its whole size',
  root: op(aten.View, { self }),
  numerics: 'exact',
  where: (_, { root }) => {
    const { size } = root.attrs;
    return size.every((d, i) => d === root.result.type.shape[i]) ? no('the size is stated already') : yes;
  },
  rewrite: ({ self: value }, b, { root }) => viewAs(value, root.result.type, b),
});

/** view(view(x, a), b) ⇒ view(x, b) */
const viewOfView = defineRule({
  name: 'canonicalize/view-of-view',
  summary: 'only the last of two views counts',
  root: op(aten.View, { self: op(aten.View, { self }).shared() }),
  numerics: 'exact',
  rewrite: ({ self: value }, b, { root }) => viewAs(value, root.result.type, b),
});

/** view(x, shape of x) ⇒ x */
const sameShape = defineRule({
  name: 'canonicalize/view-same-shape',
  summary: 'a view with the shape that is there already changes nothing',
  root: op(aten.View, { self }),
  numerics: 'exact',
  where: ({ self: value }, { root, env }) =>
    sameDims(env, value.type.shape, root.result.type.shape) ? yes : no('the view changes the shape'),
  rewrite: ({ self: value }) => value,
});

/** Views: all spellings become `aten.view`, chains become one, views that change nothing go. */
export const viewRules: readonly Rule[] = [...spellings.map(toView), statedSize, viewOfView, sameShape];
