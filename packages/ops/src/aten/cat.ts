import { attr, type Dim, tensorList, type TensorType, tensorType } from '@qfuse/ir';
import { defineOp, type OpDefinition } from '../define.js';
import { resultType } from '../promotion.js';
import { type Fail, shapeText, wrapAxis } from '../shapes.js';
import { checked } from './support/checked.js';
import { entriesOf, isSkipped, join, joinedType } from './support/joining.js';
import { renamed } from './support/renamed.js';
import { reshapeTo } from './support/reshaping.js';

/** The axis of a concatenation, counted in the first operand that is not skipped. */
function catAxis(dim: number, shapes: readonly (readonly Dim[])[], fail: Fail): number {
  if (shapes.some((s) => s.length === 0)) fail('a 0-d tensor cannot be concatenated');
  const rank = shapes.find((s) => !isSkipped(s))?.length ?? 1;
  return wrapAxis(dim, rank, fail);
}

/** `tensors` one after the other along `dim`; their other dims agree, dtypes are promoted, `[0]` is skipped. */
export const Cat = defineOp({
  name: 'aten.cat',
  summary: 'tensors one after the other along an axis',
  operands: { tensors: tensorList() },
  attrs: { dim: attr.optional(attr.int(), 0) },
  infer: ({ operands, attrs, env, fail }) => {
    const tensors = entriesOf<TensorType>(operands.tensors, fail);
    const axis = catAxis(
      attrs.dim,
      tensors.map((t) => t.shape),
      fail,
    );
    const { dtype, shape } = joinedType(tensors, axis, env, fail);
    return [tensorType(dtype, shape)];
  },
  reference: ({ operands, attrs, results, fail }) => {
    const tensors = operands.tensors.map((t) => t!);
    const axis = catAxis(
      attrs.dim,
      tensors.map((t) => t.shape),
      fail,
    );
    return [join(tensors, axis, results[0]!)];
  },
});

/** {@link Cat} under another name. */
export const Concat = renamed('aten.concat', Cat);

/** {@link Cat} under another name. */
export const Concatenate = renamed('aten.concatenate', Cat);

/** The axis that a stack adds. */
const stackAxis = (dim: number, rank: number, fail: Fail): number => wrapAxis(dim, rank + 1, fail);

/** `tensors`, all of one shape, along a new axis `dim`. */
export const Stack = defineOp({
  name: 'aten.stack',
  summary: 'tensors of one shape along a new axis',
  operands: { tensors: tensorList() },
  attrs: { dim: attr.optional(attr.int(), 0) },
  infer: ({ operands, attrs, env, fail }) => {
    const tensors = entriesOf<TensorType>(operands.tensors, fail);
    const { shape } = tensors[0]!;
    for (const t of tensors)
      if (t.shape.length !== shape.length || t.shape.some((d, i) => env.equal(d, shape[i]!) === 'no'))
        fail(`shapes ${shapeText(shape)} and ${shapeText(t.shape)} differ, expected one shape`);
    return [tensorType(resultType(tensors), shape.toSpliced(stackAxis(attrs.dim, shape.length, fail), 0, tensors.length))];
  },
  reference: ({ operands, attrs, results, fail }) => {
    const tensors = operands.tensors.map((t) => t!);
    const axis = stackAxis(attrs.dim, tensors[0]!.shape.length, fail);
    return [
      join(
        tensors.map((t) => ({ ...t, shape: t.shape.toSpliced(axis, 0, 1) })),
        axis,
        results[0]!,
      ),
    ];
  },
  decompose: ({ operands, attrs, builder }) => {
    const tensors = operands.tensors.map((t) => t!);
    const axis = stackAxis(attrs.dim, tensors[0]!.type.shape.length, checked);
    return builder.create(Cat, { tensors: tensors.map((t) => reshapeTo(builder, t, t.type.shape.toSpliced(axis, 0, 1))) }, { dim: axis })
      .results;
  },
});

/** A concatenation along an axis that the op's name says, after axes were added to short operands. */
const stacking = (
  name: string,
  summary: string,
  fill: (shape: readonly Dim[]) => readonly Dim[],
  axisOf: (rank: number) => number,
): OpDefinition =>
  defineOp({
    name,
    summary,
    operands: { tensors: tensorList() },
    infer: ({ operands, env, fail }) => {
      const tensors = entriesOf<TensorType>(operands.tensors, fail).map((t) => tensorType(t.dtype, fill(t.shape)));
      // Ranks that became equal through the added axes do not promote as 0-d operands any more.
      const { dtype, shape } = joinedType(tensors, axisOf(tensors[0]!.shape.length), env, fail);
      return [tensorType(dtype, shape)];
    },
    decompose: ({ operands, builder }) => {
      const tensors = operands.tensors.map((t) => reshapeTo(builder, t!, fill(t!.type.shape)));
      return builder.create(Cat, { tensors }, { dim: axisOf(tensors[0]!.type.shape.length) }).results;
    },
  });

const atLeast1d = (shape: readonly Dim[]): readonly Dim[] => (shape.length === 0 ? [1] : shape);
const atLeast2d = (shape: readonly Dim[]): readonly Dim[] => (shape.length < 2 ? [1, ...atLeast1d(shape)] : shape);
const atLeast3d = (shape: readonly Dim[]): readonly Dim[] => (shape.length < 3 ? [...atLeast2d(shape), 1] : shape);

/** Along axis 1; vectors and 0-d tensors along axis 0. */
export const Hstack = stacking('aten.hstack', 'tensors side by side', atLeast1d, (rank) => (rank === 1 ? 0 : 1));

/** Along axis 0, vectors as rows. */
export const Vstack = stacking('aten.vstack', 'tensors below each other', atLeast2d, () => 0);

/** {@link Vstack} under another name. */
export const RowStack = stacking('aten.row_stack', 'tensors below each other', atLeast2d, () => 0);

/** Along axis 2. */
export const Dstack = stacking('aten.dstack', 'tensors behind each other', atLeast3d, () => 2);

/** Along axis 1, vectors as columns. */
export const ColumnStack = stacking(
  'aten.column_stack',
  'vectors as columns',
  (shape) => (shape.length < 2 ? [...atLeast1d(shape), 1] : shape),
  () => 1,
);
