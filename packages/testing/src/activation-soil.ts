import { constantOf, type Dim, type DType, integerRange, isFloat, type TensorType, tensorType } from '@qfuse/ir';
import { aten, quant } from '@qfuse/ops';
import type { Soil } from './plant.js';
import { type Random, randomTensor } from './random.js';
import { weightSoil, type WeightSoilOptions } from './weight-soil.js';

/** What {@link activationSoil} draws from. */
export interface ActivationSoilOptions {
  /** Granularities of the activation, the more often the more often named. */
  readonly granularities: readonly ('tensor' | 'row' | 'axis')[];
  /** Whether zero points are constants of the program; else they are computed outside. */
  readonly constant: boolean;
  readonly weight: WeightSoilOptions;
}

/** Integers of any rank behind `quant.dequantize`, with a scale and a zero point that fit. */
interface Activation {
  readonly integers: TensorType;
  readonly scale: TensorType;
  readonly zeroPoint: TensorType | undefined;
  readonly attrs: Readonly<Record<string, unknown>>;
}

/** One of the first, or now and then of the others, which a rule refuses or which are rare. */
const mostly = <T>(random: Random, good: readonly T[], rare: readonly T[]): T => random.pick(random.chance(0.92) ? good : rare);

function drawActivation(random: Random, k: number, { granularities }: ActivationSoilOptions): Activation {
  const lead = Array.from({ length: random.int(0, 3) }, () => random.int(1, 4));
  // What a view below the linear gathers to rows of k.
  const parts = random.chance(0.2) && k % 2 === 0 ? [2, k / 2] : [k];
  const shape = [...lead, ...parts];
  const dtype: DType = mostly(random, ['i8', 'u8'], ['i16']);
  const granularity = random.pick(granularities);
  const [low, high] = integerRange(dtype).map(Number) as [number, number];
  const [qmin, qmax] = random.pick([
    [low, high],
    [low + 1, high],
    [0, 127],
  ]);
  const rows = shape.slice(0, -1);
  const grid = { tensor: random.pick([[], [1]]), row: random.pick([[...rows, 1], rows]), axis: [shape[0]!] }[granularity];
  const zero: DType = mostly(random, ['i32', 'i64', 'i8'], ['f32']);
  return {
    integers: tensorType(dtype, shape),
    scale: tensorType(mostly(random, ['f32', 'f32', 'f64'], ['f16']), grid),
    zeroPoint: random.chance(0.2) ? undefined : tensorType(zero, grid),
    attrs: {
      granularity,
      axis: granularity === 'axis' ? 0 : undefined,
      group_size: undefined,
      block_size: undefined,
      qmin,
      qmax,
      dtype: 'f32',
      compute: mostly(random, ['f32', 'f32', 'f64'], ['f16']),
      difference: mostly(random, [undefined], ['f32', 'f16', 'bf16']),
    },
  };
}

/**
 * Soil for rules that fuse `aten.linear` of a dequantized activation, captured as `input` and `scale`, with a weight as {@link weightSoil}
 * makes it: integers of any rank, with views between that keep the rows or gather them.
 */
export function activationSoil(options: ActivationSoilOptions): Soil {
  const weights = weightSoil(options.weight);
  const drawn = new WeakMap<Random, Activation>();
  const columns = (random: Random): number => weights.value!('weight', random, 'constant')!.type.shape[1] as number;
  const activationOf = (random: Random): Activation => {
    const known = drawn.get(random) ?? drawActivation(random, columns(random), options);
    drawn.set(random, known);
    return known;
  };
  return {
    ...weights,
    value: (name, random, form) => {
      if (name === 'input') return { type: activationOf(random).integers };
      if (name === 'scale') return { type: activationOf(random).scale, range: [0.01, 0.3] };
      return weights.value!(name, random, form);
    },
    attrs: (op, random, operands) => {
      if (op === aten.View) return { size: gathered(operands[0]!.type.shape as readonly number[], columns(random), random) };
      if (op === quant.Dequantize && operands[0]?.constant === undefined) return activationOf(random).attrs;
      return weights.attrs!(op, random, operands);
    },
    free: (op, operand, edit, random, others) => {
      if (operand !== 'zero_point' || others['input']?.constant !== undefined) return weights.free!(op, operand, edit, random, others);
      const { zeroPoint: type, integers } = activationOf(random);
      if (type === undefined) return undefined;
      if (!options.constant) return edit.addInput('z', type);
      const [low, high] = integerRange(integers.dtype).map((x) => Math.max(-128, Math.min(Number(x), 127)));
      const zeros = randomTensor(random, type.dtype, type.shape as readonly number[], [low!, high!]);
      if (isFloat(type.dtype)) zeros.data[0] = Math.round(Number(zeros.data[0]));
      return edit.constant(constantOf(zeros), 'z');
    },
  };
}

/** A shape whose rows have k elements, of one to three axes. */
function gathered(shape: readonly number[], k: number, random: Random): readonly Dim[] {
  const rows = shape.reduce((a, b) => a * b, 1) / Math.max(k, 1);
  return random.pick([
    [rows, k],
    [1, rows, k],
    [rows, 1, k],
  ]);
}
