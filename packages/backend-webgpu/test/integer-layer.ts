import { fused } from '@qfuse/ops';
import {
  type Constant,
  constantOf,
  countOf,
  type DType,
  Editor,
  Graph,
  type HostTensor,
  symbol,
  tensorFrom,
  tensorOf,
  tensorType,
  type Value,
} from '@qfuse/plugin';
import { integerLinearKernels } from '../src/kernels/linear-integer.js';
import { createTarget, type WebGPUTarget } from '../src/target.js';
import { chunksOf } from '../src/wgsl/integer-sums.js';
import { randomNumbers } from './compare.js';
import { runGuarded } from './guarded.js';

const dot = 'packed_4x8_integer_dot_product';
const gpuTarget = (device: GPUDevice): WebGPUTarget => ({ ...createTarget(device, { languageFeatures: [dot] }), software: false });

/** Targets that choose other kernels for linears of integers, for the adapter at hand. */
export const integerTargets: Record<string, (device: GPUDevice) => WebGPUTarget> = {
  software: (device) => createTarget(device, { languageFeatures: [dot] }),
  'software, no dots': (device) => createTarget(device),
  gpu: gpuTarget,
  'gpu, no dots': (device) => ({ ...gpuTarget(device), languageFeatures: [] }),
};

/** A parameter of the input: a constant or a graph input, one for all rows or one a row. */
type ParameterKind = 'constant' | 'constant rows' | 'input' | 'input rows';

/** A linear of integers. */
export interface IntegerOptions {
  readonly bits: 4 | 8;
  readonly m?: number | undefined;
  readonly k: number;
  readonly n: number;
  readonly groupSize?: number | undefined;
  readonly op?: 'dq8ca' | 'q8ta' | 'codes' | undefined;
  readonly codes?: 'i8' | 'u8' | undefined;
  readonly scale?: ParameterKind | undefined;
  /** Left out: no zero point. */
  readonly zero?: ParameterKind | undefined;
  readonly zeroType?: DType | undefined;
  readonly weightZeros?: boolean | undefined;
  readonly bias?: 'input' | 'constant' | undefined;
  /** For `codes`. */
  readonly output?:
    | { readonly scale: number; readonly zero?: number; readonly qmin: number; readonly qmax: number; readonly dtype: 'i8' | 'u8' }
    | undefined;
  /** Integers of the weight (row n, k), of x (row m, k), and zero points of x (row m); random ones where left out. */
  readonly weight?: ((n: number, k: number) => number) | undefined;
  readonly x?: ((m: number, k: number) => number) | undefined;
  readonly inputZero?: ((m: number) => number) | undefined;
  readonly weightScale?: ((n: number, g: number) => number) | undefined;
  readonly inputScale?: number | undefined;
  readonly biasValue?: ((n: number) => number) | undefined;
  readonly seed?: number | undefined;
}

/** Parameters of the input and the weight in their kinds, one after the other. */
export const integerVariants: readonly Partial<IntegerOptions>[] = [
  { scale: 'input rows' },
  { scale: 'input rows', zero: 'input rows', zeroType: 'i8', bias: 'input' },
  { codes: 'u8', zero: 'constant', weightZeros: true, bias: 'constant' },
  { op: 'q8ta', codes: 'u8', zero: 'input', zeroType: 'u8', weightZeros: true },
  { scale: 'constant rows', zero: 'constant rows', weightZeros: true },
  { op: 'q8ta', scale: 'input', zero: 'input', zeroType: 'i64' },
  { codes: 'u8' },
];

/** A graph of one layer and its inputs for `m` rows. */
export interface IntegerLayer {
  readonly graph: Graph;
  readonly inputs: readonly HostTensor[];
}

const opOf = ({ op = 'dq8ca', bits, groupSize }: IntegerOptions) => {
  if (op === 'codes') return fused.Q8taLinear;
  const family = op === 'dq8ca' ? 'LinearDq8ca' : 'LinearQ8ta';
  return fused[`${family}Q${bits}${groupSize === undefined ? 'c' : 'g'}sw`];
};

/** Builds a layer; `m` rows, or the symbol m, of which the inputs have `rows`. */
export function integerLayer(options: IntegerOptions, rows = options.m ?? 1): IntegerLayer {
  const { bits, k, n, groupSize, codes = 'i8', seed = 1, op = 'dq8ca' } = options;
  const graph = new Graph('layer');
  const edit = new Editor(graph);
  const next = randomNumbers(k * 1000 + n * 7 + rows * 13 + seed);
  const half = 2 ** (bits - 1);
  const whole = (low: number, high: number): number => low + Math.floor(((next() + 1) / 2) * (high - low + 1));
  const inputs: HostTensor[] = [];
  const lead = options.m ?? symbol('m');
  const input = (name: string, tensor: HostTensor, shape: readonly (number | typeof lead)[]): Value => {
    inputs.push(tensor);
    return edit.addInput(name, tensorType(tensor.dtype, shape as never));
  };
  const constant = (name: string, made: HostTensor): Value => edit.addConstant(name, 'parameter', constantOf(made));
  const fill = (dtype: DType, shape: readonly number[], of: (i: number) => number): HostTensor =>
    tensorOf(
      dtype,
      shape,
      Array.from({ length: countOf(shape) }, (_, i) => of(i)),
    );
  const [low, high] = codes === 'i8' ? [-128, 127] : [0, 255];
  const x = fill(codes, [rows, k], (i) => options.x?.(Math.floor(i / k), i % k) ?? (i % 11 === 0 ? low : whole(low, high)));
  const parameter = (name: string, dtype: DType, kind: ParameterKind, of: (m: number) => number): Value => {
    const perRow = kind.endsWith('rows');
    const tensor = fill(dtype, perRow ? [rows, 1] : [], of);
    if (kind.startsWith('constant')) return constant(name, tensor);
    return input(name, tensor, perRow ? [lead, 1] : []);
  };
  const operands: Record<string, Value | undefined> = { input: input('x', x, [lead, k]) };
  operands['input_scale'] = parameter('xs', 'f32', options.scale ?? 'constant', () =>
    Math.fround(options.inputScale ?? (next() + 2) / 100),
  );
  const groups = groupSize === undefined ? 1 : k === 0 ? 1 : k / groupSize;
  const grid = groupSize === undefined ? [n] : [n, groups];
  operands['weight'] = constant(
    'w',
    fill(
      bits === 8 ? 'i8' : 'i4',
      [n, k],
      (i) => options.weight?.(Math.floor(i / k), i % k) ?? (i % 7 === 0 ? -half : whole(-half, half - 1)),
    ),
  );
  operands['scales'] = constant(
    's',
    fill('f32', grid, (i) => Math.fround(options.weightScale?.(Math.floor(i / groups), i % groups) ?? (next() + 1.5) / half)),
  );
  if (options.zero !== undefined)
    operands['input_zero_point'] = parameter(
      'xz',
      options.zeroType ?? 'i32',
      options.zero,
      (m) => options.inputZero?.(m) ?? whole(low, high),
    );
  if (options.weightZeros === true)
    operands['zero_points'] = constant(
      'z',
      fill('i8', grid, () => whole(-half, half - 1)),
    );
  if (options.bias !== undefined) {
    const bias = fill('f32', [n], (i) => Math.fround(options.biasValue?.(i) ?? next() * 2));
    operands['bias'] = options.bias === 'input' ? input('b', bias, [n]) : constant('b', bias);
  }
  const { output } = options;
  if (op === 'codes') {
    operands['output_scale'] = constant('ys', tensorOf('f32', [], [output!.scale]));
    if (output!.zero !== undefined) operands['output_zero_point'] = constant('yz', tensorOf('i32', [], [output!.zero]));
  }
  const attrs = op === 'codes' ? { qmin: output!.qmin, qmax: output!.qmax, dtype: output!.dtype } : {};
  edit.setOutputs(edit.create(opOf(options) as typeof fused.Q8taLinear, operands as never, attrs as never).results);
  return { graph, inputs };
}

/** Roundings that a term of a layer meets at most, as `integer-sums.ts` derives them. */
function roundingsOf(layer: { readonly k: number; readonly groups: number }): number {
  const { perChunk, chunks } = chunksOf(layer);
  return 2 * perChunk + 2 * chunks + 3;
}

/** The results of a layer in float64 by the definition, the sum of the magnitudes of all groups and the bias, and D where there is one group. */
interface IntegerSums {
  readonly y: Float64Array;
  readonly magnitude: Float64Array;
  readonly roundings: number;
}

/** {@link IntegerSums} of a layer. */
function integerSums({ graph, inputs }: IntegerLayer): IntegerSums {
  const [node] = graph.nodes();
  const numbers = (name: string): ArrayLike<number> | undefined => {
    const value = node!.operandOrNone(name as never) as Value | undefined;
    if (value === undefined) return undefined;
    const tensor = value.constant === undefined ? inputs[graph.inputs.indexOf(value)]! : tensorFrom(value.constant as Constant);
    return Float64Array.from(tensor.data as ArrayLike<number | bigint>, Number);
  };
  const [n, k] = (node!.operand('weight' as never) as Value).type.shape as [number, number];
  const groups = ((node!.operand('scales' as never) as Value).type.shape[1] as number | undefined) ?? 1;
  const [x, w, s, xs] = [numbers('input')!, numbers('weight')!, numbers('scales')!, numbers('input_scale')!];
  const [xz, z, bias] = [numbers('input_zero_point'), numbers('zero_points'), numbers('bias')];
  const rows = inputs[0]!.shape[0]!;
  const at = (p: ArrayLike<number>, m: number): number => p[p.length === 1 ? 0 : m]!;
  const [y, magnitude] = [new Float64Array(rows * n), new Float64Array(rows * n)];
  const size = k / groups;
  for (let m = 0; m < rows; m++)
    for (let c = 0; c < n; c++) {
      let [sum, large] = [0, 0];
      for (let g = 0; g < groups; g++) {
        let d = 0;
        for (let i = g * size; i < (g + 1) * size; i++)
          d += (x[m * k + i]! - (xz === undefined ? 0 : at(xz, m))) * (w[c * k + i]! - (z?.[c * groups + g] ?? 0));
        sum += d * s[c * groups + g]!;
        large += Math.abs(d * s[c * groups + g]!);
      }
      y[m * n + c] = sum * at(xs, m) + (bias?.[c] ?? 0);
      magnitude[m * n + c] = large * Math.abs(at(xs, m)) + Math.abs(bias?.[c] ?? 0);
    }
  return { y, magnitude, roundings: roundingsOf({ k, groups }) };
}

/** Where floats lie farther from float64 than the derived bound allows. */
function outsideBound(y: HostTensor, { y: exact, magnitude, roundings }: IntegerSums): string[] {
  const wrong: string[] = [];
  exact.forEach((e, i) => {
    const allowed = roundings * 2 ** -24 * magnitude[i]! + 2 ** -100;
    if (!(Math.abs(Number(y.data[i]) - e) <= allowed)) wrong.push(`element ${i} is ${y.data[i]}, expected ${e} ± ${allowed}`);
  });
  return wrong.slice(0, 5);
}

/** Runs a float layer between guard bands and compares it with float64. */
export async function checkIntegerLayer(
  device: GPUDevice,
  options: IntegerOptions & { readonly m: number },
  target: WebGPUTarget,
): Promise<string[]> {
  const layer = integerLayer(options);
  const [y] = await runGuarded(device, layer.graph, layer.inputs, integerLinearKernels, target);
  return outsideBound(y!, integerSums(layer));
}
