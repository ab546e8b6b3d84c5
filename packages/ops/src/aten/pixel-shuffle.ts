import { attr, type Dim, dimFloorDiv, dimMul, dimText, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Fail, shapeText } from '../shapes.js';
import { Permute } from './support/reordering.js';
import { View } from './support/reshaping.js';

/** Lead axes, channels, height and width of an image `[…, C, H, W]`. */
function imageOf(shape: readonly Dim[], factor: number, name: string, fail: Fail): readonly [lead: readonly Dim[], c: Dim, h: Dim, w: Dim] {
  if (shape.length < 3) fail(`self has shape ${shapeText(shape)}, expected […, C, H, W] of rank 3 or more`);
  if (factor < 1) fail(`${name} is ${factor}, expected at least 1`);
  const [c, h, w] = shape.slice(-3) as [Dim, Dim, Dim];
  return [shape.slice(0, -3), c, h, w];
}

/** Axes `order` after `lead` axes that stay. */
const behind = (lead: number, order: readonly number[]): readonly number[] => [
  ...Array.from({ length: lead }, (_, i) => i),
  ...order.map((i) => i + lead),
];

/** `out[…, c, h·r + i, w·r + j] = self[…, c·r² + i·r + j, h, w]` with `r = upscale_factor`: `[…, C·r², H, W]` to `[…, C, H·r, W·r]`. */
export const PixelShuffle = defineOp({
  name: 'aten.pixel_shuffle',
  summary: 'channels spread over a finer image',
  operands: { self: tensor() },
  attrs: { upscale_factor: attr.int() },
  infer: ({ operands: { self }, attrs: { upscale_factor: r }, env, fail }) => {
    const [lead, c, h, w] = imageOf(self.shape, r, 'upscale_factor', fail);
    if (env.divides(r * r, c) === 'no') fail(`self has ${dimText(c)} channels, expected a multiple of upscale_factor² = ${r * r}`);
    return [tensorType(self.dtype, [...lead, dimFloorDiv(c, r * r), dimMul(h, r), dimMul(w, r)])];
  },
  decompose: ({ operands: { self }, attrs: { upscale_factor: r }, results, builder }) => {
    const { shape } = self.type;
    const lead = shape.slice(0, -3);
    const apart = builder.create(View, { self }, { size: [...lead, results[0]!.shape.at(-3)!, r, r, ...shape.slice(-2)] }).result;
    const spread = builder.create(Permute, { self: apart }, { dims: behind(lead.length, [0, 3, 1, 4, 2]) }).result;
    return builder.create(View, { self: spread }, { size: results[0]!.shape }).results;
  },
});

/** The inverse of {@link PixelShuffle} with `r = downscale_factor`: `[…, C, H·r, W·r]` to `[…, C·r², H, W]`. */
export const PixelUnshuffle = defineOp({
  name: 'aten.pixel_unshuffle',
  summary: 'blocks of an image as channels of a coarser one',
  operands: { self: tensor() },
  attrs: { downscale_factor: attr.int() },
  infer: ({ operands: { self }, attrs: { downscale_factor: r }, env, fail }) => {
    const [lead, c, h, w] = imageOf(self.shape, r, 'downscale_factor', fail);
    // ATen gives an empty image back as it is.
    if (self.shape.includes(0)) return [self];
    if (env.divides(r, h) === 'no' || env.divides(r, w) === 'no')
      fail(`self has shape ${shapeText(self.shape)}, expected height and width to be multiples of downscale_factor ${r}`);
    return [tensorType(self.dtype, [...lead, dimMul(c, r * r), dimFloorDiv(h, r), dimFloorDiv(w, r)])];
  },
  decompose: ({ operands: { self }, attrs: { downscale_factor: r }, results, builder }) => {
    const { shape } = results[0]!;
    if (shape === self.type.shape) return [self];
    const lead = shape.slice(0, -3);
    const [h, w] = shape.slice(-2) as [Dim, Dim];
    const apart = builder.create(View, { self }, { size: [...lead, self.type.shape.at(-3)!, h, r, w, r] }).result;
    const gathered = builder.create(Permute, { self: apart }, { dims: behind(lead.length, [0, 2, 4, 1, 3]) }).result;
    return builder.create(View, { self: gathered }, { size: shape }).results;
  },
});
