import {
  attr,
  type Dim,
  dimAdd,
  dimMax,
  dimMin,
  dimSub,
  type Elements,
  hostTensor,
  type HostTensor,
  type ShapeEnv,
  tensor,
  type TensorType,
  tensorType,
} from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Fail, forEachOffset, shapeText, stridesOf, wrapAxis } from '../shapes.js';
import { checkIndex, sliceLength, sliceStart } from './support/bounds.js';

/** Where a view of a row-major tensor lies: its first element and its strides, in elements. */
interface Place {
  readonly offset: number;
  readonly strides: readonly number[];
}

/** `self` with the elements at `place` replaced by those of `src`. */
function put(self: HostTensor, src: HostTensor, { offset, strides }: Place): HostTensor {
  const out = hostTensor(self.dtype, self.shape, self.data.slice() as Elements);
  forEachOffset(src.shape, [strides], (position, [at]) => {
    out.data[offset + at!] = src.data[position]!;
  });
  return out;
}

/** Refuses a `src` that is not of the view's shape; the result has the type of `self`. */
function resultOf(self: TensorType, src: TensorType, view: readonly Dim[], env: ShapeEnv, fail: Fail): readonly TensorType[] {
  const fits = src.shape.length === view.length && src.shape.every((d, i) => env.equal(d, view[i]!) !== 'no');
  if (!fits) fail(`src has shape ${shapeText(src.shape)}, expected ${shapeText(view)}`);
  if (src.dtype !== self.dtype) fail(`src is ${src.dtype}, expected ${self.dtype} as self`);
  return [tensorType(self.dtype, self.shape)];
}

/** Copies `src` over `self[…, start:end:step, …]` along `dim`; everything else stays. */
export const SliceScatter = defineOp({
  name: 'aten.slice_scatter',
  summary: 'self with a slice replaced by src',
  operands: { self: tensor(), src: tensor() },
  attrs: {
    dim: attr.optional(attr.int(), 0),
    start: attr.optional(attr.dim()),
    end: attr.optional(attr.dim()),
    step: attr.optional(attr.dim(), 1),
  },
  infer: ({ operands: { self, src }, attrs, env, fail }) => {
    if (self.shape.length === 0) return fail('self is a 0-d tensor, which cannot be sliced');
    const axis = wrapAxis(attrs.dim, self.shape.length, fail);
    return resultOf(self, src, self.shape.with(axis, sliceLength(self.shape[axis]!, attrs, env, fail)), env, fail);
  },
  reference: ({ operands: { self, src }, attrs, fail }) => {
    const axis = wrapAxis(attrs.dim, self.shape.length, fail);
    const strides = stridesOf(self.shape);
    return [
      put(self, src, {
        offset: sliceStart(self.shape[axis]!, attrs.start) * strides[axis]!,
        strides: strides.with(axis, strides[axis]! * attrs.step),
      }),
    ];
  },
});

/** Copies `src` over `self[…, index, …]` along `dim`. */
export const SelectScatter = defineOp({
  name: 'aten.select_scatter',
  summary: 'self with one index of an axis replaced by src',
  operands: { self: tensor(), src: tensor() },
  attrs: { dim: attr.int(), index: attr.dim() },
  infer: ({ operands: { self, src }, attrs, env, fail }) => {
    if (self.shape.length === 0) return fail('self is a 0-d tensor, of which nothing can be selected');
    const axis = wrapAxis(attrs.dim, self.shape.length, fail);
    checkIndex(attrs.index, self.shape[axis]!, axis, env, fail);
    return resultOf(self, src, self.shape.toSpliced(axis, 1), env, fail);
  },
  reference: ({ operands: { self, src }, attrs, fail }) => {
    const axis = wrapAxis(attrs.dim, self.shape.length, fail);
    const size = self.shape[axis]!;
    const index = attrs.index < 0 ? attrs.index + size : attrs.index;
    if (index < 0 || index >= size) return fail(`index ${attrs.index} is out of range for size ${size}`);
    const strides = stridesOf(self.shape);
    return [put(self, src, { offset: index * strides[axis]!, strides: strides.toSpliced(axis, 1) })];
  },
});

/** Copies `src` over the diagonal `offset` of the axes `dim1`, `dim2`, which is its last axis. */
export const DiagonalScatter = defineOp({
  name: 'aten.diagonal_scatter',
  summary: 'self with a diagonal replaced by src',
  operands: { self: tensor(), src: tensor() },
  attrs: { offset: attr.optional(attr.int(), 0), dim1: attr.optional(attr.int(), 0), dim2: attr.optional(attr.int(), 1) },
  infer: ({ operands: { self, src }, attrs: { offset, dim1, dim2 }, env, fail }) => {
    const [a, b] = [wrapAxis(dim1, self.shape.length, fail), wrapAxis(dim2, self.shape.length, fail)];
    if (a === b) return fail(`dim1 and dim2 are the same axis ${a}`);
    const [rows, columns] = [self.shape[a]!, self.shape[b]!];
    const length = dimMin(offset < 0 ? dimAdd(rows, offset) : rows, offset > 0 ? dimSub(columns, offset) : columns);
    const rest = self.shape.filter((_, i) => i !== a && i !== b);
    return resultOf(self, src, [...rest, env.simplify(dimMax(length, 0))], env, fail);
  },
  reference: ({ operands: { self, src }, attrs: { offset, dim1, dim2 }, fail }) => {
    const [a, b] = [wrapAxis(dim1, self.shape.length, fail), wrapAxis(dim2, self.shape.length, fail)];
    const strides = stridesOf(self.shape);
    const start = offset >= 0 ? offset * strides[b]! : -offset * strides[a]!;
    return [put(self, src, { offset: start, strides: [...strides.filter((_, i) => i !== a && i !== b), strides[a]! + strides[b]!] })];
  },
});
