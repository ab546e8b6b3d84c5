import { attr, type Dim, dimFloorDiv, dimText, tensor, tensorType, type Value } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Fail, shapeText, wrapAxis } from '../shapes.js';
import { axesOf, pick } from './support/pick.js';
import { checked } from './support/checked.js';
import { exchange, Permute } from './support/reordering.js';
import { View } from './support/reshaping.js';

function distinctAxes(dims: readonly number[], rank: number, fail: Fail): readonly number[] {
  const axes = dims.map((d) => wrapAxis(d, rank, fail));
  return new Set(axes).size < axes.length ? fail(`dims [${dims.join(', ')}] repeat one`) : axes;
}

/** `out[…, i, …] = self[…, n - 1 - i, …]` along each of the axes `dims`. */
export const Flip = defineOp({
  name: 'aten.flip',
  summary: 'axes in reverse',
  operands: { self: tensor() },
  attrs: { dims: attr.ints() },
  infer: ({ operands: { self }, attrs, fail }) => {
    distinctAxes(attrs.dims, self.shape.length, fail);
    return [tensorType(self.dtype, self.shape)];
  },
  reference: ({ operands: { self }, attrs, fail }) => {
    const flipped = distinctAxes(attrs.dims, self.shape.length, fail);
    return [
      pick(
        self,
        self.shape,
        axesOf(self.shape).map((offsets, axis) => (flipped.includes(axis) ? offsets.toReversed() : offsets)),
      ),
    ];
  },
});

const flipAlong = (name: string, axis: number) =>
  defineOp({
    name,
    summary: `axis ${axis} in reverse`,
    operands: { self: tensor() },
    infer: ({ operands: { self }, fail }) =>
      self.shape.length <= axis
        ? fail(`self has shape ${shapeText(self.shape)}, expected rank ${axis + 1} or more`)
        : [tensorType(self.dtype, self.shape)],
    decompose: ({ operands: { self }, builder }) => builder.create(Flip, { self }, { dims: [axis] }).results,
  });

/** Columns in reverse. */
export const Fliplr = flipAlong('aten.fliplr', 1);

/** Rows in reverse. */
export const Flipud = flipAlong('aten.flipud', 0);

/** `out[…, i, …] = self[…, (i - shift) mod n, …]` for each shift and its axis; without `dims` over all elements in order. */
export const Roll = defineOp({
  name: 'aten.roll',
  summary: 'elements moved along axes, around the end',
  operands: { self: tensor() },
  attrs: { shifts: attr.dims(), dims: attr.optional(attr.ints(), []) },
  infer: ({ operands: { self }, attrs: { shifts, dims }, fail }) => {
    if (shifts.length === 0) fail('shifts is [], expected at least one number');
    if (dims.length === 0 ? shifts.length !== 1 : shifts.length !== dims.length)
      fail(`shifts has ${shifts.length} numbers and dims ${dims.length}, expected as many`);
    if (dims.length > 0 && self.shape.length === 0) fail('self is a 0-d tensor, which has no axes to roll');
    for (const d of dims) wrapAxis(d, self.shape.length, fail);
    return [tensorType(self.dtype, self.shape)];
  },
  reference: ({ operands: { self }, attrs: { shifts, dims }, fail }) => {
    const shape = dims.length === 0 ? [self.data.length] : self.shape;
    const axes = axesOf(shape);
    (dims.length === 0 ? [0] : dims).forEach((dim, i) => {
      const axis = wrapAxis(dim, shape.length, fail);
      const offsets = axes[axis]!;
      const n = offsets.length;
      axes[axis] = offsets.map((_, k) => offsets[(((k - shifts[i]!) % n) + n) % n]!);
    });
    return [pick(self, self.shape, axes)];
  },
});

/** `self` turned by `k` quarter turns in the plane of the two axes `dims`, from the first towards the second. */
export const Rot90 = defineOp({
  name: 'aten.rot90',
  summary: 'quarter turns in the plane of two axes',
  operands: { self: tensor() },
  attrs: { k: attr.optional(attr.int(), 1), dims: attr.optional(attr.ints(), [0, 1]) },
  infer: ({ operands: { self }, attrs, fail }) => {
    const { shape } = self;
    if (attrs.dims.length !== 2 || shape.length < 2)
      return fail(`dims is [${attrs.dims.join(', ')}] and self has rank ${shape.length}, expected two dims and rank 2 or more`);
    const [a, b] = distinctAxes(attrs.dims, shape.length, fail) as [number, number];
    return [tensorType(self.dtype, attrs.k % 2 === 0 ? shape : exchange(a, b, shape.length, fail).map((axis) => shape[axis]!))];
  },
  decompose: ({ operands: { self }, attrs, builder }) => {
    const rank = self.type.shape.length;
    const [a, b] = distinctAxes(attrs.dims, rank, checked) as [number, number];
    const flip = (x: Value, ...axes: number[]): Value => builder.create(Flip, { self: x }, { dims: axes }).result;
    const turn = (x: Value): Value => builder.create(Permute, { self: x }, { dims: exchange(a, b, rank, checked) }).result;
    const turns = ((attrs.k % 4) + 4) % 4;
    if (turns === 0) return [self];
    return [turns === 1 ? turn(flip(self, b)) : turns === 2 ? flip(self, a, b) : turn(flip(self, a))];
  },
});

const shuffled = (name: string) =>
  defineOp({
    name,
    summary: 'channels of several groups in turn',
    operands: { self: tensor() },
    attrs: { groups: attr.dim() },
    infer: ({ operands: { self }, attrs: { groups }, env, fail }) => {
      if (typeof groups !== 'number') return fail(`groups is ${dimText(groups)}, expected a number`);
      if (self.shape.length < 3) return fail(`self has shape ${shapeText(self.shape)}, expected [N, C, …] of rank 3 or more`);
      if (groups < 1 || env.divides(groups, self.shape[1]!) === 'no')
        fail(`groups is ${groups}, expected a divisor of the ${dimText(self.shape[1]!)} channels`);
      return [tensorType(self.dtype, self.shape)];
    },
    decompose: ({ operands: { self }, attrs: { groups }, builder }) => {
      const { shape } = self.type;
      const [n, c, ...rest] = shape as [Dim, Dim, ...Dim[]];
      const rows = builder.create(View, { self }, { size: [n, groups, dimFloorDiv(c, groups as number), ...rest] }).result;
      const columns = builder.create(Permute, { self: rows }, { dims: [0, 2, 1, ...rest.map((_, i) => i + 3)] }).result;
      return builder.create(View, { self: columns }, { size: shape }).results;
    },
  });

/** Channels `[N, g·c, …]` read as `g` groups of `c` and written `c` groups of `g`. */
export const ChannelShuffle = shuffled('aten.channel_shuffle');

/** {@link ChannelShuffle} under another name. */
export const NativeChannelShuffle = shuffled('aten.native_channel_shuffle');
