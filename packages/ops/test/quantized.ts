import { countOf, type DType, type HostTensor, tensorOf } from '@qfuse/ir';

/** Numbers that repeat from run to run. */
export function generator(seed: number): () => number {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Random integers in [low, high]. */
export function integers(next: () => number, dtype: DType, shape: readonly number[], low: number, high: number): HostTensor {
  return tensorOf(
    dtype,
    shape,
    Array.from({ length: countOf(shape) }, () => low + Math.floor(next() * (high - low + 1))),
  );
}

/** Random multiples of 1/16 in (-limit, limit): sums and products of some hundred of them are exact in f64 and, as a rule, in f32. */
export function dyadics(next: () => number, dtype: DType, shape: readonly number[], limit = 2): HostTensor {
  return tensorOf(
    dtype,
    shape,
    Array.from({ length: countOf(shape) }, () => Math.trunc((next() * 2 - 1) * 16 * limit) / 16),
  );
}

export const numbersOf = (t: HostTensor | undefined): number[] => Array.from((t?.data ?? []) as ArrayLike<number | bigint>, Number);

/** Every weight as the number that it stands for, from the definition `(w − z) · s`: rows of a matrix. */
export function dequantized(weight: HostTensor, scales: HostTensor, zeros?: HostTensor): number[][] {
  const [n, k] = weight.shape as [number, number];
  const groups = scales.shape[1] ?? 1;
  return Array.from({ length: n }, (_, row) =>
    Array.from({ length: k }, (_unused, column) => {
      const at = row * groups + Math.floor((column * groups) / k);
      return (Number(weight.data[row * k + column]) - (zeros === undefined ? 0 : Number(zeros.data[at]))) * Number(scales.data[at]);
    }),
  );
}

/** `x · Wᵀ + b` of rows of numbers, in float64, term by term. */
export function linear(x: readonly number[], weight: readonly (readonly number[])[], bias?: HostTensor): number[] {
  const k = weight[0]?.length ?? 0;
  const rows = k === 0 ? 1 : x.length / k;
  return Array.from({ length: rows }, (_, m) =>
    weight.map((w, n) => w.reduce((sum, v, i) => sum + x[m * k + i]! * v, bias === undefined ? 0 : Number(bias.data[n]))),
  ).flat();
}
