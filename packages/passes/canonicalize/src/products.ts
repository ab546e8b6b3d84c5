import {
  any,
  type Dim,
  defineRule,
  maybe,
  no,
  type Node,
  op,
  type Rule,
  scalarNumber,
  type ShapeEnv,
  type Verdict,
  yes,
} from '@qfuse/plugin';
import { aten } from '@qfuse/ops';
import { biasOf, isBias } from './bias.js';
import { isMatrix, type Matrix, matrix, matrixValue, sameDim, weightOf } from './weights.js';

/** mm(x, Wᵀ) ⇒ linear(x, W) */
const mm = defineRule({
  name: 'canonicalize/mm-to-linear',
  summary: 'a product with a transposed or constant matrix is a linear',
  root: op(aten.Mm, { self: any().as('x'), mat2: matrix }),
  numerics: 'reassociates',
  where: (m) => isMatrix(m),
  rewrite: (m, b) => b.create(aten.Linear, { input: m.x, weight: weightOf(m, b) }).result,
});

/** matmul(x, Wᵀ) ⇒ linear(x, W)     W with two axes, x with at least one */
const matmul = defineRule({
  name: 'canonicalize/matmul-to-linear',
  summary: 'a product with a transposed or constant matrix is a linear',
  root: op(aten.Matmul, { self: any().as('x'), other: matrix }),
  numerics: 'reassociates',
  where: (m) => isMatrix(m),
  rewrite: (m, b) => b.create(aten.Linear, { input: m.x, weight: weightOf(m, b) }).result,
});

/** addmm(b, x, Wᵀ) ⇒ linear(x, W, b)     alpha = beta = 1, b with one element a column */
const addmm = defineRule({
  name: 'canonicalize/addmm-to-linear',
  summary: 'a product plus a bias is a linear',
  root: op(aten.Addmm, { self: any().as('bias'), mat1: any().as('x'), mat2: matrix }),
  numerics: 'reassociates',
  where: (m, { root, env }) => {
    const [alpha, beta] = [scalarNumber(root.attrs.alpha), scalarNumber(root.attrs.beta)];
    if (alpha !== 1 || beta !== 1) return no(`alpha is ${alpha} and beta ${beta}, expected 1`);
    const verdict = isBias(m.bias, root.result.type.shape[1], env);
    return verdict.ok ? isMatrix(m) : verdict;
  },
  rewrite: (m, b) => b.create(aten.Linear, { input: m.x, weight: weightOf(m, b), bias: biasOf(m.bias, b) }).result,
});

const batched = maybe(
  op(aten.View).shared().as('folded'),
  'self',
  maybe(op(aten.Expand).shared().as('expand'), 'self', maybe(op(aten.View).shared().as('unfolded'), 'self', matrix)),
);

interface Batched extends Matrix {
  readonly folded?: Node | undefined;
  readonly expand?: Node | undefined;
  readonly unfolded?: Node | undefined;
}

/** Whether every batch has the whole matrix: views and expands only touch axes before the last two. */
function repeatsMatrix(m: Batched, env: ShapeEnv): Verdict {
  const [k, n] = matrixValue(m).type.shape;
  for (const node of [m.unfolded, m.expand, m.folded]) {
    if (node === undefined) continue;
    const shape: readonly Dim[] = node.result.type.shape;
    if (!sameDim(env, shape.at(-2), k) || !sameDim(env, shape.at(-1), n))
      return no(`${node.op.name} changes the last two axes of the second operand`);
  }
  return yes;
}

/** bmm(x, expand(Wᵀ, [B, K, N])) ⇒ linear(x, W)     the same matrix for every batch, views between that keep it */
const bmm = defineRule({
  name: 'canonicalize/bmm-to-linear',
  summary: 'a batched product with one matrix for all batches is a linear',
  root: op(aten.Bmm, { self: any().as('x'), mat2: batched }),
  numerics: 'reassociates',
  where: (m, { env }) => {
    const verdict = isMatrix(m);
    return verdict.ok ? repeatsMatrix(m, env) : verdict;
  },
  rewrite: (m, b) => b.create(aten.Linear, { input: m.x, weight: weightOf(m, b) }).result,
});

/** Products with a matrix that stands for a weight. */
export const productRules: readonly Rule[] = [mm, matmul, addmm, bmm];
