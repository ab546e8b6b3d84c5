import { type Node, no, type Value, type Verdict, yes } from '@qfuse/plugin';
import {
  type Cost,
  defineKernel,
  type Dispatch,
  type ErrorBound,
  type KernelSample,
  type Scratch,
  type Sizes,
  type WebGPUKernel,
} from '../kernel.js';
import { knownLayout } from '../storage.js';
import type { WebGPUTarget } from '../target.js';
import { bindValue, loadFunction } from '../wgsl/elements.js';
import { type Access, indexing, rowMajor } from '../wgsl/indexing.js';
import { matmulDispatches } from '../wgsl/matmul.js';
import { joinLargest, joinSum, lanesFor, rowsDispatch } from '../wgsl/rows.js';
import { attrOf, op, present } from './ops.js';
import { f32, sample } from './samples.js';

/**
 * `aten.scaled_dot_product_attention` in three dispatches over scratch memory: scores = query · keyᵀ · scale; their
 * softmax under mask and causal bound, in place; result = weights · value. A row without any score left gives 0.
 */
const bound: ErrorBound = { absolute: 2e-6, relative: 2 ** -15, sums: true };

const parts = (node: Node) => ({
  query: node.operand('query'),
  key: node.operand('key'),
  value: node.operand('value'),
  mask: node.operandOrNone('attn_mask'),
  result: node.results[0]!,
});

function supports(node: Node): Verdict {
  const other = present(node).find((v) => v.type.dtype !== 'f32' && v.type.dtype !== 'bool');
  return other === undefined ? yes : no(`an operand is ${other.type.dtype}, expected f32 or a bool mask`);
}

/** Leading axes of an operand against those of the result: an axis of size d serves one of size n by `index · d / n`. */
function batchAccess(
  value: Value,
  lead: number,
): { readonly access: Access; readonly divisors: (sizes: Sizes, result: readonly number[]) => number[] } {
  const own = value.type.shape.length - 2;
  const aligned = (sizes: Sizes): readonly number[] => [...new Array<number>(lead - own).fill(1), ...sizes.shape(value).slice(0, -2)];
  return {
    access: {
      strides: (sizes) => {
        const dims = aligned(sizes);
        return rowMajor(dims).map((s, i) => (dims[i] === 1 ? 0 : s));
      },
    },
    divisors: (sizes, result) => aligned(sizes).map((d, i) => (d <= 1 ? 1 : Math.max(1, result[i]! / d))),
  };
}

/** WGSL functions `matrix_<name>(b)`: the number of the matrix of an operand that batch `b` of the result takes. */
function batchFunctions(result: Value, values: Readonly<Record<string, Value>>) {
  const lead = result.type.shape.slice(0, -2);
  const names = Object.keys(values);
  const accesses = names.map((name) => batchAccess(values[name]!, lead.length));
  const index = indexing(
    lead,
    accesses.map((a) => a.access),
  );
  // Grouped heads: the coordinate of an axis is divided before it is multiplied by the stride.
  const at = names.map((_, k) => index.at[k]!.replace(/c(\d+) \* /g, (_match, axis: string) => `(c${axis} / P.g${k}_${axis}) * `));
  const divisors = names.flatMap((_, k) => lead.map((_d, axis) => `g${k}_${axis}`));
  return {
    declarations: names
      .map((name, k) => `fn matrix_${name}(i: u32) -> u32 {\n  ${lead.length === 0 ? '' : index.coordinates}\n  return ${at[k]};\n}`)
      .join('\n'),
    parameters: { ...index.parameters, ...Object.fromEntries(divisors.map((d) => [d, 'u32' as const])) },
    values: (sizes: Sizes): Record<string, number> => {
      const shape = sizes.shape(result).slice(0, -2);
      const groups = accesses.flatMap((a, k) => a.divisors(sizes, shape).map((d, axis) => [`g${k}_${axis}`, d] as const));
      return { ...index.values(sizes), ...Object.fromEntries(groups) };
    },
  };
}

interface Extents {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  readonly width: number;
  readonly wide: number;
}

function extentsOf(node: Node, sizes: Sizes): Extents {
  const { query, key, result } = parts(node);
  const [rows, width] = sizes.shape(query).slice(-2) as [number, number];
  const shape = sizes.shape(result);
  return { batch: shape.slice(0, -2).reduce((a, b) => a * b, 1), rows, width, columns: sizes.shape(key).at(-2)!, wide: shape.at(-1)! };
}

function emit(node: Node, target: WebGPUTarget): readonly Dispatch[] {
  const { query, key, value, result } = parts(node);
  const scores: Scratch = {
    scratch: 'scores',
    bytes: (sizes) => {
      const { batch, rows, columns } = extentsOf(node, sizes);
      return 4 * batch * rows * columns;
    },
  };
  const factor = (sizes: Sizes): number => attrOf<number | undefined>(node, 'scale') ?? 1 / Math.sqrt(extentsOf(node, sizes).width);
  const toScores = batchFunctions(result, { query, key });
  const fromScores = batchFunctions(result, { value });
  return [
    ...matmulDispatches(
      {
        bindings: [bindValue('q', query), bindValue('w', key), { name: 's', type: 'array<f32>', access: 'read_write', from: scores }],
        parameters: { factor: 'f32', ...toScores.parameters },
        declarations: `${toScores.declarations}
fn load_a(b: u32, m: u32, k: u32) -> f32 { return q[(matrix_query(b) * P.m + m) * P.k + k] * P.factor; }
fn load_w(b: u32, k: u32, n: u32) -> f32 { return w[(matrix_key(b) * P.n + n) * P.k + k]; }
fn store(b: u32, m: u32, n: u32, value: f32) { s[(b * P.m + m) * P.n + n] = value; }`,
        extents: (sizes) => {
          const { batch, rows: m, columns: n, width: k } = extentsOf(node, sizes);
          return { batch, m, n, k };
        },
        values: (sizes) => ({ w_along_k: 1, factor: factor(sizes), ...toScores.values(sizes) }),
      },
      target,
    ),
    weights(node, scores, target),
    ...matmulDispatches(
      {
        bindings: [
          { name: 's', type: 'array<f32>', access: 'read', from: scores },
          bindValue('w', value),
          bindValue('y', result, 'read_write'),
        ],
        parameters: fromScores.parameters,
        declarations: `${fromScores.declarations}
fn load_a(b: u32, m: u32, k: u32) -> f32 { return s[(b * P.m + m) * P.k + k]; }
fn load_w(b: u32, k: u32, n: u32) -> f32 { return w[(matrix_value(b) * P.k + k) * P.n + n]; }
fn store(b: u32, m: u32, n: u32, value: f32) { y[(b * P.m + m) * P.n + n] = value; }`,
        extents: (sizes) => {
          const { batch, rows: m, columns: k, wide: n } = extentsOf(node, sizes);
          return { batch, m, n, k };
        },
        values: (sizes) => fromScores.values(sizes),
      },
      target,
    ),
  ];
}

/** The softmax of the scores under the mask, in place. */
function weights(node: Node, scores: Scratch, target: WebGPUTarget): Dispatch {
  const { key, mask, result } = parts(node);
  const masks = mask === undefined ? undefined : batchFunctions(result, { mask });
  const causal = attrOf<boolean>(node, 'is_causal');
  const columns = key.type.shape.at(-2)!;
  const added =
    mask === undefined
      ? ''
      : knownLayout(mask.type.dtype).scalar === 'bool'
        ? 'if (!load_mask(place_mask(row, k))) { return -infinity(); }'
        : 'x += load_mask(place_mask(row, k));';
  const lanes = lanesFor(target, typeof columns === 'number' ? columns : undefined);
  return rowsDispatch({
    label: lanes === 1 ? 'masked softmax rows' : `masked softmax ${lanes} lanes`,
    lanes,
    bindings: [
      ...(mask === undefined ? [] : [bindValue('mask', mask)]),
      { name: 's', type: 'array<f32>', access: 'read_write', from: scores },
    ],
    parameters: {
      count: 'u32',
      per_batch: 'u32',
      ...(masks !== undefined && ({ ...masks.parameters, mask_matrix: 'u32', mask_row: 'u32', mask_column: 'u32' } as const)),
    },
    declarations: [
      mask && loadFunction('mask', mask.type.dtype),
      masks?.declarations,
      masks &&
        'fn place_mask(row: u32, k: u32) -> u32 { return matrix_mask(row / P.per_batch) * P.mask_matrix + (row % P.per_batch) * P.mask_row + k * P.mask_column; }',
      `fn score(row: u32, k: u32) -> f32 {
  ${causal ? 'if (k > row % P.per_batch) { return -infinity(); }' : ''}
  var x = s[row * P.count + k];
  ${added}
  return x;
}`,
    ]
      .filter((t) => t !== undefined)
      .join('\n'),
    joins: { largest: joinLargest, sum: joinSum },
    body: `var m = -infinity();
for (var k = first; k < P.count; k += LANES) { m = maximum(m, score(row, k)); }
let largest = join_largest(m);
let none = is_inf(largest) && largest < 0.0;
var total = 0.0;
for (var k = first; k < P.count; k += LANES) {
  let e = select(exponential(score(row, k) - largest), 0.0, none);
  s[row * P.count + k] = e;
  total += e;
}
let sum = join_sum(total);
let factor = select(1.0 / sum, 0.0, none);
for (var k = first; k < P.count; k += LANES) { s[row * P.count + k] *= factor; }`,
    rows: (sizes) => {
      const { batch, rows, columns: count } = extentsOf(node, sizes);
      return count === 0 ? 0 : batch * rows;
    },
    values: (sizes) => {
      const { rows, columns: count } = extentsOf(node, sizes);
      const [maskRows, maskColumns] = mask === undefined ? [1, 1] : (sizes.shape(mask).slice(-2) as [number, number]);
      return {
        count,
        per_batch: rows,
        mask_matrix: maskRows * maskColumns,
        mask_row: maskRows === 1 ? 0 : maskColumns,
        mask_column: maskColumns === 1 ? 0 : 1,
        ...masks?.values(sizes),
      };
    },
  });
}

function cost(node: Node, sizes: Sizes): Cost {
  const { batch, rows, columns, width, wide } = extentsOf(node, sizes);
  const bytes = 4 * [...present(node), node.results[0]!].reduce((sum, v) => sum + sizes.count(v), 0);
  return { bytes, operations: 2 * batch * rows * columns * (width + wide) };
}

const samples: readonly KernelSample[] = [
  { operands: { query: f32(2, 3, 5, 4), key: f32(2, 3, 7, 4), value: f32(2, 3, 7, 6) } },
  { operands: { query: f32(5, 4), key: f32(5, 4), value: f32(5, 4) }, attrs: { is_causal: true } },
  { operands: { query: f32(2, 4, 3, 4), key: f32(2, 2, 5, 4), value: f32(2, 2, 5, 4) }, attrs: { enable_gqa: true, scale: 0.25 } },
  {
    operands: {
      query: f32(2, 3, 4),
      key: f32(2, 5, 4),
      value: f32(2, 5, 4),
      attn_mask: sample('bool', [3, 5], [0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 1]),
    },
  },
  {
    operands: {
      query: f32(2, 2, 3, 4),
      key: f32(2, 1, 5, 4),
      value: f32(1, 2, 5, 4),
      attn_mask: sample('f32', [2, 1, 1, 5], [0, -Infinity, 0.5, -1, -Infinity, 2]),
    },
  },
  { operands: { query: f32(6, 70), key: f32(70, 70), value: f32(70, 3) } },
];

export const attentionKernels: readonly WebGPUKernel[] = [
  defineKernel({
    name: 'attention/aten.scaled_dot_product_attention',
    op: op('aten.scaled_dot_product_attention'),
    error: bound,
    samples,
    supports,
    emit,
    cost,
  }),
];
