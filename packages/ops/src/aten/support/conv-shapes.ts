import { type Dim, dimAdd, dimMul, dimSub, type ShapeEnv, type TensorType, tensorType } from '@qfuse/ir';
import { type Fail, shapeText } from '../../shapes.js';
import { perAxisFrom, placesOf, spanOf, type Window } from './windows.js';

/** Operand types of a convolution. */
export interface ConvOperands {
  readonly input: TensorType;
  readonly weight: TensorType;
  readonly bias?: TensorType | undefined;
}

/** Attributes of a convolution in torch's form; `padding` is a list, or how to find it. */
export interface ConvAttrs {
  readonly stride: readonly number[];
  readonly padding: readonly number[] | string;
  readonly dilation: readonly number[];
  readonly groups: number;
  readonly output_padding?: readonly number[] | undefined;
}

/**
 * The windows of a convolution over axes with kernels of sizes `kernels`.
 * `same` keeps the size of each axis: an odd position goes after it. `valid` adds none.
 */
export function convWindows(kernels: readonly Dim[], attrs: ConvAttrs, fail: Fail): readonly Window[] {
  const rank = kernels.length;
  const stride = perAxisFrom(1, 'stride', attrs.stride, rank, fail);
  const dilation = perAxisFrom(1, 'dilation', attrs.dilation, rank, fail);
  const { padding } = attrs;
  const listed = typeof padding === 'string' ? undefined : perAxisFrom(0, 'padding', padding, rank, fail);
  if (padding === 'same' && stride.some((s) => s !== 1))
    fail(`stride is [${stride.join(', ')}], but padding "same" is only defined for stride 1`);
  if (listed === undefined && padding !== 'same' && padding !== 'valid')
    fail(`padding is "${String(padding)}", expected "same" or "valid"`);
  return kernels.map((kernel, i) => {
    const window = { kernel, stride: stride[i]!, dilation: dilation[i]!, before: listed?.[i] ?? 0, after: listed?.[i] ?? 0 };
    if (padding !== 'same') return window;
    if (typeof kernel !== 'number') return fail(`weight has a symbolic kernel size, which padding "same" needs as a number`);
    const total = dilation[i]! * (kernel - 1);
    return { ...window, before: Math.floor(total / 2), after: Math.ceil(total / 2) };
  });
}

/** Checks that concern the whole of a convolution and returns its number of spatial axes. */
function checkOperands({ input, weight, bias }: ConvOperands, groups: number, spatial: number | undefined, fail: Fail): number {
  const rank = spatial ?? weight.shape.length - 2;
  if (rank < 1 || weight.shape.length !== rank + 2)
    fail(`weight has shape ${shapeText(weight.shape)}, expected rank ${spatial === undefined ? 'at least 3' : rank + 2}`);
  if (input.shape.length !== rank + 2 && input.shape.length !== rank + 1)
    fail(
      `input has shape ${shapeText(input.shape)}, expected rank ${rank + 1} (no batch axis) or ${rank + 2} for weight ${shapeText(weight.shape)}`,
    );
  if (groups < 1) fail(`groups is ${groups}, expected at least 1`);
  for (const t of [input, weight, bias]) {
    if (t?.dtype === 'bool') fail('operands are bool, expected numbers');
    if (t !== undefined && t.dtype !== input.dtype)
      fail(`operands have dtypes ${[input, weight, bias].flatMap((o) => o?.dtype ?? []).join(', ')}, expected one dtype`);
  }
  return rank;
}

function checkBias(bias: TensorType | undefined, outs: Dim, env: ShapeEnv, fail: Fail): void {
  if (bias !== undefined && (bias.shape.length !== 1 || env.equal(bias.shape[0]!, outs) === 'no'))
    fail(`bias has shape ${shapeText(bias.shape)}, expected ${shapeText([outs])}`);
}

/** Result type of a convolution; `spatial` is the number of spatial axes where the op fixes it. */
export function inferConv(operands: ConvOperands, attrs: ConvAttrs, spatial: number | undefined, env: ShapeEnv, fail: Fail): TensorType {
  const { input, weight, bias } = operands;
  const rank = checkOperands(operands, attrs.groups, spatial, fail);
  const lead = input.shape.slice(0, -rank - 1);
  const channels = input.shape.at(-rank - 1)!;
  const wanted = dimMul(weight.shape[1]!, attrs.groups);
  if (env.equal(channels, wanted) === 'no')
    fail(
      `input has ${shapeText([channels])} channels, expected ${shapeText([wanted])} for weight ${shapeText(weight.shape)} and groups ${attrs.groups}`,
    );
  const outs = weight.shape[0]!;
  if (env.divides(attrs.groups, outs) === 'no')
    fail(`weight makes ${shapeText([outs])} channels, expected a multiple of groups ${attrs.groups}`);
  if (env.lessEqual(1, outs) === 'no') fail(`weight has shape ${shapeText(weight.shape)}, expected at least one output channel`);
  checkBias(bias, outs, env, fail);
  const windows = convWindows(weight.shape.slice(2), attrs, fail);
  const places = windows.map((w, i) => placesOf(input.shape.slice(-rank)[i]!, w, false, env, fail));
  return tensorType(input.dtype, [...lead, outs, ...places]);
}

/** Result type of a transposed convolution; weight `[C, O/groups, …]`. */
export function inferConvTransposed(
  operands: ConvOperands,
  attrs: ConvAttrs,
  spatial: number | undefined,
  env: ShapeEnv,
  fail: Fail,
): TensorType {
  const { input, weight, bias } = operands;
  const rank = checkOperands(operands, attrs.groups, spatial, fail);
  const lead = input.shape.slice(0, -rank - 1);
  const channels = input.shape.at(-rank - 1)!;
  if (env.equal(channels, weight.shape[0]!) === 'no')
    fail(`input has ${shapeText([channels])} channels, expected ${shapeText([weight.shape[0]!])} for weight ${shapeText(weight.shape)}`);
  if (env.divides(attrs.groups, channels) === 'no')
    fail(`input has ${shapeText([channels])} channels, expected a multiple of groups ${attrs.groups}`);
  const outs = dimMul(weight.shape[1]!, attrs.groups);
  checkBias(bias, outs, env, fail);
  const windows = convWindows(weight.shape.slice(2), attrs, fail);
  const extra = perAxisFrom(0, 'output_padding', attrs.output_padding ?? [0], rank, fail);
  const sizes = windows.map((w, i) => {
    if (extra[i]! >= Math.max(w.stride, w.dilation)) fail(`output_padding is [${extra.join(', ')}], expected less than stride or dilation`);
    const first = dimMul(dimSub(input.shape.slice(-rank)[i]!, 1), w.stride);
    const size = env.simplify(dimAdd(dimAdd(first, dimSub(spanOf(w), w.before + w.after)), extra[i]!));
    if (env.lessEqual(1, size) === 'no') fail(`the result would have size ${shapeText([size])} on spatial axis ${i}`);
    return size;
  });
  return tensorType(input.dtype, [...lead, outs, ...sizes]);
}
