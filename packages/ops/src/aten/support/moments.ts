import { type Dim, type Elements, hostTensor, type HostTensor, type ShapeEnv, storer, type TensorType } from '@qfuse/ir';
import { type Fail, shapeText } from '../../shapes.js';

/** Elements seen as `[outer, groups, inner]`; those of one group share mean and variance. */
export interface Grouping {
  readonly outer: number;
  readonly groups: number;
  readonly inner: number;
}

/** Mean and biased variance of each group. */
export interface Moments {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** Mean and biased variance `E[(x - mean)²]` of each group; 0 and NaN for groups without elements, as torch has them. */
export function momentsOf(data: Elements, { outer, groups, inner }: Grouping): Moments {
  const mean = new Float64Array(groups);
  const variance = new Float64Array(groups);
  for (let g = 0; g < groups; g++) {
    const over = (term: (x: number) => number): number => {
      let sum = 0;
      for (let a = 0; a < outer; a++) for (let i = (a * groups + g) * inner, end = i + inner; i < end; i++) sum += term(data[i] as number);
      return sum / (outer * inner);
    };
    const center = over((x) => x);
    mean[g] = outer * inner === 0 ? 0 : center;
    variance[g] = over((x) => (x - center) ** 2);
  }
  return { mean, variance };
}

/** `1 / sqrt(x + eps)` of each. */
export const inverseRoots = (variance: Float64Array, eps: number): Float64Array => variance.map((v) => 1 / Math.sqrt(v + eps));

/** Scale and shift of a normalization, and which entry belongs to an element. */
export interface Affine {
  readonly weight: HostTensor | undefined;
  readonly bias: HostTensor | undefined;
  readonly index: (element: number) => number;
}

/** `(x - mean) · scale · weight + bias`, rounded once. */
export function normalized(
  input: HostTensor,
  { groups, inner }: Grouping,
  mean: Float64Array,
  scale: Float64Array,
  { weight, bias, index }: Affine,
): HostTensor {
  const out = hostTensor(input.dtype, input.shape);
  const store = storer(input.dtype);
  for (let i = 0; i < out.data.length; i++) {
    const g = Math.floor(i / inner) % groups;
    const at = index(i);
    const w = weight === undefined ? 1 : (weight.data[at] as number);
    const b = bias === undefined ? 0 : (bias.data[at] as number);
    store(out.data, i, ((input.data[i] as number) - mean[g]!) * scale[g]! * w + b);
  }
  return out;
}

/** A tensor of numbers, rounded to `type.dtype`. */
export function fromNumbers(
  type: { readonly dtype: HostTensor['dtype']; readonly shape: readonly number[] },
  values: ArrayLike<number>,
): HostTensor {
  const out = hostTensor(type.dtype, type.shape);
  const store = storer(type.dtype);
  for (let i = 0; i < values.length; i++) store(out.data, i, values[i]!);
  return out;
}

/** Checks scale, shift and statistics of a normalization: of `shape`, and of the input's dtype or, for half floats, f32. */
export function checkParameters(
  input: TensorType,
  shape: readonly Dim[],
  parameters: Readonly<Record<string, TensorType | undefined>>,
  env: ShapeEnv,
  fail: Fail,
): void {
  const half = input.dtype === 'f16' || input.dtype === 'bf16';
  for (const [name, t] of Object.entries(parameters)) {
    if (t === undefined) continue;
    if (t.shape.length !== shape.length || t.shape.some((d, i) => env.equal(d, shape[i]!) === 'no'))
      fail(`${name} has shape ${shapeText(t.shape)}, expected ${shapeText(shape)}`);
    if (t.dtype !== input.dtype && !(half && t.dtype === 'f32'))
      fail(`${name} is ${t.dtype}, expected ${input.dtype}${half ? ' or f32' : ''}`);
  }
}
