import { attr, type AttrSpecs, type AttrsOf, type Dim, type ShapeEnv, tensor, type TensorType, tensorType, type Value } from '@qfuse/ir';
import { defineOp, type DecomposeContext, type OpDefinition } from '../../define.js';
import { type Fail, stridesOf, wrapAxis } from '../../shapes.js';
import { sliceLength, sliceStart } from './bounds.js';
import { checked } from './checked.js';
import { pickStrided } from './pick.js';

/** `shape.length` axes, of which a 0-d tensor has none to slice. */
export const slicedAxis = (dim: number, rank: number, fail: Fail): number =>
  rank === 0 ? fail('self is a 0-d tensor, which has no axis to slice') : wrapAxis(dim, rank, fail);

const sliceAttrs = {
  dim: attr.optional(attr.int(), 0),
  start: attr.optional(attr.dim()),
  end: attr.optional(attr.dim()),
  step: attr.optional(attr.dim(), 1),
};

/** `self[…, start:end:step, …]` along axis `dim`. */
export const SliceTensor = defineOp({
  name: 'aten.slice.Tensor',
  summary: 'every step-th index of an axis from start to end',
  operands: { self: tensor() },
  attrs: sliceAttrs,
  infer: ({ operands: { self }, attrs, env, fail }) => {
    const axis = slicedAxis(attrs.dim, self.shape.length, fail);
    return [tensorType(self.dtype, self.shape.with(axis, sliceLength(self.shape[axis]!, attrs, env, fail)))];
  },
  reference: ({ operands: { self }, attrs, results, fail }) => {
    const axis = slicedAxis(attrs.dim, self.shape.length, fail);
    const strides = stridesOf(self.shape);
    const stride = strides[axis]!;
    return [
      pickStrided(self, results[0]!.shape, strides.with(axis, stride * attrs.step), sliceStart(self.shape[axis]!, attrs.start) * stride),
    ];
  },
});

/** A part of an axis: indices `start` to `end`, exclusive. Bounds beyond the axis are clamped and negative ones count from its end. */
export type Part = readonly [start: Dim, end: Dim];

/** What {@link splitting} takes. */
export interface Splitting<A extends AttrSpecs> {
  readonly name: string;
  readonly summary: string;
  readonly attrs: A;
  /** The axis that is split. */
  readonly axis: (attrs: AttrsOf<A>, rank: number, fail: Fail) => number;
  /** The parts of an axis of `size`. */
  readonly parts: (attrs: AttrsOf<A>, size: Dim, env: ShapeEnv, fail: Fail) => readonly Part[];
}

/** An op with one result for each of several parts of an axis. */
export function splitting<const A extends AttrSpecs>({
  name,
  summary,
  attrs,
  axis,
  parts,
}: Splitting<A>): OpDefinition<{ readonly self: ReturnType<typeof tensor> }, A> {
  const partsOf = (type: TensorType, given: AttrsOf<A>, env: ShapeEnv, fail: Fail): readonly [number, readonly Part[]] => {
    if (type.shape.length === 0) return fail('self is a 0-d tensor, which has no axis to split');
    const at = axis(given, type.shape.length, fail);
    return [at, parts(given, type.shape[at]!, env, fail)];
  };
  return defineOp({
    name,
    summary,
    operands: { self: tensor() },
    attrs,
    infer: ({ operands: { self }, attrs: given, env, fail }) => {
      const [at, all] = partsOf(self, given, env, fail);
      return all.map(([start, end]) =>
        tensorType(self.dtype, self.shape.with(at, sliceLength(self.shape[at]!, { start, end, step: 1 }, env, fail))),
      );
    },
    decompose: ({
      operands: { self },
      attrs: given,
      env,
      builder,
    }: DecomposeContext<{ readonly self: ReturnType<typeof tensor> }, A>): readonly Value[] => {
      const [dim, all] = partsOf(self.type, given, env, checked);
      return all.map(([start, end]) => builder.create(SliceTensor, { self }, { dim, start, end }).result);
    },
  });
}
