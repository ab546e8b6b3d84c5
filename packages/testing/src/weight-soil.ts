import {
  type AnyOp,
  type AttrRecord,
  constantOf,
  type Dim,
  type DType,
  type Editor,
  type HostTensor,
  integerRange,
  type TensorType,
  tensorType,
  type Value,
} from '@qfuse/ir';
import { aten, quant } from '@qfuse/ops';
import type { Soil } from './plant.js';
import { type Random, randomTensor } from './random.js';

/** What {@link weightSoil} draws from. */
export interface WeightSoilOptions {
  /** Granularities of the weight, the more often the more often named. */
  readonly granularities: readonly ('tensor' | 'axis' | 'row' | 'group' | 'block')[];
  /** Declared ranges. Default: some of 2 to 8 bits, signed and unsigned. */
  readonly ranges?: readonly (readonly [number, number])[];
}

/** A matrix `[n, k]` of integers behind `quant.dequantize`, with scales and zero points that fit. */
interface Weight {
  readonly n: number;
  readonly k: number;
  readonly dtype: DType;
  /** Dtype of the dequantized weight, the activation and the bias. */
  readonly float: 'f32' | 'f16' | 'bf16' | 'f64';
  readonly range: readonly [number, number];
  readonly scales: TensorType;
  readonly zeroPoint: HostTensor | undefined;
  readonly attrs: AttrRecord;
}

const RANGES = [
  [-8, 7],
  [-7, 7],
  [0, 15],
  [-2, 1],
  [-128, 127],
  [-127, 127],
  [0, 255],
] as const;

/** Group sizes: powers of two and others, small ones more often so that graphs stay small. */
const GROUPS = [1, 2, 3, 4, 5, 8, 8, 8, 12, 16, 16, 32, 32, 64, 128, 256];

function drawWeight(random: Random, { granularities, ranges = RANGES }: WeightSoilOptions): Weight {
  const granularity = random.pick(granularities);
  const group = random.pick(GROUPS);
  const grouped = granularity === 'group' || granularity === 'block';
  const k = grouped ? group * random.int(1, group > 32 ? 2 : 4) : random.int(0, 40);
  const rows = granularity === 'block' && random.chance(0.3) ? random.int(2, 3) : 1;
  const n = rows * (random.chance(0.02) ? 0 : random.int(1, grouped ? 5 : 9));
  const range = random.pick(ranges);
  const fitting = (['i8', 'i8', 'u8', 'i4', 'u4', 'i16', 'i32'] as const).filter((dtype) => {
    const [low, high] = integerRange(dtype).map(Number) as [number, number];
    return low <= range[0] && range[1] <= high;
  });
  const { shape, ...attrs } = grid(random, { granularity, n, k, group, rows });
  const float = random.pick(['f32', 'f32', 'f32', 'f32', 'f32', 'f16', 'bf16', 'f64'] as const);
  const scale = random.pick(float === 'f32' ? (['f32', 'f32', 'f32', 'f64', 'f16', 'bf16'] as const) : (['f32', float] as const));
  return {
    n,
    k,
    dtype: random.pick(fitting),
    float,
    range,
    scales: tensorType(scale, shape),
    zeroPoint: zeroPointOf(random, range, shape),
    attrs: {
      granularity,
      axis: attrs.axis,
      group_size: attrs.group_size,
      block_size: attrs.block_size,
      qmin: range[0],
      qmax: range[1],
      dtype: float,
      compute: random.pick(['f32', float]),
      difference: random.pick([undefined, float]),
    },
  };
}

interface Sizes {
  readonly granularity: WeightSoilOptions['granularities'][number];
  readonly n: number;
  readonly k: number;
  readonly group: number;
  /** Rows that share a scale. */
  readonly rows: number;
}

interface GridAttrs {
  /** Shape of the scales. */
  readonly shape: readonly number[];
  readonly axis?: number;
  readonly group_size?: number;
  readonly block_size?: readonly number[];
}

/** Scales along the axis that fusions want, sometimes along the other one. */
function grid(random: Random, { granularity, n, k, group, rows }: Sizes): GridAttrs {
  switch (granularity) {
    case 'tensor':
      return { shape: random.pick([[], [1]]) };
    case 'axis':
      return random.chance(0.1) ? { shape: [k], axis: 1 } : { shape: [n], axis: random.pick([0, -2]) };
    case 'row':
      return { shape: random.pick([[n, 1], [n]]) };
    case 'group':
      return random.chance(0.1)
        ? { shape: [1, k], axis: 0, group_size: Math.max(n, 1) }
        : { shape: [n, k / group], axis: random.pick([1, -1]), group_size: group };
    case 'block':
      return { shape: [n / rows, k / group], block_size: [rows, group] };
  }
}

/** None, all 0, all in the middle of the range, anywhere in it, or a little beyond it. */
function zeroPointOf(random: Random, [qmin, qmax]: readonly [number, number], shape: readonly number[]): HostTensor | undefined {
  const middle = (qmin + qmax + 1) / 2;
  const [low, high] = random.pick([[], [], [0, 0], [middle, middle], [qmin, qmax], [qmin, qmax], [qmin - 1, qmax + 2]]);
  return low === undefined
    ? undefined
    : randomTensor(random, random.pick(['i32', 'i32', 'i64', 'f32']), shape, [Math.trunc(low), Math.trunc(high!)]);
}

/**
 * Soil for rules that fuse `quant.dequantize` of a constant weight, captured as `weight` and `scales`, with `aten.linear` or
 * `aten.embedding`: sizes, granularities, ranges and dtypes that fit each other, zero points and a bias or none,
 * inputs of any rank, and now and then another linear of the same weight.
 */
export function weightSoil(options: WeightSoilOptions): Soil {
  const drawn = new WeakMap<Random, Weight>();
  const weightOf = (random: Random): Weight => {
    const known = drawn.get(random) ?? drawWeight(random, options);
    drawn.set(random, known);
    return known;
  };
  const lead = (random: Random): Dim[] => Array.from({ length: random.int(0, 3) }, () => random.int(1, 3));
  return {
    value: (name, random) => {
      const { n, k, dtype, float, range, scales } = weightOf(random);
      if (name === 'weight') return { type: tensorType(dtype, [n, k]), range };
      if (name === 'scales') return { type: scales, range: [0.5, -0.25] };
      if (name === 'indices') return { type: tensorType(random.pick(['i64', 'i64', 'i32']), lead(random)) };
      return { type: tensorType(float, [...lead(random), k]) };
    },
    attrs: (op, random) => (op === quant.Dequantize ? weightOf(random).attrs : op === aten.Embedding ? { sparse: false } : {}),
    free: (op, operand, edit, random) => {
      const { n, float, zeroPoint } = weightOf(random);
      if (operand === 'zero_point') return zeroPoint === undefined ? undefined : edit.constant(constantOf(wholeFloats(zeroPoint)), 'z');
      if (operand !== 'bias' || random.chance(0.5)) return undefined;
      const type = tensorType(float, [n]);
      return random.chance(0.1) ? edit.addInput('bias', type) : edit.constant(constantOf(randomTensor(random, float, [n])), 'b');
    },
    around: (captured, edit, random) => (random.chance(0.25) ? [anotherLinear(captured, weightOf(random), edit, random)] : []),
  };
}

/** Zero points in a float dtype are whole numbers as a rule. */
function wholeFloats(zeroPoint: HostTensor): HostTensor {
  if (zeroPoint.dtype === 'f32') zeroPoint.data.forEach((x, i) => void (zeroPoint.data[i] = Math.round(Number(x))));
  return zeroPoint;
}

/** A linear that reads the planted dequantize, or one of its own with the same operands. */
function anotherLinear(captured: ReadonlyMap<string, Value>, { k, float }: Weight, edit: Editor, random: Random): Value {
  const planted = captured.get('dequantize')!;
  const node = planted.producer!;
  const op: AnyOp = node.op;
  const weight = random.chance(0.5) ? planted : edit.createFromSlots(op, node.operands, node.attrs as AttrRecord).results[0]!;
  return edit.create(aten.Linear, { input: edit.addInput('x', tensorType(float, [2, k])), weight }).result;
}
