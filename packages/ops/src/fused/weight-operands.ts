import { type DType, type HostTensor, optionalTensor, type ShapeEnv, tensor, type TensorType } from '@qfuse/ir';
import { type Fail, shapeText } from '../shapes.js';

/** Float dtypes of activations. */
export const floats = ['f32', 'f16', 'bf16'] as const;

/** Integer dtypes that zero points may have. */
const integers = ['i8', 'u8', 'i4', 'u4', 'i16', 'u16', 'i32', 'i64'] as const;

/** An optional operand of integer zero points. */
export const optionalZeroPoints = optionalTensor(...integers);

/** How an op reads its weight: bits and granularity of the scales. The name is its tag in op names. */
export interface WeightScheme {
  /** `[bits][granularity]sw`: q8csw, q4csw, q8gsw, q4gsw. */
  readonly tag: string;
  readonly bits: 4 | 8;
  readonly granularity: 'channel' | 'group';
  readonly dtype: DType;
}

const scheme = (bits: 4 | 8, granularity: 'channel' | 'group'): WeightScheme =>
  Object.freeze({ tag: `q${bits}${granularity[0]}sw`, bits, granularity, dtype: bits === 8 ? 'i8' : 'i4' });

/** 8 bits, one scale an output channel. */
export const q8csw = scheme(8, 'channel');
/** 4 bits, one scale an output channel. */
export const q4csw = scheme(4, 'channel');
/** 8 bits, one scale for each run of K / G weights of an output channel. */
export const q8gsw = scheme(8, 'group');
/** 4 bits, one scale for each run of K / G weights of an output channel. */
export const q4gsw = scheme(4, 'group');

/**
 * The operands that say what the weight of an output channel is: `(weight − zero_points) · scales`. Weight `[N, K]` of
 * integers; scales `[N]` per channel or `[N, G]` per group of K / G consecutive weights; zero points in the shape of the
 * scales, absent for symmetric weights.
 */
export const weightOperands = ({ dtype }: WeightScheme) => ({
  weight: tensor(dtype),
  scales: tensor('f32', 'f64', 'f16', 'bf16'),
});

/** Types of {@link weightOperands} and what goes with them. */
interface WeightTypes {
  readonly weight: TensorType;
  readonly scales: TensorType;
  readonly zero_points?: TensorType | undefined;
  readonly bias?: TensorType | undefined;
}

/** Checks weight, scales, zero points and bias against each other. */
export function checkWeight(
  { weight, scales, zero_points, bias }: WeightTypes,
  { granularity }: Pick<WeightScheme, 'granularity'>,
  env: ShapeEnv,
  fail: Fail,
): void {
  const [n, k] = weight.shape;
  if (weight.shape.length !== 2 || n === undefined || k === undefined)
    return fail(`weight has shape ${shapeText(weight.shape)}, expected [N, K]`);
  const [rows, groups] = scales.shape;
  if (scales.shape.length !== (granularity === 'channel' ? 1 : 2) || env.equal(rows!, n) === 'no')
    fail(
      `scales has shape ${shapeText(scales.shape)}, expected ${granularity === 'channel' ? shapeText([n]) : `${shapeText([n]).slice(0, -1)}, G]`}`,
    );
  if (groups !== undefined && (typeof groups !== 'number' || groups === 0 || env.divides(groups, k) === 'no'))
    fail(`scales has shape ${shapeText(scales.shape)}: ${shapeText([groups])} groups do not divide K = ${shapeText([k])}`);
  if (
    zero_points !== undefined &&
    (zero_points.shape.length !== scales.shape.length || zero_points.shape.some((d, i) => env.equal(d, scales.shape[i]!) === 'no'))
  )
    fail(`zero_points has shape ${shapeText(zero_points.shape)}, expected ${shapeText(scales.shape)}`);
  if (bias !== undefined && (bias.shape.length !== 1 || env.equal(bias.shape[0]!, n) === 'no'))
    fail(`bias has shape ${shapeText(bias.shape)}, expected ${shapeText([n])}`);
}

/** Checks the last dim of an input against the K of the weight. */
export function checkInput(input: TensorType, weight: TensorType, env: ShapeEnv, fail: Fail): void {
  const [last, k] = [input.shape.at(-1), weight.shape[1]!];
  if (last === undefined || env.equal(last, k) === 'no')
    fail(`input has shape ${shapeText(input.shape)}, expected its last dim to be ${shapeText([k])}`);
}

/** Tensors of {@link weightOperands}. */
export interface WeightTensors {
  readonly weight: HostTensor;
  readonly scales: HostTensor;
  readonly zero_points?: HostTensor | undefined;
}

/**
 * `y[n] = Σ_g scales[n, g] · Σ_{k in g} x[k] · (weight[n, k] − zero_points[n, g])` for every output channel, in float64. With integers in
 * x the inner sums are exact.
 */
export function weightedSums({
  weight,
  scales,
  zero_points,
}: WeightTensors): (x: Float64Array, emit: (n: number, y: number) => void) => void {
  const [rows, k] = weight.shape as [number, number];
  const groups = scales.shape[1] ?? 1;
  const size = k / groups;
  const w = weight.data as Int8Array;
  const s = Float64Array.from(scales.data as ArrayLike<number>, Number);
  const z = zero_points === undefined ? undefined : Float64Array.from(zero_points.data as ArrayLike<number | bigint>, Number);
  return (x, emit) => {
    for (let n = 0; n < rows; n++) {
      let y = 0;
      for (let g = 0; g < groups; g++) {
        const zero = z?.[n * groups + g] ?? 0;
        let sum = 0;
        for (let i = g * size; i < (g + 1) * size; i++) sum += x[i]! * (w[n * k + i]! - zero);
        y += sum * s[n * groups + g]!;
      }
      emit(n, y);
    }
  };
}

/** Element `i` of an optional bias. */
export const biasAt = (bias: HostTensor | undefined, i: number): number => (bias === undefined ? 0 : Number(bias.data[i]));
