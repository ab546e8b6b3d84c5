import { any, type Builder, constant, defineRule, type Dim, no, type Node, oneOf, op, type Rule, scalarNumber, type ShapeEnv, type Value, type Verdict, yes } from '@qfuse/plugin';
import { aten, quant } from '@qfuse/ops';
import { permutationOf } from './permutes.js';
import { canTranspose, transposed } from './transpose-weight.js';

/** A weight as `[N, K]`: behind a permute of two axes, or known at compile time as `[K, N]` and transposed there. */
const weight = oneOf(
  op(aten.Permute, { self: any().as('nk') }).shared().as('permute'),
  op(quant.Dequantize, { input: constant() }).shared().as('dequantize'),
  constant().as('kn'),
);

interface Weight {
  readonly nk?: Value | undefined;
  readonly permute?: Node<typeof aten.Permute> | undefined;
  readonly dequantize?: Node<typeof quant.Dequantize> | undefined;
  readonly kn?: Value | undefined;
}

function isWeight({ permute, dequantize, kn }: Weight): Verdict {
  if (permute !== undefined) return permutationOf(permute).join() === '1,0' ? yes : no(`the second operand is permuted by [${permutationOf(permute).join(', ')}], expected [1, 0]`);
  if (dequantize !== undefined) return canTranspose(dequantize);
  return kn?.type.shape.length === 2 ? yes : no('the second operand has not two axes');
}

const weightValue = (m: Weight, b: Builder): Value => m.nk ?? transposed((m.dequantize?.result ?? m.kn)!, b);

const sameDim = (env: ShapeEnv, a: Dim | undefined, b: Dim | undefined): boolean => a !== undefined && b !== undefined && env.equal(a, b) === 'yes';

/** mm(x, Wᵀ) ⇒ linear(x, W) */
const mm = defineRule({
  name: 'canonicalize/mm-to-linear',
  summary: 'a product with a transposed or constant matrix is a linear',
  root: op(aten.Mm, { self: any().as('x'), mat2: weight }),
  numerics: 'reassociates',
  where: (m) => isWeight(m),
  rewrite: (m, b) => b.create(aten.Linear, { input: m.x, weight: weightValue(m, b) }).result,
});

/** matmul(x, Wᵀ) ⇒ linear(x, W)     W with two axes, x with at least one */
const matmul = defineRule({
  name: 'canonicalize/matmul-to-linear',
  summary: 'a product with a transposed or constant matrix is a linear',
  root: op(aten.Matmul, { self: any().as('x'), other: weight }),
  numerics: 'reassociates',
  where: (m, { root }) => {
    if (root.operand('other').type.shape.length !== 2) return no('the second operand has not two axes');
    return m.x.type.shape.length === 0 ? no('the first operand is a scalar') : isWeight(m);
  },
  rewrite: (m, b) => b.create(aten.Linear, { input: m.x, weight: weightValue(m, b) }).result,
});

/** addmm(b, x, Wᵀ) ⇒ linear(x, W, b)     alpha = beta = 1, b with one element a column */
const addmm = defineRule({
  name: 'canonicalize/addmm-to-linear',
  summary: 'a product plus a bias is a linear',
  root: op(aten.Addmm, { self: any().as('bias'), mat1: any().as('x'), mat2: weight }),
  numerics: 'reassociates',
  where: (m, { root, env }) => {
    const { alpha, beta } = root.attrs;
    if (scalarNumber(alpha) !== 1 || scalarNumber(beta) !== 1) return no(`alpha is ${scalarNumber(alpha)} and beta ${scalarNumber(beta)}, expected 1`);
    if (m.bias.type.shape.length !== 1 || !sameDim(env, m.bias.type.shape[0], root.result.type.shape[1])) return no('the first operand is not a bias: expected one element a column');
    return isWeight(m);
  },
  rewrite: (m, b) => b.create(aten.Linear, { input: m.x, weight: weightValue(m, b), bias: m.bias }).result,
});

/** bmm(x, expand(Wᵀ, [B, K, N])) ⇒ linear(x, W)     the same matrix for every batch */
const bmm = defineRule({
  name: 'canonicalize/bmm-to-linear',
  summary: 'a batched product with one matrix for all batches is a linear',
  root: op(aten.Bmm, { self: any().as('x'), mat2: op(aten.Expand, { self: weight }).shared().as('expand') }),
  numerics: 'reassociates',
  where: (m) => (m.expand.operand('self').type.shape.length === 2 ? isWeight(m) : no('the expanded operand has not two axes')),
  rewrite: (m, b) => b.create(aten.Linear, { input: m.x, weight: weightValue(m, b) }).result,
});

/** add(linear(x, W), b) ⇒ linear(x, W, b)     b constant, one element a column, alpha = 1 */
const addBias = defineRule({
  name: 'canonicalize/add-to-bias',
  summary: 'a constant that is added to a linear is its bias',
  root: op(aten.AddTensor, { self: op(aten.Linear, { input: any().as('x'), weight: any().as('w') }).as('linear'), other: constant().as('bias') }),
  numerics: 'reassociates',
  where: ({ linear, bias, w }, { root, env }) => {
    if (linear.operandOrNone('bias') !== undefined) return no('the linear has a bias already');
    if (scalarNumber(root.attrs.alpha) !== 1) return no(`alpha is ${scalarNumber(root.attrs.alpha)}, expected 1`);
    if (root.result.type !== linear.result.type || bias.type.dtype !== linear.result.type.dtype) return no('the sum has another type than the linear');
    const fits = w.type.shape.length === 2 && bias.type.shape.length === 1 && sameDim(env, bias.type.shape[0], w.type.shape[0]);
    return fits ? yes : no('the constant has not one element a column');
  },
  rewrite: ({ x, w, bias }, b) => b.create(aten.Linear, { input: x, weight: w, bias }).result,
});

/** linear(view(x, [rows, K]), W, b) ⇒ view(linear(x, W, b), [rows, N])     x has K last */
const viewBelow = defineRule({
  name: 'canonicalize/linear-of-view',
  summary: 'a linear does not care how its rows are arranged: the view goes behind it',
  root: op(aten.Linear, { input: op(aten.View, { self: any().as('x') }).shared() }),
  numerics: 'exact',
  where: ({ x }, { root, env }) => {
    const k = root.operand('weight').type.shape.at(-1);
    if (root.operand('weight').type.shape.length !== 2) return no('the weight has not two axes');
    return sameDim(env, x.type.shape.at(-1), k) ? yes : no('the view changes the last axis');
  },
  rewrite: ({ x }, b, { root }) => {
    const linear = b.create(aten.Linear, { input: x, weight: root.operand('weight'), bias: root.operandOrNone('bias') });
    return b.create(aten.View, { self: linear.result }, { size: root.result.type.shape }, { types: [root.result.type] }).result;
  },
});

/** Linears: every spelling becomes `aten.linear` with the weight as `[N, K]`, the bias inside and no views around. */
export const linearRules: readonly Rule[] = [mm, matmul, addmm, bmm, addBias, viewBelow];
