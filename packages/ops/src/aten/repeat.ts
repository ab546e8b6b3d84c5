import { attr, type Dim, dimMul, dimProduct, dimText, type ShapeEnv, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Fail, shapeText, stridesOf, wrapAxis } from '../shapes.js';
import { checked } from './support/checked.js';
import { pickStrided } from './support/pick.js';
import { View } from './support/reshaping.js';
import { Expand } from './expand.js';

function repeatedShape(shape: readonly Dim[], repeats: readonly Dim[], env: ShapeEnv, fail: Fail): readonly Dim[] {
  const lead = repeats.length - shape.length;
  if (lead < 0) fail(`repeats is ${shapeText(repeats)}, expected a number for each of the ${shape.length} axes`);
  if (repeats.some((r) => env.lessEqual(0, r) === 'no')) fail(`repeats is ${shapeText(repeats)}, expected no negative number`);
  return repeats.map((r, i) => (i < lead ? r : dimMul(r, shape[i - lead]!)));
}

/** `out[i0, i1, …] = self[i0 mod n0, i1 mod n1, …]`: axis `i` becomes `repeats[i]` times as long, new axes are in front. */
export const Repeat = defineOp({
  name: 'aten.repeat',
  summary: 'the whole tensor several times along each axis',
  operands: { self: tensor() },
  attrs: { repeats: attr.dims() },
  infer: ({ operands: { self }, attrs, env, fail }) => [tensorType(self.dtype, repeatedShape(self.shape, attrs.repeats, env, fail))],
  reference: ({ operands: { self }, attrs: { repeats }, results }) => {
    const lead = repeats.length - self.shape.length;
    const strides = stridesOf(self.shape);
    const sizes = repeats.flatMap((r, i) => [r, self.shape[i - lead] ?? 1]);
    const both = repeats.flatMap((_, i) => [0, strides[i - lead] ?? 0]);
    return [{ ...pickStrided(self, sizes, both), shape: results[0]!.shape }];
  },
  decompose: ({ operands: { self }, attrs: { repeats }, results, builder }) => {
    const lead = repeats.length - self.type.shape.length;
    const own = repeats.map((_, i) => (i < lead ? 1 : self.type.shape[i - lead]!));
    const apart = builder.create(View, { self }, { size: own.flatMap((d) => [1, d]) }).result;
    const repeated = builder.create(Expand, { self: apart }, { size: own.flatMap((d, i) => [repeats[i]!, d]) }).result;
    return builder.create(View, { self: repeated }, { size: results[0]!.shape }).results;
  },
});

const filled = (dims: readonly Dim[], rank: number): readonly Dim[] => [
  ...new Array<Dim>(Math.max(0, rank - dims.length)).fill(1),
  ...dims,
];

/** {@link Repeat}, where a short `dims` stands for the last axes. */
export const Tile = defineOp({
  name: 'aten.tile',
  summary: 'the whole tensor several times along its last axes',
  operands: { self: tensor() },
  attrs: { dims: attr.dims() },
  infer: ({ operands: { self }, attrs, env, fail }) => [
    tensorType(self.dtype, repeatedShape(self.shape, filled(attrs.dims, self.shape.length), env, fail)),
  ],
  decompose: ({ operands: { self }, attrs, builder }) =>
    builder.create(Repeat, { self }, { repeats: filled(attrs.dims, self.type.shape.length) }).results,
});

/** `out[…, i, …] = self[…, floor(i / repeats), …]` along `dim`; without `dim` over all elements in order. */
export const RepeatInterleaveSelfInt = defineOp({
  name: 'aten.repeat_interleave.self_int',
  summary: 'each index of an axis several times',
  operands: { self: tensor() },
  attrs: { repeats: attr.dim(), dim: attr.optional(attr.int()), output_size: attr.optional(attr.dim()) },
  infer: ({ operands: { self }, attrs: { repeats, dim, output_size }, env, fail }) => {
    if (env.lessEqual(0, repeats) === 'no') fail(`repeats is ${dimText(repeats)}, expected at least 0`);
    if (dim !== undefined && self.shape.length === 0) return fail('self is a 0-d tensor, which has no axis to repeat');
    const shape = dim === undefined ? [dimProduct(self.shape)] : self.shape;
    const axis = dim === undefined ? 0 : wrapAxis(dim, shape.length, fail);
    const size = dimMul(shape[axis]!, repeats);
    if (output_size !== undefined && env.equal(output_size, size) === 'no')
      fail(`output_size is ${dimText(output_size)}, expected ${dimText(size)}`);
    return [tensorType(self.dtype, shape.with(axis, size))];
  },
  decompose: ({ operands: { self }, attrs: { repeats, dim }, results, builder }) => {
    const shape = dim === undefined ? [dimProduct(self.type.shape)] : self.type.shape;
    const axis = dim === undefined ? 0 : wrapAxis(dim, shape.length, checked);
    const apart = builder.create(View, { self }, { size: shape.toSpliced(axis + 1, 0, 1) }).result;
    const repeated = builder.create(Expand, { self: apart }, { size: shape.toSpliced(axis + 1, 0, repeats) }).result;
    return builder.create(View, { self: repeated }, { size: results[0]!.shape }).results;
  },
});
