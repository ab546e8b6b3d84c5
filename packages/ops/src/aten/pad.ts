import { attr, floatScalar, intScalar, type Scalar, tensor } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { checkScalar, scalarTensor } from './support/elementwise.js';
import { padded, paddedType, type PadMode } from './support/padding.js';

/** `self` with `pad[2i]` positions before and `pad[2i + 1]` after axis `-1 - i`, which hold `value`; negative numbers remove positions. */
export const ConstantPadNd = defineOp({
  name: 'aten.constant_pad_nd',
  summary: 'a tensor with a number around it',
  operands: { self: tensor() },
  attrs: { pad: attr.dims(), value: attr.optional<Scalar>(attr.scalar(), intScalar(0)) },
  infer: ({ operands: { self }, attrs, env, fail }) => {
    checkScalar('value', attrs.value, self.dtype, fail);
    return [paddedType(self, attrs.pad, 'constant', env, fail)];
  },
  reference: ({ operands: { self }, attrs: { pad, value }, results }) => [
    padded(self, pad, 'constant', results[0]!.shape, scalarTensor(value, self.dtype).data[0]!),
  ],
});

type Around = Exclude<PadMode, 'constant'>;

/** An op that pads the last `axes` axes, or as many as `padding` says, with elements of the tensor itself. */
const padding = (name: string, mode: Around, attribute: 'padding' | 'pad', axes?: number) =>
  defineOp({
    name,
    summary: {
      reflect: 'a tensor with its mirror image around it',
      replicate: 'a tensor with its border repeated around it',
      circular: 'a tensor that goes on around its ends',
    }[mode],
    operands: { self: tensor() },
    attrs: { [attribute]: attr.dims() },
    infer: ({ operands: { self }, attrs, env, fail }) => {
      const pad = attrs[attribute]!;
      if (axes !== undefined && pad.length !== 2 * axes) fail(`padding has ${pad.length} numbers, expected ${2 * axes}`);
      return [paddedType(self, pad, mode, env, fail)];
    },
    reference: ({ operands: { self }, attrs, results }) => [padded(self, attrs[attribute]!, mode, results[0]!.shape, 0)],
  });

/** Mirror images without the border itself: `2 1 | 0 1 2 | 1 0`. `[C, W]` or `[N, C, W]`; fewer positions than the axis has. */
export const ReflectionPad1d = padding('aten.reflection_pad1d', 'reflect', 'padding', 1);

/** {@link ReflectionPad1d} of `[C, H, W]` or `[N, C, H, W]`. */
export const ReflectionPad2d = padding('aten.reflection_pad2d', 'reflect', 'padding', 2);

/** {@link ReflectionPad1d} of `[C, D, H, W]` or `[N, C, D, H, W]`. */
export const ReflectionPad3d = padding('aten.reflection_pad3d', 'reflect', 'padding', 3);

/** The border again and again: `0 0 | 0 1 2 | 2 2`. `[C, W]` or `[N, C, W]`. */
export const ReplicationPad1d = padding('aten.replication_pad1d', 'replicate', 'padding', 1);

/** {@link ReplicationPad1d} of `[C, H, W]` or `[N, C, H, W]`. */
export const ReplicationPad2d = padding('aten.replication_pad2d', 'replicate', 'padding', 2);

/** {@link ReplicationPad1d} of `[C, D, H, W]` or `[N, C, D, H, W]`. */
export const ReplicationPad3d = padding('aten.replication_pad3d', 'replicate', 'padding', 3);

/** The other end: `1 2 | 0 1 2 | 0 1`; at most once around what negative numbers leave. */
export const PadCircular = padding('aten._pad_circular', 'circular', 'pad');

const around = {
  reflect: [ReflectionPad1d, ReflectionPad2d, ReflectionPad3d],
  replicate: [ReplicationPad1d, ReplicationPad2d, ReplicationPad3d],
} as const;

/** Padding of the last axes: `constant` with `value` (default 0), `reflect`, `replicate` or `circular`. */
export const Pad = defineOp({
  name: 'aten.pad',
  summary: 'a tensor with something around it',
  operands: { self: tensor() },
  attrs: {
    pad: attr.dims(),
    mode: attr.optional(attr.oneOf('constant', 'reflect', 'replicate', 'circular'), 'constant'),
    value: attr.optional(attr.float()),
  },
  infer: ({ operands: { self }, attrs: { pad, mode, value }, env, fail }) => {
    if (mode !== 'constant' && (value ?? 0) !== 0) fail(`value is ${value}, which mode "${mode}" does not take`);
    return [paddedType(self, pad, mode, env, fail)];
  },
  decompose: ({ operands: { self }, attrs: { pad, mode, value }, builder }) => {
    if (mode === 'constant') return builder.create(ConstantPadNd, { self }, { pad, value: floatScalar(value ?? 0) }).results;
    if (mode === 'circular') return builder.create(PadCircular, { self }, { pad }).results;
    return builder.create(around[mode][pad.length / 2 - 1]!, { self }, { padding: pad }).results;
  },
});
