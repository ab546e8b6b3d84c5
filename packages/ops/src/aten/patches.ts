import { attr, type Dim, dimAdd, dimFloorDiv, dimMul, dimProduct, dimSub, hostTensor, ShapeEnv, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Fail, shapeText, stridesOf, wrapAxis } from '../shapes.js';
import { Accumulator } from './support/accumulator.js';
import { OUTSIDE, pick, pickStrided, steps } from './support/pick.js';
import { renamed } from './support/renamed.js';
import { perAxisFrom } from './support/windows.js';

// torch has these for no integers.
const elements = ['f32', 'f64', 'f16', 'bf16', 'bool'] as const;
const windowAttrs = { kernel_size: attr.ints(), dilation: attr.ints(), padding: attr.ints(), stride: attr.ints() };
type Pair<T = number> = readonly [T, T];
type WindowAttrs = { readonly [K in keyof typeof windowAttrs]: readonly number[] };
type Windows = { readonly [K in keyof typeof windowAttrs]: Pair };

/** The attributes for both image axes; a list of one number stands for both. */
function windowsOf(attrs: WindowAttrs, fail: Fail): Windows {
  const pair = (name: keyof WindowAttrs, least: number): Pair => perAxisFrom(least, name, attrs[name], 2, fail) as Pair;
  return { kernel_size: pair('kernel_size', 1), dilation: pair('dilation', 1), padding: pair('padding', 0), stride: pair('stride', 1) };
}

/** Rows and columns of windows that lie on an image of `size` (height and width) with its padding. */
function placesOf(size: Pair<Dim>, windows: Windows, env: ShapeEnv, fail: Fail): Pair<Dim> {
  const along = (i: 0 | 1): Dim => {
    const room = dimSub(dimAdd(size[i], 2 * windows.padding[i]), windows.dilation[i] * (windows.kernel_size[i] - 1) + 1);
    if (env.lessEqual(0, room) === 'no')
      fail(`kernel_size [${windows.kernel_size.join(', ')}] does not fit an image of ${shapeText(size)}`);
    return env.simplify(dimAdd(dimFloorDiv(room, windows.stride[i]), 1));
  };
  return [along(0), along(1)];
}

/** Position on the image axis `i` of each window place, for one tap of the kernel; {@link OUTSIDE} in the padding. */
const positions = ({ stride, padding, dilation }: Windows, i: 0 | 1, tap: number, places: number, size: number): number[] =>
  Array.from({ length: places }, (_, place) => {
    const at = place * stride[i] - padding[i] + tap * dilation[i];
    return at >= 0 && at < size ? at : OUTSIDE;
  });

/** Offsets in an image plane for all taps of the kernel and, for each, all places: `[kh·kw, rows·columns]` in order. */
function planeOffsets(windows: Windows, [height, width]: Pair, [rows, columns]: Pair): number[] {
  const [kh, kw] = windows.kernel_size;
  const out: number[] = [];
  for (let i = 0; i < kh; i++)
    for (let j = 0; j < kw; j++) {
      const across = positions(windows, 1, j, columns, width);
      for (const y of positions(windows, 0, i, rows, height))
        for (const x of across) out.push(x === OUTSIDE || y === OUTSIDE ? OUTSIDE : y * width + x);
    }
  return out;
}

/** `[N, C, H, W]` to `[N, C·kh·kw, L]`: the elements under each of the `L` places of a sliding window as columns; 0 in the padding. */
export const Im2col = defineOp({
  name: 'aten.im2col',
  summary: 'the elements under a sliding window as columns',
  operands: { self: tensor(...elements) },
  attrs: windowAttrs,
  infer: ({ operands: { self }, attrs, env, fail }) => {
    const { shape } = self;
    if ((shape.length !== 3 && shape.length !== 4) || shape.slice(-3).includes(0))
      return fail(`self has shape ${shapeText(shape)}, expected [C, H, W] or [N, C, H, W] without empty axes but N`);
    const [c, h, w] = shape.slice(-3) as [Dim, Dim, Dim];
    const windows = windowsOf(attrs, fail);
    return [
      tensorType(self.dtype, [
        ...shape.slice(0, -3),
        dimMul(c, windows.kernel_size[0] * windows.kernel_size[1]),
        dimProduct(placesOf([h, w], windows, env, fail)),
      ]),
    ];
  },
  reference: ({ operands: { self }, attrs, results, fail }) => {
    const [h, w] = self.shape.slice(-2) as [number, number];
    const windows = windowsOf(attrs, fail);
    const places = placesOf([h, w], windows, new ShapeEnv(), fail) as Pair;
    return [pick(self, results[0]!.shape, [steps(self.data.length / (h * w), h * w), planeOffsets(windows, [h, w], places)])];
  },
});

/** The transpose of {@link Im2col}: columns `[N, C·kh·kw, L]` added up on an image `[N, C, H, W]` of `output_size`. */
export const Col2im = defineOp({
  name: 'aten.col2im',
  summary: 'columns under a sliding window added up on an image',
  operands: { self: tensor(...elements) },
  attrs: { output_size: attr.dims(), ...windowAttrs },
  infer: ({ operands: { self }, attrs, env, fail }) => {
    const { shape } = self;
    const [h, w] = attrs.output_size;
    if (attrs.output_size.length !== 2 || h === undefined || w === undefined)
      return fail(`output_size is ${shapeText(attrs.output_size)}, expected two numbers`);
    if ((shape.length !== 2 && shape.length !== 3) || shape.slice(-2).includes(0))
      return fail(`self has shape ${shapeText(shape)}, expected [C·kh·kw, L] or [N, C·kh·kw, L] without empty axes but N`);
    const windows = windowsOf(attrs, fail);
    const places = placesOf([h, w], windows, env, fail);
    const taps = windows.kernel_size[0] * windows.kernel_size[1];
    const [rows, length] = shape.slice(-2) as [Dim, Dim];
    if (env.divides(taps, rows) === 'no')
      fail(`self has ${shapeText([rows])} rows, expected a multiple of ${taps}, the size of the kernel`);
    if (env.equal(length, dimMul(places[0], places[1])) === 'no')
      fail(`self has ${shapeText([length])} columns, expected ${shapeText([dimMul(places[0], places[1])])}, the number of window places`);
    return [tensorType(self.dtype, [...shape.slice(0, -2), dimFloorDiv(rows, taps), h, w])];
  },
  reference: ({ operands: { self }, attrs, results, fail }) => {
    const [h, w] = results[0]!.shape.slice(-2) as [number, number];
    const windows = windowsOf(attrs, fail);
    const offsets = planeOffsets(windows, [h, w], placesOf([h, w], windows, new ShapeEnv(), fail) as Pair);
    const sums = new Accumulator(hostTensor(self.dtype, results[0]!.shape), 'sum');
    const add = sums.from(self);
    for (let i = 0; i < self.data.length; i++) {
      const at = offsets[i % offsets.length]!;
      if (at !== OUTSIDE) add(Math.floor(i / offsets.length) * h * w + at, i);
    }
    return [sums.result()];
  },
});

/** `out[…, i, …, j] = self[…, i·step + j, …]` along `dimension`, with `j < size`. */
export const Unfold = defineOp({
  name: 'aten.unfold',
  summary: 'windows of an axis as a new last axis',
  operands: { self: tensor() },
  attrs: { dimension: attr.int(), size: attr.int(), step: attr.int() },
  infer: ({ operands: { self }, attrs: { dimension, size, step }, env, fail }) => {
    const axis = wrapAxis(dimension, self.shape.length, fail);
    const length = self.shape[axis] ?? 1;
    if (step < 1) fail(`step is ${step}, expected at least 1`);
    if (size < 0 || env.lessEqual(size, length) === 'no')
      fail(`size is ${size}, expected 0 to ${shapeText([length])}, the size of axis ${axis}`);
    if (self.shape.length === 0) return [tensorType(self.dtype, [size])];
    return [tensorType(self.dtype, [...self.shape.with(axis, env.simplify(dimAdd(dimFloorDiv(dimSub(length, size), step), 1))), size])];
  },
  reference: ({ operands: { self }, attrs: { dimension, step }, results, fail }) => {
    const axis = wrapAxis(dimension, self.shape.length, fail);
    const strides = stridesOf(self.shape);
    const own = strides[axis] ?? 0;
    return [pickStrided(self, results[0]!.shape, [...strides.map((s, i) => (i === axis ? s * step : s)), own])];
  },
});

/** {@link Unfold} into memory of its own. */
export const UnfoldCopy = renamed('aten.unfold_copy', Unfold);
