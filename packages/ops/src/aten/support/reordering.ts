import { attr, type AttrSpecs, type AttrsOf, tensor, tensorType } from '@qfuse/ir';
import { defineOp, type OpDefinition } from '../../define.js';
import { type Fail, stridesOf, wrapAxis } from '../../shapes.js';
import { checked } from './checked.js';
import { pickStrided } from './pick.js';

/** `dims` as the axis of `self` that each result axis is. */
export function orderOf(dims: readonly number[], rank: number, fail: Fail): readonly number[] {
  const order = dims.map((d) => wrapAxis(d, rank, fail));
  if (order.length !== rank || new Set(order).size !== rank) fail(`dims is [${dims.join(', ')}], expected each of the ${rank} axes once`);
  return order;
}

/** The order in which only axes `a` and `b` are exchanged. */
export function exchange(a: number, b: number, rank: number, fail: Fail): readonly number[] {
  const [i, j] = [wrapAxis(a, rank, fail), wrapAxis(b, rank, fail)];
  return Array.from({ length: rank }, (_, axis) => (axis === i ? j : axis === j ? i : axis));
}

/** The order in which axes `source` end up at `destination` and the others fill the rest in order. */
export function move(source: readonly number[], destination: readonly number[], rank: number, fail: Fail): readonly number[] {
  const from = source.map((d) => wrapAxis(d, rank, fail));
  const to = destination.map((d) => wrapAxis(d, rank, fail));
  if (from.length !== to.length) fail(`source has ${from.length} axes, destination has ${to.length}`);
  if (new Set(from).size < from.length || new Set(to).size < to.length)
    fail(`source [${source.join(', ')}] or destination [${destination.join(', ')}] repeats an axis`);
  const rest = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !from.includes(axis));
  return Array.from({ length: rank }, (_, axis) => (to.includes(axis) ? from[to.indexOf(axis)]! : rest.shift()!));
}

/** What {@link reordering} takes. */
export interface Reordering<A extends AttrSpecs> {
  readonly name: string;
  readonly summary: string;
  readonly attrs?: A;
  /** For each result axis the axis of `self`. */
  readonly order: (attrs: AttrsOf<A>, rank: number, fail: Fail) => readonly number[];
}

type Unary<A extends AttrSpecs> = OpDefinition<{ readonly self: ReturnType<typeof tensor> }, A>;

/** An op whose result has the axes of `self` in another order, {@link Permute} without its decomposition. */
const reorder = <A extends AttrSpecs>({ name, summary, attrs, order }: Reordering<A>, decompose?: Unary<A>['decompose']): Unary<A> =>
  defineOp({
    name,
    summary,
    operands: { self: tensor() },
    attrs: attrs ?? ({} as A),
    infer: ({ operands: { self }, attrs: given, fail }) => [
      tensorType(
        self.dtype,
        order(given, self.shape.length, fail).map((axis) => self.shape[axis]!),
      ),
    ],
    reference: ({ operands: { self }, attrs: given, results, fail }) => {
      const strides = stridesOf(self.shape);
      const axes = order(given as AttrsOf<A>, self.shape.length, fail);
      return [
        pickStrided(
          self,
          results[0]!.shape,
          axes.map((axis) => strides[axis]!),
        ),
      ];
    },
    decompose,
  });

/** The op that all of this family are: result axis `k` is axis `dims[k]` of `self`. */
export const Permute = reorder({
  name: 'aten.permute',
  summary: 'axes in another order',
  attrs: { dims: attr.ints() },
  order: ({ dims }, rank, fail) => orderOf(dims, rank, fail),
});

/** An op whose result has the axes of `self` in another order. */
export const reordering = <const A extends AttrSpecs = {}>(init: Reordering<A>): Unary<A> =>
  reorder(
    init,
    ({ operands: { self }, attrs, builder }) =>
      builder.create(Permute, { self }, { dims: init.order(attrs, self.type.shape.length, checked) }).results,
  );
