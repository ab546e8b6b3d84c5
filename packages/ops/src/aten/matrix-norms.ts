import { attr, type DType, type HostTensor, isFloat, scalarNumber, tensor, type TensorType, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { promoteTypes } from '../promotion.js';
import { type Fail, reducedShape, shapeText, wrapAxes } from '../shapes.js';
import { castTensor, type ResultType } from './support/elementwise.js';
import { groupsOf, refuseEmpty } from './support/reduce.js';
import { singularValues } from './support/singular-values.js';

/** Rows and columns of each matrix of a tensor, and its norm from them. */
type MatrixNorm = (at: (row: number, column: number) => number, rows: number, columns: number) => number;

const sumsOf = (count: number, along: number, at: (i: number, k: number) => number): number[] =>
  Array.from({ length: count }, (_, i) => Array.from({ length: along }, (_unused, k) => Math.abs(at(i, k))).reduce((a, b) => a + b, 0));

const columnSums: (pick: (...xs: number[]) => number) => MatrixNorm = (pick) => (at, rows, columns) =>
  pick(...sumsOf(columns, rows, (c, r) => at(r, c)));
const rowSums: (pick: (...xs: number[]) => number) => MatrixNorm = (pick) => (at, rows, columns) => pick(...sumsOf(rows, columns, at));
const spectral: (f: (values: readonly number[]) => number) => MatrixNorm = (f) => (at, rows, columns) =>
  f(singularValues(at, rows, columns));

/** The largest of sizes, 0 of none. */
const largest = (...sizes: number[]): number => Math.max(0, ...sizes);

const nuclear = spectral((values) => values.reduce((a, b) => a + b, 0));
const numbered: Readonly<Record<string, MatrixNorm>> = {
  1: columnSums(largest),
  '-1': columnSums(Math.min),
  Infinity: rowSums(largest),
  '-Infinity': rowSums(Math.min),
  2: spectral((values) => largest(...values)),
  '-2': spectral((values) => Math.min(...values)),
};

function typeOf(self: TensorType, dim: readonly number[], keepdim: boolean, dtype: DType | undefined, fail: Fail): TensorType {
  const result = dtype ?? self.dtype;
  if (!isFloat(self.dtype)) fail(`self is ${self.dtype}, expected a float dtype`);
  if (!isFloat(result) || promoteTypes(self.dtype, result) !== result)
    fail(`dtype is ${result}, expected a float dtype that holds all values of ${self.dtype}`);
  if (dim.length !== 2) fail(`dim has ${dim.length} axes, expected the two of a matrix`);
  if (self.shape.length < 2) fail(`self has shape ${shapeText(self.shape)}, expected at least 2 axes`);
  return tensorType(result, reducedShape(self.shape, wrapAxes(dim, self.shape.length, fail), keepdim));
}

/** Applies `norm` to the matrices that lie along `axes` (rows first). */
function normsOf(self: HostTensor, axes: readonly number[], norm: MatrixNorm, result: ResultType): HostTensor {
  const { starts } = groupsOf(self.shape, axes);
  const [rows, columns] = axes.map(
    (axis) =>
      groupsOf(
        self.shape,
        self.shape.map((_, i) => i).filter((i) => i === axis),
      ).steps,
  ) as [Float64Array, Float64Array];
  const data = self.data as Float64Array;
  const out = Float64Array.from(starts, (start) => norm((r, c) => data[start + rows[r]! + columns[c]!]!, rows.length, columns.length));
  return castTensor({ dtype: 'f64', shape: result.shape, data: out }, result.dtype);
}

const attrs = { dim: attr.optional(attr.ints(), [-2, -1]), keepdim: attr.optional(attr.bool(), false), dtype: attr.optional(attr.dtype()) };

/**
 * Norms of the matrices along the two axes `dim`: `fro` `√(Σ x²)`, `nuc` the sum of the singular values. Floats only,
 * cast to `dtype` before; the result has no matrix axes, or size 1 there with `keepdim`.
 */
export const LinalgMatrixNormStrOrd = defineOp({
  name: 'aten.linalg_matrix_norm.str_ord',
  summary: 'Frobenius or nuclear norms of matrices',
  operands: { self: tensor() },
  attrs: { ord: attr.optional(attr.oneOf('fro', 'nuc'), 'fro'), ...attrs },
  infer: ({ operands: { self }, attrs: { dim, keepdim, dtype }, fail }) => [typeOf(self, dim, keepdim, dtype, fail)],
  reference: ({ operands: { self }, attrs: { ord, dim }, results: [result], fail }) => {
    const axes = wrapAxes(dim, self.shape.length, fail);
    const euclidean: MatrixNorm = (at, rows, columns) =>
      Math.sqrt(sumsOf(rows, columns, (r, c) => at(r, c) ** 2).reduce((a, b) => a + b, 0));
    return [normsOf(castTensor(self, result!.dtype), axes, ord === 'nuc' ? nuclear : euclidean, result!)];
  },
});

/**
 * Norms of the matrices along the two axes `dim` by a number: 1 and -1 the largest and smallest column sum of sizes,
 * ±∞ row sum, 2 and -2 singular value. Floats only, cast to `dtype` before.
 */
export const LinalgMatrixNorm = defineOp({
  name: 'aten.linalg_matrix_norm',
  summary: 'norms of matrices',
  operands: { self: tensor() },
  attrs: { ord: attr.scalar(), ...attrs },
  infer: ({ operands: { self }, attrs: { ord, dim, keepdim, dtype }, fail }) => {
    if (numbered[scalarNumber(ord)] === undefined) fail(`ord is ${ord.value}, expected one of ${Object.keys(numbered).join(', ')}`);
    return [typeOf(self, dim, keepdim, dtype, fail)];
  },
  reference: ({ operands: { self }, attrs: { ord, dim }, results: [result], fail }) => {
    const axes = wrapAxes(dim, self.shape.length, fail);
    // There is no smallest of no column sums, row sums or singular values.
    const order = scalarNumber(ord);
    if (order < 0) refuseEmpty(self.shape, order === -2 ? axes : [axes[order === -1 ? 1 : 0]!], fail);
    return [normsOf(castTensor(self, result!.dtype), axes, numbered[scalarNumber(ord)]!, result!)];
  },
});
