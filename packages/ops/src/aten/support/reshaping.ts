import {
  attr,
  type AttrSpecs,
  type AttrsOf,
  type Builder,
  type Dim,
  dimFloorDiv,
  dimProduct,
  type ShapeEnv,
  tensor,
  tensorType,
  type Value,
} from '@qfuse/ir';
import { defineOp, type OpDefinition } from '../../define.js';
import { type Fail, shapeText } from '../../shapes.js';

/** What a shape rule of a reshaping op sees. */
export interface ShapeContext<A> {
  readonly shape: readonly Dim[];
  readonly attrs: A;
  readonly env: ShapeEnv;
  readonly fail: Fail;
}

/**
 * The shape `size` for the elements of `shape`, with one -1 replaced by what remains.
 * @throws through `fail` when the numbers of elements differ, or when -1 could be anything
 */
export function inferSize(shape: readonly Dim[], size: readonly Dim[], env: ShapeEnv, fail: Fail): readonly Dim[] {
  const free = size.indexOf(-1);
  const known = dimProduct(size.filter((_, i) => i !== free));
  if (size.some((d, i) => i !== free && env.lessEqual(0, d) === 'no'))
    fail(`size is ${shapeText(size)}, expected at most one -1 and no other negative number`);
  const count = dimProduct(shape);
  if (free < 0)
    return env.equal(count, known) === 'no'
      ? fail(`shape ${shapeText(shape)} has ${shapeText([count])} elements, size ${shapeText(size)} has ${shapeText([known])}`)
      : size;
  if (known === 0) return fail(`size is ${shapeText(size)}: the -1 can be anything, as the other dims have no elements`);
  if (typeof known === 'number' && env.divides(known, count) === 'no')
    fail(
      `shape ${shapeText(shape)} cannot be viewed as ${shapeText(size)}: its ${shapeText([count])} elements are not a multiple of ${known}`,
    );
  return size.with(free, env.simplify(dimFloorDiv(count, known)));
}

/** The op that all of this family are: same elements in the same order, `size` with at most one -1. */
export const View = defineOp({
  name: 'aten.view',
  summary: 'the same elements under another shape',
  operands: { self: tensor() },
  attrs: { size: attr.dims() },
  view: true,
  infer: ({ operands: { self }, attrs, env, fail }) => [tensorType(self.dtype, inferSize(self.shape, attrs.size, env, fail))],
  reference: ({ operands: { self }, results }) => [{ dtype: self.dtype, shape: results[0]!.shape, data: self.data }],
});

/** `self` under the shape `size`; itself when it has that shape already. */
export const reshapeTo = (builder: Builder, self: Value, size: readonly Dim[]): Value =>
  tensorType(self.type.dtype, size) === self.type ? self : builder.create(View, { self }, { size }).result;

/** What {@link reshaping} takes. */
export interface Reshaping<A extends AttrSpecs> {
  readonly name: string;
  readonly summary: string;
  readonly attrs?: A;
  /** The result's shape. */
  readonly shape: (context: ShapeContext<AttrsOf<A>>) => readonly Dim[];
}

/** An op that gives the elements of `self`, in order, another shape. */
export const reshaping = <const A extends AttrSpecs = {}>({
  name,
  summary,
  attrs,
  shape,
}: Reshaping<A>): OpDefinition<{ readonly self: ReturnType<typeof tensor> }, A> =>
  defineOp({
    name,
    summary,
    operands: { self: tensor() },
    attrs: attrs ?? ({} as A),
    view: true,
    infer: ({ operands: { self }, attrs: given, env, fail }) => [
      tensorType(self.dtype, shape({ shape: self.shape, attrs: given, env, fail })),
    ],
    reference: ({ operands: { self }, results }) => [{ dtype: self.dtype, shape: results[0]!.shape, data: self.data }],
    decompose: ({ operands: { self }, results, builder }) => builder.create(View, { self }, { size: results[0]!.shape }).results,
  });
