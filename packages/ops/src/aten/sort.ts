import { attr, type AttrSpecs, dimText, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { wrapAxis } from '../shapes.js';
import { arrangeLines, selection, sorted } from './support/sorting.js';

const order = { dim: attr.optional(attr.int(), -1), descending: attr.optional(attr.bool(), false) };
interface Order {
  readonly dim: number;
  readonly descending: boolean;
  readonly stable?: boolean | undefined;
}

const sorting = <A extends AttrSpecs>(name: string, more: A) =>
  defineOp({
    name,
    summary: 'lines in order, and the positions that their elements had',
    operands: { self: tensor() },
    attrs: { ...more, ...order },
    infer: ({ operands: { self }, attrs, fail }) => {
      wrapAxis((attrs as Order).dim, self.shape.length, fail);
      return [tensorType(self.dtype, self.shape), tensorType('i64', self.shape)];
    },
    reference: ({ operands: { self }, attrs, fail }) => {
      const { dim, descending, stable } = attrs as Order;
      const { values, indices } = arrangeLines(
        self,
        wrapAxis(dim, self.shape.length, fail),
        self.shape,
        sorted(descending, stable ?? false),
      );
      return [values, indices];
    },
  });

/**
 * `(values, indices)` of each line along `dim` in ascending or `descending` order. NaN is the largest. The indices of
 * equal elements are left open by torch; here they are as on torch's CPU.
 */
export const Sort = sorting('aten.sort', {});

/** {@link Sort}; with `stable`, equal elements keep their order. */
export const SortStable = sorting('aten.sort.stable', { stable: attr.optional(attr.bool()) });

const argsorting = <A extends AttrSpecs>(name: string, more: A) =>
  defineOp({
    name,
    summary: 'positions that put lines in order',
    operands: { self: tensor() },
    attrs: { ...more, ...order },
    infer: ({ operands: { self }, attrs, fail }) => {
      wrapAxis((attrs as Order).dim, self.shape.length, fail);
      return [tensorType('i64', self.shape)];
    },
    decompose: ({ operands: { self }, attrs, builder }) => {
      const { dim, descending, stable } = attrs as Order;
      return [builder.create(SortStable, { self }, { stable, dim, descending }).results[1]!];
    },
  });

/** The indices of {@link Sort}. */
export const Argsort = argsorting('aten.argsort', {});

/** The indices of {@link SortStable}. */
export const ArgsortStable = argsorting('aten.argsort.stable', { stable: attr.optional(attr.bool()) });

/** {@link Sort} in ascending order along axis 0, values only. */
export const Msort = defineOp({
  name: 'aten.msort',
  summary: 'axis 0 in ascending order',
  operands: { self: tensor() },
  infer: ({ operands: { self } }) => [self],
  decompose: ({ operands: { self }, builder }) => [builder.create(Sort, { self }, { dim: 0 }).results[0]!],
});

/**
 * `(values, indices)` of the `k` largest (or smallest) elements of each line along `dim`, the best first. NaN is the
 * largest. Which of several equal elements are taken, and their order unless `sorted`, is left open by torch; here
 * it is as on torch's CPU.
 */
export const Topk = defineOp({
  name: 'aten.topk',
  summary: 'the largest or smallest elements of lines, and their positions',
  operands: { self: tensor() },
  attrs: {
    k: attr.dim(),
    dim: attr.optional(attr.int(), -1),
    largest: attr.optional(attr.bool(), true),
    sorted: attr.optional(attr.bool(), true),
  },
  infer: ({ operands: { self }, attrs: { k, dim }, env, fail }) => {
    const axis = wrapAxis(dim, self.shape.length, fail);
    const size = self.shape[axis] ?? 1;
    if (self.dtype === 'bool') fail('self is bool, expected numbers');
    if (env.lessEqual(0, k) === 'no' || env.lessEqual(k, size) === 'no')
      fail(`k is ${dimText(k)}, expected 0 to ${dimText(size)}, the size of axis ${axis}`);
    const shape = self.shape.length === 0 ? [] : self.shape.with(axis, k);
    return [tensorType(self.dtype, shape), tensorType('i64', shape)];
  },
  reference: ({ operands: { self }, attrs: { k, dim, largest, sorted: inOrder }, results, fail }) => {
    const axis = wrapAxis(dim, self.shape.length, fail);
    // A 0-d tensor has one element, which even k = 0 returns.
    const count = self.shape.length === 0 ? 1 : k;
    const { values, indices } = arrangeLines(self, axis, results[0]!.shape, selection(count, largest, inOrder));
    return [values, indices];
  },
});
