import { type Dim, type Node, no, type Scalar, scalarNumber, type Value, type Verdict, yes } from '@qfuse/plugin';
import {
  type Binding,
  type Cost,
  defineKernel,
  type Dispatch,
  type ErrorBound,
  type KernelSample,
  type ParameterType,
  type Sizes,
  type WebGPUKernel,
} from '../kernel.js';
import type { WebGPUTarget } from '../target.js';
import { bindValue } from '../wgsl/elements.js';
import { broadcastIndexing, type Indexing, rowMajor } from '../wgsl/indexing.js';
import { type Extents, matmulDispatches } from '../wgsl/matmul.js';
import { f32Literal } from '../wgsl/shader.js';
import { attrOf, op, present } from './ops.js';
import { f32, samplesOf } from './samples.js';

/**
 * Products of f32 matrices in all spellings of ATen: `mm`, `bmm`, `matmul` (broadcast batches, vectors), `linear`
 * (weight [N, K]), `addmm` and `baddbmm` (`beta · self + alpha · product`). Sums are in f32.
 */
interface Product {
  readonly a: Value;
  readonly b: Value;
  /** `b` is [N, K]. */
  readonly transposed?: boolean;
  /** Added to the product; broadcasts to the result. */
  readonly addend?: Value | undefined;
  readonly alpha?: number;
  readonly beta?: number;
}

const bound: ErrorBound = { absolute: 1e-6, relative: 2 ** -16, sums: true };

const scalar = (node: Node, name: string): number => scalarNumber(attrOf<Scalar | undefined>(node, name) ?? { kind: 'int', value: 1 });
const added = (node: Node, a: string, b: string): Product => ({
  a: node.operand(a),
  b: node.operand(b),
  addend: node.operand('self'),
  alpha: scalar(node, 'alpha'),
  beta: scalar(node, 'beta'),
});

const products: Readonly<Record<string, (node: Node) => Product>> = {
  mm: (node) => ({ a: node.operand('self'), b: node.operand('mat2') }),
  bmm: (node) => ({ a: node.operand('self'), b: node.operand('mat2') }),
  matmul: (node) => ({ a: node.operand('self'), b: node.operand('other') }),
  mv: (node) => ({ a: node.operand('self'), b: node.operand('vec') }),
  dot: (node) => ({ a: node.operand('self'), b: node.operand('tensor') }),
  linear: (node) => ({ a: node.operand('input'), b: node.operand('weight'), transposed: true, addend: node.operandOrNone('bias') }),
  addmm: (node) => added(node, 'mat1', 'mat2'),
  baddbmm: (node) => added(node, 'batch1', 'batch2'),
  addmv: (node) => added(node, 'mat', 'vec'),
};

const supports = (node: Node): Verdict => {
  const other = present(node).find((v) => v.type.dtype !== 'f32');
  if (other !== undefined) return no(`an operand is ${other.type.dtype}, expected f32`);
  const bias = node.op === op('aten.linear') ? node.operandOrNone('bias') : undefined;
  return bias === undefined || bias.type.shape.length <= 1 ? yes : no(`the bias has rank ${bias.type.shape.length}, expected at most 1`);
};

/** Shapes of the operands as matrices with batch axes; a vector on the left is a row, on the right a column. */
function matrices({ a, b, transposed }: Product): {
  readonly left: readonly Dim[];
  readonly right: readonly Dim[];
  readonly wide: boolean;
} {
  const [sa, sb] = [a.type.shape, b.type.shape];
  const left = sa.length === 1 ? [1, ...sa] : sa;
  const right = sb.length > 1 ? sb : transposed === true ? [1, ...sb] : [...sb, 1];
  // A linear layer's input is one tall matrix, whatever its batch axes.
  return { left, right, wide: transposed === true };
}

interface Geometry extends Extents {
  readonly strides: Readonly<Record<string, number>>;
}

function geometry(product: Product, output: Value, sizes: Sizes): Geometry {
  const { left, right, wide } = matrices(product);
  const [l, r] = [left.map((d) => sizes.dim(d)), right.map((d) => sizes.dim(d))];
  const k = l.at(-1)!;
  const n = product.transposed === true ? r.at(-2)! : r.at(-1)!;
  const [wk, wn] = product.transposed === true ? [1, k] : [n, 1];
  const count = sizes.count(output);
  const m = wide ? (n === 0 ? 0 : count / n) : l.at(-2)!;
  const batch = m * n === 0 ? 0 : count / (m * n);
  return { batch, m, n, k, strides: { am: k, wk, wn, w_along_k: wk === 1 && wn !== 1 ? 1 : 0 } };
}

/** Batch offsets: index arithmetic over the batch axes of the result, which operands may lack or have as 1. */
function batches(
  product: Product,
  output: Value,
): {
  readonly declarations: string;
  readonly parameters: Indexing['parameters'];
  readonly values: (sizes: Sizes) => Record<string, number>;
} {
  const { left, right, wide } = matrices(product);
  const lead = wide ? [] : output.type.shape.slice(0, Math.max(left.length, right.length) - 2);
  const [la, lb] = wide ? [[], []] : [left.slice(0, -2), right.slice(0, -2)];
  const index = broadcastIndexing(lead, [la, lb]);
  const single = lead.length === 0;
  const offset = (k: number): string => (single ? 'return 0u;' : `${index.coordinates}\n  return ${index.at[k]};`);
  return {
    declarations: `fn batch_a(i: u32) -> u32 { ${offset(0)} }\nfn batch_w(i: u32) -> u32 { ${offset(1)} }`,
    parameters: single ? {} : index.parameters,
    values: (sizes) => (single ? {} : index.values(sizes)),
  };
}

function emit(node: Node, product: Product, target: WebGPUTarget): readonly Dispatch[] {
  const output = node.results[0]!;
  const { a, b, addend, alpha = 1, beta = 1 } = product;
  const batch = batches(product, output);
  // beta = 0 ignores the addend altogether, NaNs included.
  const sum = beta === 0 ? undefined : addend;
  const bindings: Binding[] = [
    bindValue('a', a),
    bindValue('w', b),
    ...(sum === undefined ? [] : [bindValue('c', sum)]),
    bindValue('y', output, 'read_write'),
  ];
  const parameters: Record<string, ParameterType> = { am: 'u32', wk: 'u32', wn: 'u32', ...batch.parameters };
  const scaled = alpha === 1 ? 'value' : `${f32Literal(alpha)} * value`;
  const addStrides = (sizes: Sizes): Record<string, number> => addendStrides(sum!, sizes.shape(output), sizes, product.transposed === true);
  if (sum !== undefined) for (const name of ['cb', 'cm', 'cn']) parameters[name] = 'u32';
  const store =
    sum === undefined
      ? `y[i] = ${scaled};`
      : `y[i] = ${scaled} + ${beta === 1 ? '' : `${f32Literal(beta)} * `}c[b * P.cb + m * P.cm + n * P.cn];`;
  return matmulDispatches(
    {
      bindings,
      parameters,
      declarations: `${batch.declarations}
fn load_a(b: u32, m: u32, k: u32) -> f32 { return a[batch_a(b) * P.m * P.k + m * P.am + k]; }
fn load_w(b: u32, k: u32, n: u32) -> f32 { return w[batch_w(b) * P.k * P.n + k * P.wk + n * P.wn]; }
fn store(b: u32, m: u32, n: u32, value: f32) { let i = (b * P.m + m) * P.n + n; ${store} }`,
      extents: (sizes) => {
        const { batch: count, m, n, k } = geometry(product, output, sizes);
        return { batch: count, m, n, k };
      },
      values: (sizes) => ({
        ...geometry(product, output, sizes).strides,
        ...batch.values(sizes),
        ...(sum === undefined ? {} : addStrides(sizes)),
      }),
    },
    target,
  );
}

/** Strides of what is added, along batch, rows and columns of the result; 0 where it broadcasts. */
function addendStrides(addend: Value, output: readonly number[], sizes: Sizes, linear: boolean): Record<string, number> {
  const shape = sizes.shape(addend);
  const strides = rowMajor(shape).map((s, i) => (shape[i] === 1 ? 0 : s));
  // mv has no columns of its own: its result's only axis is that of the rows.
  if (output.length === 1 && !linear) return { cb: 0, cm: strides.at(-1) ?? 0, cn: 0 };
  return { cb: strides.at(-3) ?? 0, cm: linear ? 0 : (strides.at(-2) ?? 0), cn: strides.at(-1) ?? 0 };
}

function cost(node: Node, sizes: Sizes, product: (node: Node) => Product): Cost {
  const { batch, m, n, k } = geometry(product(node), node.results[0]!, sizes);
  const bytes = 4 * [...present(node), node.results[0]!].reduce((sum, v) => sum + sizes.count(v), 0);
  return { bytes, operations: 2 * batch * m * n * k };
}

/** The shape lists, by op: odd sizes around the tiles, batches that broadcast, no K, no rows. */
const samples: Readonly<Record<string, readonly KernelSample['operands'][]>> = {
  mm: [
    { self: f32(5, 7), mat2: f32(7, 3) },
    { self: f32(3, 0), mat2: f32(0, 2) },
    { self: f32(70, 17), mat2: f32(17, 66) },
  ],
  bmm: [
    { self: f32(3, 5, 7), mat2: f32(3, 7, 2) },
    { self: f32(0, 2, 3), mat2: f32(0, 3, 4) },
  ],
  matmul: [
    { self: f32(2, 1, 3, 5), other: f32(4, 5, 2) },
    { self: f32(5), other: f32(3, 5, 2) },
    { self: f32(3, 5), other: f32(5) },
    { self: f32(9), other: f32(9) },
    { self: f32(2, 6, 5), other: f32(5, 3) },
  ],
  mv: [{ self: f32(3, 5), vec: f32(5) }],
  dot: [{ self: f32(37), tensor: f32(37) }],
  linear: [
    { input: f32(2, 3, 5), weight: f32(7, 5), bias: f32(7) },
    { input: f32(5), weight: f32(7, 5) },
    { input: f32(66, 19), weight: f32(67, 19), bias: f32(67) },
    { input: f32(0, 5), weight: f32(7, 5) },
  ],
  addmm: [
    { self: f32(3), mat1: f32(5, 7), mat2: f32(7, 3) },
    { self: f32(5, 1), mat1: f32(5, 7), mat2: f32(7, 3) },
  ],
  baddbmm: [{ self: f32(3, 1, 2), batch1: f32(3, 5, 7), batch2: f32(3, 7, 2) }],
  addmv: [{ self: f32(3), mat: f32(3, 5), vec: f32(5) }],
};

/** The kernels of this family. */
export const matmulKernels: readonly WebGPUKernel[] = Object.entries(products).map(([name, product]) =>
  defineKernel({
    name: `matmul/aten.${name}`,
    op: op(`aten.${name}`),
    error: bound,
    samples: samplesOf(...(samples[name] ?? [])),
    supports,
    emit: (node, target) => emit(node, product(node), target),
    cost: (node, sizes) => cost(node, sizes, product),
  }),
);
