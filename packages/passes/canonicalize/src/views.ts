import { any, type AnyOp, defineRule, no, op, type OpDefinition, type Rule, type TensorType, yes } from '@qfuse/plugin';
import { allOps, aten } from '@qfuse/ops';

const x = any().as('x');

/** Every op that reads the same elements in the same order under another shape; a program's strides mean nothing here. */
const viewOps: readonly OpDefinition[] = allOps.filter((o) => o.view && o !== aten.View && o.variadic < 0);

const ruleName = (def: AnyOp): string => def.name.replace(/^aten\./, '').replace(/[._]+/g, '-').toLowerCase().replace(/^-/, '');

/** reshape(x, …), flatten(x), unsqueeze(x, d), … ⇒ view(x, shape of the result) */
const toView = (def: OpDefinition): Rule =>
  defineRule({
    name: `canonicalize/${ruleName(def)}-to-view`,
    summary: `${def.name} is a view with the shape of its result`,
    root: op(def, { [def.operandNames[0]!]: x }) as never,
    numerics: 'exact',
    rewrite: ({ x: value }: { x: Parameters<typeof sameType>[0] }, b, { root }) => b.create(aten.View, { self: value as never }, { size: root.result.type.shape }, { types: [root.result.type] }).result,
  });

const sameType = (a: { readonly type: TensorType }, b: { readonly type: TensorType }): boolean => a.type === b.type;

/** view(view(x, a), b) ⇒ view(x, b) */
const viewOfView = defineRule({
  name: 'canonicalize/view-of-view',
  summary: 'only the last of two views counts',
  root: op(aten.View, { self: op(aten.View, { self: x }).shared() }),
  numerics: 'exact',
  rewrite: ({ x: value }, b, { root }) => b.create(aten.View, { self: value }, { size: root.result.type.shape }, { types: [root.result.type] }).result,
});

/** view(x, shape of x) ⇒ x */
const sameShape = defineRule({
  name: 'canonicalize/view-same-shape',
  summary: 'a view with the shape that is there already changes nothing',
  root: op(aten.View, { self: x }),
  numerics: 'exact',
  where: ({ x: value }, { root }) => (sameType(value, root.result) ? yes : no('the view changes the shape')),
  rewrite: ({ x: value }) => value,
});

/** Views: all spellings become `aten.view`, chains become one, views that change nothing go. */
export const viewRules: readonly Rule[] = [...viewOps.map(toView), viewOfView, sameShape];
