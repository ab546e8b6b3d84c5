import { type Builder, type Dim, dimProduct, type Value } from '@qfuse/ir';
import { MulTensor } from '../arithmetic.js';
import { Expand } from '../expand.js';
import { Bmm } from '../matmul.js';
import { Diagonal } from '../diagonal.js';
import { SumDimIntList } from '../sums.js';
import type { EinsumPlan } from './einsum.js';
import { Permute } from './reordering.js';
import { reshapeTo } from './reshaping.js';

/** A value and the label of each of its axes. */
export interface Labelled {
  readonly value: Value;
  readonly labels: readonly string[];
}

/** `value` without its axes of size 1, if there are any. */
export const withoutOnes = (builder: Builder, value: Value): Value =>
  reshapeTo(
    builder,
    value,
    value.type.shape.filter((d) => d !== 1),
  );

/** `x` with its axes in the order of `labels`, missing ones added with the size of the plan. */
export function arranged(builder: Builder, x: Labelled, labels: readonly string[], sizes: EinsumPlan['sizes']): Value {
  const own = labels.filter((l) => x.labels.includes(l));
  const permuted = builder.create(Permute, { self: x.value }, { dims: own.map((l) => x.labels.indexOf(l)) }).result;
  const apart = reshapeTo(
    builder,
    permuted,
    labels.map((l) => (x.labels.includes(l) ? x.value.type.shape[x.labels.indexOf(l)]! : 1)),
  );
  return builder.create(Expand, { self: apart }, { size: labels.map((l) => sizes.get(l)!) }).result;
}

/** `x` without repeated labels, of which the diagonal is taken, and summed over labels that `kept` does not have. */
export function reduced(builder: Builder, x: Labelled, kept: (label: string) => boolean): Labelled {
  const twice = x.labels.find((l, i) => x.labels.indexOf(l) < i);
  if (twice !== undefined) {
    const [dim1, dim2] = [x.labels.indexOf(twice), x.labels.lastIndexOf(twice)];
    const rest = x.labels.filter((_, i) => i !== dim1 && i !== dim2);
    return reduced(builder, { value: builder.create(Diagonal, { self: x.value }, { dim1, dim2 }).result, labels: [...rest, twice] }, kept);
  }
  const dim = [...x.labels.keys()].filter((i) => !kept(x.labels[i]!));
  if (dim.length === 0) return x;
  return { value: builder.create(SumDimIntList, { self: x.value }, { dim }).result, labels: x.labels.filter(kept) };
}

/** The product of two operands, summed over the labels of both that `kept` does not have. */
export function contracted(
  builder: Builder,
  a: Labelled,
  b: Labelled,
  sizes: EinsumPlan['sizes'],
  kept: (label: string) => boolean,
): Labelled {
  const shared = a.labels.filter((l) => b.labels.includes(l));
  const [batch, inner] = [shared.filter(kept), shared.filter((l) => !kept(l))];
  const [left, right] = [a.labels.filter((l) => !shared.includes(l)), b.labels.filter((l) => !shared.includes(l))];
  const dimsOf = (labels: readonly string[]): readonly Dim[] => labels.map((l) => sizes.get(l)!);
  const matrices = (x: Labelled, ...groups: (readonly string[])[]): Value =>
    reshapeTo(
      builder,
      arranged(builder, x, groups.flat(), sizes),
      groups.map((g) => dimProduct(dimsOf(g))),
    );
  if (inner.length === 0) {
    const labels = [...batch, ...left, ...right];
    const [self, other] = [a, b].map((x) => arranged(builder, x, labels, sizes));
    return { value: builder.create(MulTensor, { self: self!, other: other! }).result, labels };
  }
  const product = builder.create(Bmm, { self: matrices(a, batch, left, inner), mat2: matrices(b, batch, inner, right) }).result;
  const labels = [...batch, ...left, ...right];
  return { value: reshapeTo(builder, product, dimsOf(labels)), labels };
}
