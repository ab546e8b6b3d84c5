import { any, type AnyOp, defineRule, no, op, type Rule, scalarNumber, type Value, yes } from '@qfuse/plugin';
import { aten } from '@qfuse/ops';

const ruleName = (def: AnyOp): string => def.name.replace(/^aten\./, '').replace(/[._]+/g, '-').toLowerCase().replace(/^-/, '');

/** Ops that hand on their first operand when type and shape stay: copies, casts to the same dtype, expands to the same shape. */
const copies: readonly AnyOp[] = [aten.Clone, aten.Contiguous, aten.Alias, aten.Detach, aten.LiftFreshCopy, aten.Dropout, aten.ToDtype, aten.ToDtypeLayout, aten.ToDevice, aten.ToCopy, aten.Expand, aten.BroadcastTo, aten.ExpandAs];

/** clone(x) ⇒ x, to(x, dtype of x) ⇒ x, expand(x, shape of x) ⇒ x, dropout(x) outside training ⇒ x, … */
const handsOn = (def: AnyOp): Rule =>
  defineRule({
    name: `canonicalize/${ruleName(def)}-identity`,
    summary: `${def.name} that changes neither dtype nor shape goes`,
    root: op(def, { [def.operandNames[0]!]: any().as('x') } as never),
    numerics: 'exact',
    where: (m, { root }) => ((m as { x: Value }).x.type === root.result.type ? yes : no(`${def.name} changes the type`)),
    rewrite: (m) => (m as { x: Value }).x,
  });

/** slice(x, d, 0, size of d, 1) ⇒ x */
const wholeSlice = defineRule({
  name: 'canonicalize/slice-whole',
  summary: 'a slice that takes everything goes',
  root: op(aten.SliceTensor, { self: any().as('x') }),
  numerics: 'exact',
  where: ({ x }, { root }) => {
    // A slice of the same length with step 1 starts at 0.
    const { step } = root.attrs;
    if (step !== 1) return no(`the step is ${String(step)}`);
    return x.type === root.result.type ? yes : no('the slice takes a part');
  },
  rewrite: ({ x }) => x,
});

/** add(x, 0) ⇒ x and mul(x, 1) ⇒ x for integers; for floats x + 0 would turn −0 into 0, x · 1 is exact */
const neutral = (def: AnyOp, element: 0 | 1, floats: boolean): Rule =>
  defineRule({
    name: `canonicalize/${ruleName(def)}-neutral`,
    summary: `${def.name} with ${element} changes nothing`,
    root: op(def, { self: any().as('x') } as never),
    numerics: 'exact',
    where: (m, { root }) => {
      const { x } = m as { x: Value };
      const attrs = root.attrs as { other: Parameters<typeof scalarNumber>[0]; alpha?: Parameters<typeof scalarNumber>[0] };
      if (scalarNumber(attrs.other) !== element) return no(`the other operand is not ${element}`);
      if (x.type !== root.result.type) return no(`${def.name} changes the dtype`);
      return floats || !['f64', 'f32', 'f16', 'bf16'].includes(x.type.dtype) ? yes : no('adding 0 to floats turns -0 into 0');
    },
    rewrite: (m) => (m as { x: Value }).x,
  });

/** Nodes that change nothing. */
export const identityRules: readonly Rule[] = [...copies.map(handsOn), wholeSlice, neutral(aten.AddScalar, 0, false), neutral(aten.SubScalar, 0, true), neutral(aten.MulScalar, 1, true), neutral(aten.DivScalar, 1, true)];
