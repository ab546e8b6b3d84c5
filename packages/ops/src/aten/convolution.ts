import { attr, optionalTensor, tensor } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { ConstantPadNd } from './pad.js';
import { convWindows, inferConv, inferConvTransposed } from './support/conv-shapes.js';
import { convolve, convolveTransposed } from './support/convolve.js';

const operands = { input: tensor(), weight: tensor(), bias: optionalTensor() };

/**
 * `y[n, o, p] = bias[o] + Σ_c Σ_k input[n, c, p·stride + k·dilation - padding] · weight[o, c, k]`, where `c` runs over
 * the `C / groups` channels of the group of `o`, and its adjoint when `transposed`.
 * Input `[N, C, …]` or, beyond torch, `[C, …]`; weight `[O, C / groups, …]`, transposed `[C, O / groups, …]`; bias `[O]`.
 */
export const Convolution = defineOp({
  name: 'aten.convolution',
  summary: 'convolution or transposed convolution over any number of axes',
  operands,
  attrs: {
    stride: attr.ints(),
    padding: attr.ints(),
    dilation: attr.ints(),
    transposed: attr.bool(),
    output_padding: attr.ints(),
    groups: attr.int({ min: 1 }),
  },
  infer: ({ operands: o, attrs, env, fail }) => [(attrs.transposed ? inferConvTransposed : inferConv)(o, attrs, undefined, env, fail)],
  reference: ({ operands: o, attrs, results, fail }) => {
    const windows = convWindows(o.weight.shape.slice(2), attrs, fail);
    const run = attrs.transposed ? convolveTransposed : convolve;
    return [run({ ...o, bias: o.bias, windows, groups: attrs.groups, result: results[0]! })];
  },
});

/** A decomposition sees only operands that the shape rule took. */
const refuse =
  (name: string) =>
  (why: string): never => {
    throw new Error(`${name}: ${why}`);
  };

const conv = <const N extends string>(name: N, rank: number) =>
  defineOp({
    name,
    summary: `convolution over ${rank} ax${rank === 1 ? 'i' : 'e'}s`,
    operands,
    attrs: {
      stride: attr.optional(attr.ints(), [1]),
      padding: attr.optional(attr.ints(), [0]),
      dilation: attr.optional(attr.ints(), [1]),
      groups: attr.optional(attr.int({ min: 1 }), 1),
    },
    infer: ({ operands: o, attrs, env, fail }) => [inferConv(o, attrs, rank, env, fail)],
    decompose: ({ operands: o, attrs, builder }) =>
      builder.create(Convolution, o, { ...attrs, transposed: false, output_padding: [0] }).results,
  });

/** {@link Convolution} over one axis: input `[N, C, L]` or `[C, L]`, weight `[O, C / groups, K]`, bias `[O]`. */
export const Conv1d = conv('aten.conv1d', 1);
/** {@link Convolution} over two axes: input `[N, C, H, W]` or `[C, H, W]`, weight `[O, C / groups, KH, KW]`, bias `[O]`. */
export const Conv2d = conv('aten.conv2d', 2);
/** {@link Convolution} over three axes: input `[N, C, D, H, W]` or `[C, D, H, W]`, weight `[O, C / groups, KD, KH, KW]`, bias `[O]`. */
export const Conv3d = conv('aten.conv3d', 3);

const convPadding = <const N extends string>(name: N, rank: number) =>
  defineOp({
    name,
    summary: `convolution over ${rank} ax${rank === 1 ? 'i' : 'e'}s with padding "same" or "valid"`,
    operands,
    attrs: {
      stride: attr.optional(attr.ints(), [1]),
      padding: attr.optional(attr.oneOf('same', 'valid'), 'valid'),
      dilation: attr.optional(attr.ints(), [1]),
      groups: attr.optional(attr.int({ min: 1 }), 1),
    },
    infer: ({ operands: o, attrs, env, fail }) => [inferConv(o, attrs, rank, env, fail)],
    reference: ({ operands: o, attrs, results, fail }) => {
      const windows = convWindows(o.weight.shape.slice(2), attrs, fail);
      return [convolve({ ...o, bias: o.bias, windows, groups: attrs.groups, result: results[0]! })];
    },
    decompose: ({ operands: o, attrs, builder }) => {
      const windows = convWindows(o.weight.type.shape.slice(2), attrs, refuse(name));
      const even = windows.every((w) => w.before === w.after);
      // Convolution pads both ends alike; what differs is put there before it.
      const pad = windows.toReversed().flatMap((w) => [w.before, w.after]);
      const input = even ? o.input : builder.create(ConstantPadNd, { self: o.input }, { pad }).result;
      const padding = windows.map((w) => (even ? w.before : 0));
      return builder.create(Convolution, { ...o, input }, { ...attrs, padding, transposed: false, output_padding: [0] }).results;
    },
  });

/** {@link Conv1d} with padding by name: `same` keeps the size (stride 1 only; an odd position goes after), `valid` adds none. */
export const Conv1dPadding = convPadding('aten.conv1d.padding', 1);
/** {@link Conv2d} with padding by name: `same` keeps the sizes (stride 1 only; an odd position goes after), `valid` adds none. */
export const Conv2dPadding = convPadding('aten.conv2d.padding', 2);
/** {@link Conv3d} with padding by name: `same` keeps the sizes (stride 1 only; an odd position goes after), `valid` adds none. */
export const Conv3dPadding = convPadding('aten.conv3d.padding', 3);

const convTranspose = <const N extends string>(name: N, rank: number) =>
  defineOp({
    name,
    summary: `transposed convolution over ${rank} ax${rank === 1 ? 'i' : 'e'}s`,
    operands,
    attrs: {
      stride: attr.optional(attr.ints(), [1]),
      padding: attr.optional(attr.ints(), [0]),
      output_padding: attr.optional(attr.ints(), [0]),
      groups: attr.optional(attr.int({ min: 1 }), 1),
      dilation: attr.optional(attr.ints(), [1]),
    },
    infer: ({ operands: o, attrs, env, fail }) => [inferConvTransposed(o, attrs, rank, env, fail)],
    decompose: ({ operands: o, attrs, builder }) => builder.create(Convolution, o, { ...attrs, transposed: true }).results,
  });

/** Adjoint of {@link Conv1d}: input `[N, C, L]` or `[C, L]`, weight `[C, O / groups, K]`, bias `[O]`. */
export const ConvTranspose1d = convTranspose('aten.conv_transpose1d', 1);
/** Adjoint of {@link Conv2d}: input `[N, C, H, W]` or `[C, H, W]`, weight `[C, O / groups, KH, KW]`, bias `[O]`. */
export const ConvTranspose2dInput = convTranspose('aten.conv_transpose2d.input', 2);
/** Adjoint of {@link Conv3d}: input `[N, C, D, H, W]` or `[C, D, H, W]`, weight `[C, O / groups, KD, KH, KW]`, bias `[O]`. */
export const ConvTranspose3dInput = convTranspose('aten.conv_transpose3d.input', 3);
