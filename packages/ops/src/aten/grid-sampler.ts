import { attr, countOf, hostTensor, type HostTensor, type ShapeEnv, storer, tensor, type TensorType, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Fail, shapeText } from '../shapes.js';
import { type Axis, coordinateRounding, interpolations, paddings, type Reading, readAt } from './support/grid.js';

const floats = ['f32', 'f64', 'f16', 'bf16'] as const;
const operands = { input: tensor(...floats), grid: tensor(...floats) };
const attrs = { interpolation_mode: attr.int({ min: 0, max: 2 }), padding_mode: attr.int({ min: 0, max: 2 }), align_corners: attr.bool() };

interface GridAttrs {
  readonly interpolation_mode: number;
  readonly padding_mode: number;
  readonly align_corners: boolean;
}

/** Result type: input `[N, C, …sizes]`, grid `[N, …places, rank]`, result `[N, C, …places]`. */
function inferGrid(
  input: TensorType,
  grid: TensorType,
  { interpolation_mode }: GridAttrs,
  rank: number | undefined,
  env: ShapeEnv,
  fail: Fail,
): TensorType {
  const axes = rank ?? input.shape.length - 2;
  if (axes !== 2 && axes !== 3) fail(`input has shape ${shapeText(input.shape)}, expected rank 4 or 5`);
  const fits =
    input.shape.length === axes + 2 &&
    grid.shape.length === axes + 2 &&
    env.equal(grid.shape.at(-1)!, axes) !== 'no' &&
    env.equal(input.shape[0]!, grid.shape[0]!) !== 'no';
  if (!fits)
    fail(
      `input has shape ${shapeText(input.shape)} and grid ${shapeText(grid.shape)}, expected [N, C, …] with ${axes} axes and [N, …, ${axes}]`,
    );
  if (input.dtype !== grid.dtype) fail(`input is ${input.dtype} and grid ${grid.dtype}, expected one dtype`);
  if (input.shape.slice(2).some((d) => env.lessEqual(1, d) === 'no'))
    fail(`input has shape ${shapeText(input.shape)}, expected non-empty axes`);
  if (axes === 3 && interpolation_mode === 2) fail('interpolation_mode is 2 (bicubic), which is only defined for two axes');
  return tensorType(input.dtype, [...input.shape.slice(0, 2), ...grid.shape.slice(1, -1)]);
}

function sample(input: HostTensor, grid: HostTensor, options: GridAttrs, shape: readonly number[]): HostTensor {
  const out = hostTensor(input.dtype, shape);
  const store = storer(input.dtype);
  const [batch, channels, ...sizes] = input.shape as [number, number, ...number[]];
  const rank = sizes.length;
  const axes = sizes.map((size): Axis => ({
    size,
    interpolation: interpolations[options.interpolation_mode]!,
    padding: paddings[options.padding_mode]!,
    alignCorners: options.align_corners,
    nanToStart: rank === 2,
    round: coordinateRounding(input.dtype),
  }));
  const [plane, places] = [countOf(sizes), countOf(shape.slice(2))];
  // torch's 2-D kernel reads 0 outside and weighs it, which a weight that is not finite shows; nearest and 3-D leave it out.
  const weighs = rank === 2 && options.interpolation_mode !== 1;
  for (let n = 0; n < batch; n++)
    for (let p = 0; p < places; p++) {
      const at = (n * places + p) * rank;
      // The last coordinate of the grid is that of the first axis.
      const readings = axes.map((axis, i): Reading => readAt(grid.data[at + rank - 1 - i] as number, axis));
      let taps: (readonly [number, number])[] = [[0, 1]];
      readings.forEach((r, i) => {
        taps = taps.flatMap(([offset, weight]) =>
          r.at.map((index, k) => [index < 0 || offset < 0 ? -1 : offset * sizes[i]! + index, weight * r.weight[k]!] as const),
        );
      });
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const [offset, weight] of taps) {
          const value = offset < 0 ? 0 : (input.data[(n * channels + c) * plane + offset] as number);
          if (offset >= 0 || weighs) sum += weight * value;
        }
        store(out.data, (n * channels + c) * places + p, sum);
      }
    }
  return out;
}

const sampler = <const N extends string>(name: N, rank: number) =>
  defineOp({
    name,
    summary: `elements of input at the places of grid, over ${rank} axes`,
    operands,
    attrs,
    infer: ({ operands: { input, grid }, attrs: a, env, fail }) => [inferGrid(input, grid, a, rank, env, fail)],
    reference: ({ operands: { input, grid }, attrs: a, results }) => [sample(input, grid, a, results[0]!.shape)],
  });

/**
 * `y[n, c, p] = input[n, c]` at `(x, y) = grid[n, p]`, coordinates from -1 to 1. Interpolation 0 bilinear, 1 nearest,
 * 2 bicubic; padding 0 zeros, 1 border, 2 reflection. Input `[N, C, H, W]`, grid `[N, H', W', 2]`.
 */
export const GridSampler2d = sampler('aten.grid_sampler_2d', 2);
/** {@link GridSampler2d} over three axes, without bicubic: input `[N, C, D, H, W]`, grid `[N, D', H', W', 3]`. */
export const GridSampler3d = sampler('aten.grid_sampler_3d', 3);

/** {@link GridSampler2d} or {@link GridSampler3d}, by the rank of the input. */
export const GridSampler = defineOp({
  name: 'aten.grid_sampler',
  summary: 'elements of input at the places of grid',
  operands,
  attrs,
  infer: ({ operands: { input, grid }, attrs: a, env, fail }) => [inferGrid(input, grid, a, undefined, env, fail)],
  decompose: ({ operands: o, attrs: a, builder }) =>
    builder.create(o.input.type.shape.length === 4 ? GridSampler2d : GridSampler3d, o, a).results,
});
