import { fused } from '@qfuse/ops';
import {
  type Constant,
  constantOf,
  decodeElements,
  type DType,
  Editor,
  Graph,
  type HostTensor,
  numel,
  symbol,
  tensorOf,
  tensorType,
  type Value,
} from '@qfuse/plugin';
import type { ErrorBound, WebGPUKernel } from '../src/kernel.js';
import { weightOnlyLinearKernels } from '../src/kernels/linear-weight-only.js';
import { createTarget, portableTarget, type WebGPUTarget, withLimits } from '../src/target.js';
import { inputFor, randomNumbers } from './compare.js';
import { runGuarded } from './guarded.js';

/** Targets that choose other kernels for packed layers, for the adapter at hand. */
export const targets: Record<string, (device: GPUDevice) => WebGPUTarget> = {
  software: (device) => createTarget(device),
  // The kernels of real GPUs, on the adapter at hand.
  'gpu, 16 KiB': (device) => ({ ...withLimits(createTarget(device), portableTarget.limits), software: false }),
  'gpu, 32 KiB': (device) => ({ ...createTarget(device), software: false }),
};

/** A layer's sizes; `groupSize` is undefined for one scale a channel. */
export type LayerShape = readonly [m: number, k: number, n: number, groupSize: number | undefined];

/** Odd sizes around cells, blocks and tiles; groups of whole cells, whole words, whole vectors and of any size. */
export const shapes: readonly LayerShape[] = [
  [1, 1, 1, undefined],
  [1, 37, 19, undefined],
  [2, 64, 48, 32],
  [5, 37, 19, undefined],
  [9, 33, 70, 11],
  [3, 300, 17, 100],
  [6, 40, 12, 8],
  [1, 96, 33, 32],
  [7, 20, 9, 4],
  [4, 35, 10, 7],
  [5, 36, 8, 12],
  [1, 26, 5, 13],
  [2, 64, 8, 64],
  [33, 32, 65, 16],
];

/** What a layer's weight looks like. */
export interface LayerOptions {
  readonly bits: 4 | 8;
  readonly k: number;
  readonly n: number;
  /** Weights that share a scale; left out: one scale a channel. */
  readonly groupSize?: number | undefined;
  readonly zeros?: boolean | DType | undefined;
  readonly bias?: 'input' | 'f32' | 'f16' | undefined;
  /** Rows of the input; left out: the symbol `m`. */
  readonly rows?: number | undefined;
  readonly scales?: 'f32' | 'f64' | 'f16' | 'bf16' | undefined;
  /** The integer of row n at k; default: over the whole range, its smallest number often. */
  readonly weight?: ((n: number, k: number) => number) | undefined;
}

/** A layer's op by its weight. */
export const linearOp = ({ bits, groupSize }: Pick<LayerOptions, 'bits' | 'groupSize'>) =>
  bits === 8
    ? groupSize === undefined
      ? fused.LinearQcs8w
      : fused.LinearQ8gsw
    : groupSize === undefined
      ? fused.LinearQcs4w
      : fused.LinearQ4gsw;

/** Constants of a weight: integers, scales, zero points. */
export function weightOf(options: LayerOptions): {
  readonly weight: Constant;
  readonly scales: Constant;
  readonly zeros: Constant | undefined;
} {
  const { bits, k, n, groupSize, zeros = false, scales = 'f32' } = options;
  const next = randomNumbers(k * 1000 + n);
  const half = 2 ** (bits - 1);
  const random = (_n: number, i: number): number => (i % 7 === 0 ? -half : Math.floor(next() * half));
  const pick = options.weight ?? random;
  const integers = Array.from({ length: n * k }, (_, i) => pick(Math.floor(i / k), i % k));
  const shape = groupSize === undefined ? [n] : [n, k === 0 ? 1 : k / groupSize];
  const count = shape.reduce((a, b) => a * b, 1);
  const floats = Array.from({ length: count }, () => (next() + 1.5) / half);
  const dtype = zeros === true ? 'i32' : zeros;
  return {
    weight: constantOf(tensorOf(bits === 8 ? 'i8' : 'i4', [n, k], integers)),
    scales: constantOf(tensorOf(scales, shape, floats)),
    zeros:
      dtype === false
        ? undefined
        : constantOf(
            tensorOf(
              dtype,
              shape,
              Array.from({ length: count }, () => Math.floor(next() * half)),
            ),
          ),
  };
}

/** A graph with one fused linear layer. */
export function layer(options: LayerOptions): Graph {
  const graph = new Graph('layer');
  const edit = new Editor(graph);
  const { weight, scales, zeros } = weightOf(options);
  const { n, k, bias } = options;
  const next = randomNumbers(n);
  const constant = (name: string, made: Constant): Value => edit.addConstant(name, 'parameter', made);
  const operands = {
    input: edit.addInput('x', tensorType('f32', [options.rows ?? symbol('m'), k])),
    weight: constant('w', weight),
    scales: constant('s', scales),
    bias:
      bias === undefined
        ? undefined
        : bias === 'input'
          ? edit.addInput('b', tensorType('f32', [n]))
          : constant('b', constantOf(tensorOf(bias, [n], Array.from({ length: n }, next)))),
    zero_points: zeros === undefined ? undefined : constant('z', zeros),
  };
  edit.setOutputs(edit.create(linearOp(options), operands as never).results);
  return graph;
}

/** What the definition gives for a layer of {@link layer} in float64, and the sum of the magnitudes of what is added for each element. */
export interface Sums {
  readonly y: Float64Array;
  readonly magnitude: Float64Array;
}

/** {@link Sums} for a graph of one fused linear on `inputs`: x, and the bias where it is an input. */
export function sumsOf(graph: Graph, [x, givenBias]: readonly HostTensor[]): Sums {
  const [node] = graph.nodes();
  const operand = (name: string): Value | undefined => node!.operandOrNone(name as never);
  const data = (name: string): Float64Array | undefined => {
    const constant = operand(name)?.constant;
    return constant === undefined ? undefined : numbersOf(constant);
  };
  const [n, k] = operand('weight')!.type.shape as [number, number];
  const [w, s, z] = [data('weight')!, data('scales')!, data('zero_points')];
  const bias = givenBias === undefined ? data('bias') : Float64Array.from(givenBias.data as Float32Array);
  const groups = (operand('scales')!.type.shape[1] as number | undefined) ?? 1;
  const rows = n === 0 || k === 0 ? (x!.shape[0] ?? 0) : x!.data.length / k;
  const [y, magnitude] = [new Float64Array(rows * n), new Float64Array(rows * n)];
  for (let m = 0; m < rows; m++)
    for (let c = 0; c < n; c++) {
      let [sum, size] = [bias?.[c] ?? 0, Math.abs(bias?.[c] ?? 0)];
      for (let i = 0; i < k; i++) {
        const g = c * groups + Math.floor((i * groups) / k);
        const term = Number(x!.data[m * k + i]) * (w[c * k + i]! - (z?.[g] ?? 0)) * s[g]!;
        sum += term;
        size += Math.abs(term);
      }
      y[m * n + c] = sum;
      magnitude[m * n + c] = size;
    }
  return { y, magnitude };
}

const numbersOf = (constant: Constant): Float64Array =>
  Float64Array.from(
    decodeElements(constant.type.dtype, constant.bytes(), numel(constant.type) as number) as ArrayLike<number | bigint>,
    Number,
  );

/** Where results of a layer lie farther from float64 than `bound` allows for sums of K terms; the largest error in units of 2^-24 · Σ|terms|. */
export function outside(
  y: HostTensor,
  { y: exact, magnitude }: Sums,
  k: number,
  bound: ErrorBound,
): { readonly wrong: string[]; readonly worst: number } {
  const relative = bound.relative + k * (bound.perTerm ?? 0);
  const wrong: string[] = [];
  let worst = 0;
  exact.forEach((e, i) => {
    const error = Math.abs(Number(y.data[i]) - e);
    if (!(error <= bound.absolute + relative * magnitude[i]!))
      wrong.push(`element ${i} is ${y.data[i]}, expected ${e} ± ${relative * magnitude[i]!}`);
    if (magnitude[i]! > 0) worst = Math.max(worst, (error / magnitude[i]!) * 2 ** 24);
  });
  return { wrong: wrong.slice(0, 5), worst };
}

/** Runs a layer with a fixed number of rows between guard bands and compares it with float64; `x` gives other inputs than random ones. */
export async function checkLayer(
  device: GPUDevice,
  options: LayerOptions & { readonly rows: number },
  target: WebGPUTarget,
  x?: HostTensor,
  kernels: readonly WebGPUKernel[] = weightOnlyLinearKernels,
): Promise<string[]> {
  const graph = layer(options);
  const { rows, k, n } = options;
  const inputs = graph.inputs.map((v, i) => (i === 0 ? (x ?? inputFor(v, [rows, k], n + rows)) : inputFor(v, [n], k)));
  const [y] = await runGuarded(device, graph, inputs, kernels, target);
  return outside(y!, sumsOf(graph, inputs), k, weightOnlyLinearKernels[0]!.error).wrong;
}
