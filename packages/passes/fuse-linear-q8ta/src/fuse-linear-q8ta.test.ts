import { type AnyOp, constantOf, type Editor, floatScalar, intScalar, type Scalar, tensorOf, tensorType, type Value } from '@qfuse/plugin';
import { aten, fused, quant } from '@qfuse/ops';
import { activationSoil, type Random, randomTensor, type Soil, testPass } from '@qfuse/testing';
import fuseLinearQ8ta from './index.js';

/** Mostly `good`, now and then one of `others`, which the rule must refuse. */
const mostly = <T>(random: Random, good: T, ...others: readonly T[]): T => (random.chance(0.94) ? good : random.pick(others));

/** Sizes and the grid of the result of one planted graph: drawn once, so that operands fit each other. */
interface Drawn {
  readonly n: number;
  readonly k: number;
  readonly dtype: 'i8' | 'u8';
  readonly range: readonly [number, number];
  readonly scale: number;
  readonly zero: number;
}
const drawn = new WeakMap<Random, Drawn>();
function drawnBy(random: Random): Drawn {
  const known = drawn.get(random);
  if (known !== undefined) return known;
  const range = random.pick([
    [-128, 127],
    [-127, 127],
    [0, 127],
    [0, 255],
  ] as const);
  const made: Drawn = {
    n: random.int(1, 9),
    k: random.int(1, 40),
    dtype: range[1] === 255 ? 'u8' : 'i8',
    range,
    scale: mostly(random, random.pick([0.05, 0.02, 0.5, 1 / 3, 1e-3]), -0.5, 0),
    zero: random.int(range[0], range[1]),
  };
  drawn.set(random, made);
  return made;
}

function resultScale(edit: Editor, random: Random): Value {
  // Now and then not the grid of the others.
  const scale = drawnBy(random).scale * mostly(random, 1, 1.3);
  const dtype = random.pick(['f32', 'f32', 'f32', 'f64', 'f16'] as const);
  if (random.chance(0.03)) return edit.addInput('o', tensorType(dtype, []));
  return edit.constant(constantOf(tensorOf(dtype, random.pick([[], [1]]), [scale])), 'o');
}

function resultZero(edit: Editor, random: Random): Value | undefined {
  const { zero } = drawnBy(random);
  return zero === 0
    ? undefined
    : edit.constant(constantOf(tensorOf(mostly(random, 'i32', 'i64', 'f32'), [], [mostly(random, zero, zero + 1)])), 'p');
}

const grid = (random: Random): Readonly<Record<string, unknown>> => {
  const [qmin, qmax] = drawnBy(random).range;
  return { granularity: 'tensor', axis: undefined, group_size: undefined, block_size: undefined, qmin, qmax };
};

const linears: readonly AnyOp[] = [fused.LinearQ8taQ8csw, fused.LinearQ8taQ4csw, fused.Q8taLinear];

/** Operands of a linear of integers that the patterns leave free. */
function linearOperand(op: AnyOp, operand: string, edit: Editor, random: Random): Value | undefined {
  const { n, k } = drawnBy(random);
  const given = (dtype: 'i8' | 'i4' | 'f32' | 'i32', shape: readonly number[], range?: readonly [number, number]): Value =>
    edit.constant(constantOf(randomTensor(random, dtype, shape, range)), operand);
  switch (operand) {
    case 'input':
      return edit.addInput(
        'q',
        tensorType(random.pick(['i8', 'u8']), [...Array.from({ length: random.int(0, 3) }, () => random.int(1, 3)), k]),
      );
    case 'input_scale':
      return given('f32', [], [0.02, 0.02]);
    case 'weight':
      return given(op === fused.LinearQ8taQ4csw ? 'i4' : 'i8', [n, k]);
    case 'scales':
      return given('f32', [n], [0.05, -0.01]);
    case 'input_zero_point':
      return random.chance(0.5) ? given('i32', [], [random.int(-128, 127), 0]) : undefined;
    case 'bias':
      return random.chance(0.5) ? given('f32', [n]) : undefined;
    case 'zero_points':
      return random.chance(0.3) ? given('i32', [n], [-8, 7]) : undefined;
    case 'output_scale':
      return resultScale(edit, random);
    default:
      return resultZero(edit, random);
  }
}

const number = (random: Random): Scalar => random.pick([intScalar(random.int(-3, 6)), floatScalar(random.next() * 4 - 2)]);

/** Bounds, mostly the lower one first. */
function boundsFor(op: AnyOp, random: Random): Readonly<Record<string, unknown>> {
  const [a, b] = [number(random), number(random)];
  const [low, high] = mostly(random, Number(a.value) <= Number(b.value), Number(a.value) > Number(b.value)) ? [a, b] : [b, a];
  if (op === aten.Hardtanh) return { min_val: low, max_val: high };
  if (op === aten.ClampMin) return { min: low };
  if (op === aten.ClampMax) return { max: high };
  return op === aten.Clamp ? random.pick<Record<string, unknown>>([{ min: low }, { max: high }, { min: low, max: high }]) : {};
}

const soil: Soil = {
  attrs: (op, random, operands) => {
    const { dtype, range } = drawnBy(random);
    if (op === quant.Quantize)
      return { ...grid(random), dtype, compute: mostly(random, 'f32', 'f64', 'f16'), round_last: mostly(random, false, true) };
    if (op === quant.Dequantize) return { ...grid(random), dtype: 'f32', compute: mostly(random, 'f32', 'f64'), difference: undefined };
    if (op === fused.Q8taLinear) return { dtype, qmin: random.pick([range[0], range[0], range[0] + 20]), qmax: range[1] };
    if (linears.includes(op)) return { dtype: mostly(random, 'f32', 'f16') };
    if (op === aten.View) return { size: [operands[0]!.type.shape.reduce<number>((a, d) => a * (d as number), 1)] };
    return boundsFor(op, random);
  },
  free: (op, operand, edit, random) => {
    if (linears.includes(op)) return linearOperand(op, operand, edit, random);
    return operand === 'scale' ? resultScale(edit, random) : operand === 'zero_point' ? resultZero(edit, random) : undefined;
  },
};

testPass(import.meta.url, fuseLinearQ8ta(), {
  soil: {
    'fuse-linear-q8ta/linear': activationSoil({
      granularities: ['tensor', 'tensor', 'tensor', 'tensor', 'row'],
      constant: true,
      weight: { granularities: ['tensor', 'axis', 'axis', 'group', 'group', 'block'] },
    }),
    'fuse-linear-q8ta/quantize': soil,
    'fuse-linear-q8ta/clamped-result': soil,
  },
  plants: 1000,
  reach: 0.3,
});
