import { any, constant, defineRule, maybe, no, type Node, op, type Rule, scalarNumber, type Value, yes } from '@qfuse/plugin';
import { aten } from '@qfuse/ops';
import { biasOf, isBias } from './bias.js';
import { productRules } from './products.js';
import { viewAs } from './views.js';
import { isMatrix, knownMatrix, sameDim, transposed } from './weights.js';

/** linear(x, permute(W, [1, 0]), b) ⇒ linear(x, Wᵀ, b)     W known at compile time */
const permutedWeight = defineRule({
  name: 'canonicalize/linear-permuted-weight',
  summary: 'a weight that is known is transposed at compile time',
  root: op(aten.Linear, { input: any().as('x'), weight: op(aten.Permute, { self: knownMatrix }).shared().as('permute') }),
  numerics: 'exact',
  where: (m) => isMatrix(m),
  rewrite: (m, b, { root }) =>
    b.create(aten.Linear, { input: m.x, weight: transposed((m.dequantize?.result ?? m.kn)!, b), bias: root.operandOrNone('bias') }).result,
});

const biasless = maybe(op(aten.View).as('view'), 'self', op(aten.Linear, { input: any().as('x'), weight: any().as('w') }).as('linear'));
const bias = constant().as('bias');

interface Sum {
  readonly x: Value;
  readonly w: Value;
  readonly bias: Value;
  readonly linear: Node<typeof aten.Linear>;
  readonly view?: Node | undefined;
}

/**
 * add(linear(x, W), b) ⇒ linear(x, W, b)     b constant, one element a column, alpha = 1
 *
 * Also with a view between that keeps the columns, and with the operands of the sum exchanged.
 */
const addBias = (name: string, root: ReturnType<typeof sum>): Rule =>
  defineRule({
    name,
    summary: 'a constant that is added to a linear is its bias',
    root,
    numerics: 'reassociates',
    where: (m: Sum, { root: add, env }) => {
      const alpha = scalarNumber(add.attrs.alpha);
      const from = (m.view ?? m.linear).result;
      const columns = m.w.type.shape.length === 2 ? m.w.type.shape[0] : undefined;
      if (m.linear.operandOrNone('bias') !== undefined) return no('the linear has a bias already');
      if (alpha !== 1) return no(`alpha is ${alpha}, expected 1`);
      if (add.result.type !== from.type || m.bias.type.dtype !== from.type.dtype) return no('the sum has another type than the linear');
      if (!sameDim(env, from.type.shape.at(-1), columns)) return no('the view changes the columns of the linear');
      return isBias(m.bias, columns, env);
    },
    rewrite: (m: Sum, b, { root: add }) => {
      const linear = b.create(
        aten.Linear,
        { input: m.x, weight: m.w, bias: biasOf(m.bias, b) },
        {},
        { types: [m.linear.result.type] },
      ).result;
      return m.view === undefined ? linear : viewAs(linear, add.result.type, b);
    },
  });

const sum = (linearFirst: boolean) => op(aten.AddTensor, linearFirst ? { self: biasless, other: bias } : { self: bias, other: biasless });

/** linear(view(x, [rows, K]), W, b) ⇒ view(linear(x, W, b), [rows, N])     x has K last */
const viewBelow = defineRule({
  name: 'canonicalize/linear-of-view',
  summary: 'a linear does not care how its rows are arranged: the view goes behind it',
  root: op(aten.Linear, { input: op(aten.View, { self: any().as('x') }).shared() }),
  numerics: 'exact',
  where: ({ x }, { root, env }) => {
    const { shape } = root.operand('weight').type;
    if (shape.length !== 2) return no(`the weight has rank ${shape.length}, expected 2`);
    const bias = root.operandOrNone('bias');
    if (bias !== undefined && bias.type.shape.length > 1)
      return no(`the bias has rank ${bias.type.shape.length}, it may differ from row to row`);
    return sameDim(env, x.type.shape.at(-1), shape[1]) ? yes : no('the view changes the last axis');
  },
  rewrite: ({ x }, b, { root }) => {
    const linear = b.create(aten.Linear, { input: x, weight: root.operand('weight'), bias: root.operandOrNone('bias') });
    return viewAs(linear.result, root.result.type, b);
  },
});

/** Linears: every spelling becomes `aten.linear` with the weight as `[N, K]`, the bias inside and no views before it. */
export const linearRules: readonly Rule[] = [
  ...productRules,
  permutedWeight,
  addBias('canonicalize/add-to-bias', sum(true)),
  addBias('canonicalize/add-to-bias-exchanged', sum(false)),
  viewBelow,
];
