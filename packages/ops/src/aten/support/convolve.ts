import { countOf, type Elements, hostTensor, type HostTensor, storer } from '@qfuse/ir';
import { forEachBox, tapsOf, type Window } from './windows.js';

/** What {@link convolve} and {@link convolveTransposed} take; windows have one entry per spatial axis. */
export interface Convolving {
  readonly input: HostTensor;
  readonly weight: HostTensor;
  readonly bias: HostTensor | undefined;
  readonly windows: readonly Window[];
  readonly groups: number;
  readonly result: { readonly dtype: HostTensor['dtype']; readonly shape: readonly number[] };
}

/** Integers are summed as bigints, so that a wrapped result is exact. */
const wide = (data: Elements, exact: boolean): ArrayLike<number> | ArrayLike<bigint> =>
  exact ? Array.from(data as ArrayLike<number>, (x) => BigInt(x)) : (data as ArrayLike<number>);

const isExact = (t: HostTensor): boolean => !(t.data instanceof Float32Array) && !(t.data instanceof Float64Array);

/** `y[n, o, p] = bias[o] + Σ_c Σ_k x[n, c, p·stride + k·dilation - before] · w[o, c, k]`, `c` over the group of `o`. */
export function convolve({ input, weight, bias, windows, groups, result }: Convolving): HostTensor {
  const out = hostTensor(result.dtype, result.shape);
  const rank = windows.length;
  const sizes = input.shape.slice(-rank);
  const kernels = weight.shape.slice(2);
  const places = result.shape.slice(-rank);
  const [plane, kernel, outPlane] = [countOf(sizes), countOf(kernels), countOf(places)];
  const batch = input.shape.length === rank + 2 ? input.shape[0]! : 1;
  const [outs, channels] = [weight.shape[0]!, weight.shape[1]!];
  const exact = isExact(input);
  const [x, w] = [wide(input.data, exact), wide(weight.data, exact)] as [ArrayLike<number>, ArrayLike<number>];
  const b = bias === undefined ? undefined : (wide(bias.data, exact) as ArrayLike<number>);
  const zero = (exact ? 0n : 0) as number;
  const store = storer(result.dtype);
  const axes = windows.map((win, i) => tapsOf(sizes[i]!, places[i]!, win));
  forEachBox(axes, sizes, kernels, (place, at, tap) => {
    for (let n = 0; n < batch; n++)
      for (let o = 0; o < outs; o++) {
        const first = (n * channels * groups + Math.floor(o / (outs / groups)) * channels) * plane;
        let sum = b === undefined ? zero : b[o]!;
        for (let t = 0; t < at.length; t++) {
          let i = first + at[t]!;
          let k = o * channels * kernel + tap[t]!;
          for (let c = 0; c < channels; c++, i += plane, k += kernel) sum += x[i]! * w[k]!;
        }
        store(out.data, (n * outs + o) * outPlane + place, sum);
      }
  });
  return out;
}

/**
 * The adjoint of {@link convolve}: each input element adds its multiple of the kernel to the window that it stands
 * for. `windows` are those of the convolution that goes back from the result to the input; weight `[C, O/groups, …]`.
 */
export function convolveTransposed({ input, weight, bias, windows, groups, result }: Convolving): HostTensor {
  const out = hostTensor(result.dtype, result.shape);
  const rank = windows.length;
  const sizes = result.shape.slice(-rank);
  const kernels = weight.shape.slice(2);
  const places = input.shape.slice(-rank);
  const [plane, kernel, inPlane] = [countOf(sizes), countOf(kernels), countOf(places)];
  const batch = input.shape.length === rank + 2 ? input.shape[0]! : 1;
  const [ins, outs] = [weight.shape[0]!, weight.shape[1]!];
  const exact = isExact(input);
  const [x, w] = [wide(input.data, exact), wide(weight.data, exact)] as [ArrayLike<number>, ArrayLike<number>];
  const b = bias === undefined ? undefined : (wide(bias.data, exact) as ArrayLike<number>);
  const sums = (exact ? new Array<bigint>(out.data.length).fill(0n) : new Float64Array(out.data.length)) as unknown as number[];
  if (b !== undefined) for (let i = 0; i < sums.length; i++) sums[i] = b[Math.floor(i / plane) % (outs * groups)]!;
  const axes = windows.map((win, i) => tapsOf(sizes[i]!, places[i]!, win));
  forEachBox(axes, sizes, kernels, (place, at, tap) => {
    for (let n = 0; n < batch; n++)
      for (let c = 0; c < ins; c++) {
        const value = x[(n * ins + c) * inPlane + place]!;
        const first = (n * outs * groups + Math.floor(c / (ins / groups)) * outs) * plane;
        for (let t = 0; t < at.length; t++) {
          let i = first + at[t]!;
          let k = c * outs * kernel + tap[t]!;
          for (let o = 0; o < outs; o++, i += plane, k += kernel) sums[i]! += value * w[k]!;
        }
      }
  });
  const store = storer(result.dtype);
  for (let i = 0; i < sums.length; i++) store(out.data, i, sums[i]!);
  return out;
}
