import { attr, type DType, type HostTensor, hostTensor, isFloat, storer, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Fail, wrapAxis } from '../shapes.js';
import { castTensor } from './support/elementwise.js';
import { groupsOf } from './support/reduce.js';

/** Calls `visit` with the offsets of the elements along axis `dim`, a list for each of the others' places. */
function forEachLine(shape: readonly number[], dim: number, fail: Fail, visit: (offsets: readonly number[]) => void): void {
  const { starts, steps } = groupsOf(shape, shape.length === 0 ? [] : [wrapAxis(dim, shape.length, fail)]);
  for (const start of starts) visit(Array.from(steps, (step) => start + step));
}

/** Running results of `float` or `integer` along axis `dim`, in the dtype of `out`. */
function scan(
  self: HostTensor,
  out: HostTensor,
  dim: number,
  fail: Fail,
  float: (a: number, x: number) => number,
  integer: (a: bigint, x: bigint) => bigint,
): HostTensor {
  const { data } = castTensor(self, out.dtype);
  const store = storer(out.dtype);
  const exact = !isFloat(out.dtype);
  forEachLine(self.shape, dim, fail, (offsets) => {
    let sum: number | bigint | undefined;
    for (const o of offsets) {
      const x = exact ? BigInt(data[o]!) : data[o]!;
      sum = sum === undefined ? x : exact ? BigInt.asIntN(64, integer(sum as bigint, x as bigint)) : float(sum as number, x as number);
      store(out.data, o, sum);
    }
  });
  return out;
}

/** Integers and bools are accumulated in i64. */
const accumulated = (self: DType, dtype: DType | undefined, fail: Fail): DType =>
  dtype === 'bool' ? fail('dtype is bool, expected numbers') : (dtype ?? (isFloat(self) ? self : 'i64'));

const running = (name: string, summary: string, float: (a: number, x: number) => number, integer: (a: bigint, x: bigint) => bigint) =>
  defineOp({
    name,
    summary,
    operands: { self: tensor() },
    attrs: { dim: attr.int(), dtype: attr.optional(attr.dtype()) },
    infer: ({ operands: { self }, attrs: { dim, dtype }, fail }) => {
      wrapAxis(dim, self.shape.length, fail);
      return [tensorType(accumulated(self.dtype, dtype, fail), self.shape)];
    },
    reference: ({ operands: { self }, attrs: { dim }, results: [result], fail }) => [
      scan(self, hostTensor(result!.dtype, result!.shape), dim, fail, float, integer),
    ],
  });

/** `y[i] = x[0] + … + x[i]` along axis `dim`. Integers and bools give i64 unless `dtype` says otherwise, to which elements are cast first. */
export const Cumsum = running(
  'aten.cumsum',
  'running sums along an axis',
  (a, x) => a + x,
  (a, x) => a + x,
);
/** `y[i] = x[0] · … · x[i]` along axis `dim`; dtypes as in {@link Cumsum}. */
export const Cumprod = running(
  'aten.cumprod',
  'running products along an axis',
  (a, x) => a * x,
  (a, x) => a * x,
);

/** `ln Σ eˣ` of the elements up to each along axis `dim`; floats only. */
export const Logcumsumexp = defineOp({
  name: 'aten.logcumsumexp',
  summary: 'running logarithms of sums of exponentials along an axis',
  operands: { self: tensor() },
  attrs: { dim: attr.int() },
  infer: ({ operands: { self }, attrs: { dim }, fail }) => {
    wrapAxis(dim, self.shape.length, fail);
    return [isFloat(self.dtype) ? self : fail(`self is ${self.dtype}, expected a float dtype`)];
  },
  reference: ({ operands: { self }, attrs: { dim }, results: [result], fail }) => {
    const add = (a: number, x: number): number =>
      a === x && !Number.isFinite(a) ? a : Math.max(a, x) + Math.log1p(Math.exp(-Math.abs(a - x)));
    return [scan(self, hostTensor(result!.dtype, result!.shape), dim, fail, add, (a) => a)];
  },
});

const runningBest = (name: string, summary: string, atLeast: (x: number | bigint, best: number | bigint) => boolean) =>
  defineOp({
    name,
    summary,
    operands: { self: tensor() },
    attrs: { dim: attr.int() },
    infer: ({ operands: { self }, attrs: { dim }, fail }) => {
      wrapAxis(dim, self.shape.length, fail);
      return [self, tensorType('i64', self.shape)];
    },
    reference: ({ operands: { self }, attrs: { dim }, fail }) => {
      const [values, indices] = [hostTensor(self.dtype, self.shape), hostTensor('i64', self.shape)];
      forEachLine(self.shape, dim, fail, (offsets) => {
        let best = 0;
        for (const [i, o] of offsets.entries()) {
          const [x, held] = [self.data[o]!, self.data[offsets[best]!]!];
          if (Number.isNaN(x) || (!Number.isNaN(held) && atLeast(x, held))) best = i;
          values.data[o] = self.data[offsets[best]!]!;
          indices.data[o] = BigInt(best);
        }
      });
      return [values, indices];
    },
  });

/** Results `values` and `indices` (i64): the largest element so far along axis `dim` and its last position; NaN wins. */
export const Cummax = runningBest('aten.cummax', 'running maxima along an axis, and where they are', (x, best) => x >= best);
/** Results `values` and `indices` (i64): the smallest element so far along axis `dim` and its last position; NaN wins. */
export const Cummin = runningBest('aten.cummin', 'running minima along an axis, and where they are', (x, best) => x <= best);
