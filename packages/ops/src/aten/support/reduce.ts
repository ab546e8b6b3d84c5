import {
  attr,
  type AttrsOf,
  type AttrSpecs,
  type Dim,
  type DType,
  type HostTensor,
  hostTensor,
  isFloat,
  storer,
  tensor,
  tensorType,
} from '@qfuse/ir';
import { type ConcreteAttrs, defineOp, type OpDefinition } from '../../define.js';
import { type Fail, forEachOffset, reducedShape, shapeText, stridesOf, wrapAxes } from '../../shapes.js';
import { castTensor, type Element, type ResultType } from './elementwise.js';
import type { Self } from './unary.js';

/** The elements of a tensor in groups that differ only along some axes: element `k` of group `g` is at `starts[g] + steps[k]`. */
export interface Groups {
  /** First element of each group, groups in row-major order of the kept axes. */
  readonly starts: Float64Array;
  /** Distances of a group's elements from its first, in row-major order of the axes. */
  readonly steps: Float64Array;
}

/** The groups of a static shape along `axes` (in `[0, rank)`). */
export function groupsOf(shape: readonly number[], axes: readonly number[]): Groups {
  const strides = stridesOf(shape);
  const offsets = (kept: readonly number[]): Float64Array => {
    const sizes = kept.map((i) => shape[i]!);
    const out = new Float64Array(sizes.reduce((a, b) => a * b, 1));
    forEachOffset(sizes, [kept.map((i) => strides[i]!)], (position, [offset]) => void (out[position] = offset!));
    return out;
  };
  const all = shape.map((_, i) => i);
  return { starts: offsets(all.filter((i) => !axes.includes(i))), steps: offsets(all.filter((i) => axes.includes(i))) };
}

/** A tensor of type `result` with one element, `f` of its numbers, for each group of `self` along `axes`. */
export function reduceNumbers(result: ResultType, self: HostTensor, axes: readonly number[], f: (xs: Float64Array) => Element): HostTensor {
  const { starts, steps } = groupsOf(self.shape, axes);
  const out = hostTensor(result.dtype, result.shape);
  const store = storer(result.dtype);
  const xs = new Float64Array(steps.length);
  for (let g = 0; g < starts.length; g++) {
    for (let k = 0; k < xs.length; k++) xs[k] = Number(self.data[starts[g]! + steps[k]!]);
    store(out.data, g, f(xs));
  }
  return out;
}

/** As {@link reduceNumbers} with exact integers. */
function reduceBigints(result: ResultType, self: HostTensor, axes: readonly number[], f: (xs: readonly bigint[]) => Element): HostTensor {
  const { starts, steps } = groupsOf(self.shape, axes);
  const out = hostTensor(result.dtype, result.shape);
  const store = storer(result.dtype);
  for (let g = 0; g < starts.length; g++) store(out.data, g, f(Array.from(steps, (step) => BigInt(self.data[starts[g]! + step]!))));
  return out;
}

/** How a reduction computes one element: from numbers, or exactly from the integers of an integer or bool dtype. */
export interface Reducer {
  readonly float: (xs: Float64Array) => Element;
  /** Without it integers are reduced as numbers, which suffices when no i64 beyond 2^53 matters. */
  readonly integer?: ((xs: readonly bigint[]) => Element) | undefined;
}

/** Applies a reducer to `self` cast to `dtype`. */
export function reduceTensor(
  { float, integer }: Reducer,
  result: ResultType,
  dtype: DType,
  self: HostTensor,
  axes: readonly number[],
): HostTensor {
  const cast = castTensor(self, dtype);
  return isFloat(dtype) || integer === undefined ? reduceNumbers(result, cast, axes, float) : reduceBigints(result, cast, axes, integer);
}

/** The axes that an op reduces, and whether they stay with size 1. */
export interface Reduction {
  readonly axes: readonly number[];
  readonly keepdim: boolean;
}

/** Attributes of a reduction: `dim` is one axis or several; absent or an empty list means all of them. */
export interface ReductionAttrs {
  readonly dim?: number | readonly number[] | undefined;
  readonly keepdim?: boolean | undefined;
}

/** What the attributes of a reduction of a tensor of `rank` mean. */
export const reductionOf = ({ dim, keepdim = false }: ReductionAttrs, rank: number, fail: Fail): Reduction => ({
  axes: wrapAxes(typeof dim === 'number' ? [dim] : dim, rank, fail),
  keepdim,
});

const keepdim = attr.optional(attr.bool(), false);

/** Attributes of the usual overloads of reductions. */
export const reductionAttrs = {
  /** One axis. */
  dim: { dim: attr.int(), keepdim },
  /** One axis, or all. */
  maybeDim: { dim: attr.optional(attr.int()), keepdim },
  /** Several axes, or all. */
  dims: { dim: attr.optional(attr.ints()), keepdim },
} as const;

/** Refuses axes of size 0, for reductions that have no value for no elements. */
export function refuseEmpty(shape: readonly Dim[], axes: readonly number[], fail: Fail): void {
  const empty = axes.find((i) => shape[i] === 0);
  if (empty !== undefined) fail(`axis ${empty} of shape ${shapeText(shape)} has no elements, expected at least one to reduce`);
}

/** What {@link reduction} takes. */
export interface ReductionInit<A extends AttrSpecs> {
  readonly name: string;
  readonly summary: string;
  readonly attrs: A;
  /** Dtype of the result; refuses operands that the op does not take. */
  readonly dtype: (self: DType, attrs: AttrsOf<A>, fail: Fail) => DType;
  /** Dtype to which elements are cast before; the result's when it is left out. */
  readonly compute?: (self: DType, result: DType) => DType;
  /** Whether there must be elements to reduce; may depend on attributes. Default: no. */
  readonly nonEmpty?: (attrs: AttrsOf<A>) => boolean;
  readonly reducer: (attrs: ConcreteAttrs<A>, result: DType) => Reducer;
  readonly decompose?: OpDefinition<Self, A>['decompose'];
}

/** An op that reduces the axes of `self` that its attributes `dim` and `keepdim` name; without such attributes all. */
export const reduction = <const A extends AttrSpecs>({
  name,
  summary,
  attrs,
  dtype,
  compute,
  nonEmpty,
  reducer,
  decompose,
}: ReductionInit<A>): OpDefinition<Self, A> =>
  defineOp<Self, A>({
    name,
    summary,
    operands: { self: tensor() },
    attrs,
    infer: ({ operands: { self }, attrs: given, fail }) => {
      const { axes, keepdim: keep } = reductionOf(given as ReductionAttrs, self.shape.length, fail);
      if (nonEmpty?.(given) === true) refuseEmpty(self.shape, axes, fail);
      return [tensorType(dtype(self.dtype, given, fail), reducedShape(self.shape, axes, keep))];
    },
    reference: ({ operands: { self }, attrs: given, results: [result], fail }) => {
      const { axes } = reductionOf(given as ReductionAttrs, self.shape.length, fail);
      // Symbolic sizes are known only now.
      if (nonEmpty?.(given as AttrsOf<A>) === true) refuseEmpty(self.shape, axes, fail);
      return [reduceTensor(reducer(given, result!.dtype), result!, compute?.(self.dtype, result!.dtype) ?? result!.dtype, self, axes)];
    },
    decompose,
  });
