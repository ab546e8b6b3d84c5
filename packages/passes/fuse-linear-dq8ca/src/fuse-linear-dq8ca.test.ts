import { type AnyOp, constantOf, type Dim, type Editor, type Node, tensorOf, tensorType, type Value } from '@qfuse/plugin';
import { aten, quant } from '@qfuse/ops';
import { activationSoil, type Random, type Soil, testPass } from '@qfuse/testing';
import fuseLinearDq8ca from './index.js';

/** Mostly `good`, now and then one of `others`, which the rule must refuse. */
const mostly = <T>(random: Random, good: T, ...others: readonly T[]): T => (random.chance(0.94) ? good : random.pick(others));

/** The grid of one planted graph: what choosing it and quantizing to it have in common. */
const grids = new WeakMap<Random, Readonly<Record<string, unknown>>>();
function gridOf(random: Random): Readonly<Record<string, unknown>> {
  const known = grids.get(random);
  if (known !== undefined) return known;
  const granularity = random.pick(['tensor', 'row', 'row', 'axis', 'group', 'block']);
  const [qmin, qmax] = random.pick([
    [-128, 127],
    [-127, 127],
    [0, 255],
    [0, 127],
  ] as const);
  const made = {
    granularity,
    axis: granularity === 'axis' ? 0 : granularity === 'group' ? random.pick([1, -1]) : undefined,
    group_size: granularity === 'group' ? 3 : undefined,
    block_size: granularity === 'block' ? [1, 3] : undefined,
    qmin,
    qmax,
  };
  grids.set(random, made);
  return made;
}

const chosen = (random: Random): Readonly<Record<string, unknown>> => ({
  ...gridOf(random),
  mapping: random.pick(['asymmetric', 'asymmetric', 'symmetric', 'symmetric_no_clipping_err']),
  eps: random.pick([undefined, 2 ** -12]),
  compute: undefined,
  zero_point: undefined,
  zero_point_rule: random.pick(['minimum', 'smaller_error']),
  scale_dtype: random.pick([undefined, 'f64']),
  zero_point_dtype: random.pick(['i32', 'i64', 'f32']),
});

const quantized = (random: Random): Readonly<Record<string, unknown>> => {
  const grid = gridOf(random);
  return {
    ...grid,
    qmin: mostly(random, grid['qmin'], (grid['qmin'] as number) + 1),
    axis: mostly(random, grid['axis'], grid['axis'] === undefined ? undefined : (grid['axis'] as number) % 2 === 0 ? -2 : 1),
    dtype: grid['qmin'] === 0 ? mostly(random, 'u8', 'i32') : mostly(random, 'i8', 'i16'),
    compute: mostly(random, 'f32', 'f64'),
    round_last: mostly(random, false, true),
  };
};

/** The same numbers in another shape that quantize takes too. */
function arranged(value: Value, edit: Editor, random: Random): Value {
  const { shape } = value.type;
  const other: readonly Dim[] = shape.length === 0 ? [1] : shape.at(-1) === 1 ? shape.slice(0, -1) : shape;
  return random.chance(0.5) ? edit.create(aten.View, { self: value }, { size: other }).result : value;
}

const zeroPoint = (zero: Value, edit: Editor, random: Random): Value | undefined =>
  mostly(random, arranged(zero, edit, random), undefined, edit.addInput('z', zero.type));

const input = (random: Random) => ({ type: tensorType('f32', [random.int(1, 4), 3 * random.int(1, 4)]) });

const choosing: Soil = {
  value: (_, random) => input(random),
  attrs: (op: AnyOp, random) => (op === quant.ChooseQparams ? chosen(random) : {}),
  around: (captured, edit, random) => {
    const x = captured.get('input')!;
    const [scale, zero] = (x.readers()[0] as Node).results as [Value, Value];
    const made = Array.from({ length: random.int(0, 2) }, () =>
      edit.create(
        quant.Quantize,
        {
          input: mostly(random, x, edit.addInput('y', x.type)),
          scale: arranged(scale, edit, random),
          zero_point: zeroPoint(zero, edit, random),
        },
        quantized(random) as never,
      ),
    );
    return made.map((n) => n.result);
  },
};

const taking: Soil = {
  value: (_, random) => input(random),
  attrs: (op: AnyOp, random, operands) => {
    if (op === aten.View) {
      const { shape } = operands[0]!.type;
      return { size: shape.length === 0 ? [1] : shape.at(-1) === 1 ? shape.slice(0, -1) : shape };
    }
    if (op === quant.Quantize) return quantized(random);
    if (op === quant.ChooseQparams) return chosen(random);
    const { dtype, compute: quantize_compute, round_last } = quantized(random);
    return { ...chosen(random), dtype, quantize_compute, round_last };
  },
  free: (op, operand, edit, random, others) => {
    if (operand !== 'zero_point') return undefined;
    let scale = others['scale']!;
    while (scale.producer?.op === aten.View) scale = scale.producer.operands[0]!;
    return zeroPoint(scale.producer!.results.at(-1)!, edit, random);
  },
};

const inF64: Soil = {
  value: (name, random) =>
    name === 'input'
      ? { type: tensorType('f32', [random.int(1, 4), 8]), range: [-2, 2] }
      : { type: tensorType('f32', random.pick([[], [1]])), range: [random.pick([0.01, 0.02, 0.25]), 0] },
  attrs: (op: AnyOp, random) => {
    if (op === aten.View) return { size: random.pick([[], [1]]) };
    if (op === aten.ToCopy) return { dtype: 'f64' };
    const given = { granularity: 'tensor', axis: undefined, group_size: undefined, block_size: undefined, qmin: -128, qmax: 127 };
    return { ...given, dtype: mostly(random, 'i8', 'i32'), compute: mostly(random, 'f64', 'f32'), round_last: random.chance(0.5) };
  },
  free: (_, operand, edit, random) =>
    operand === 'zero_point' && random.chance(0.7)
      ? edit.constant(constantOf(tensorOf('i64', [], [random.int(-128, 127)])), 'z')
      : undefined,
};

testPass(import.meta.url, fuseLinearDq8ca(), {
  soil: {
    'fuse-linear-dq8ca/choose-and-quantize': choosing,
    'fuse-linear-dq8ca/take-integers': taking,
    'fuse-linear-dq8ca/quantize-in-f32': inF64,
    'fuse-linear-dq8ca/linear': activationSoil({
      granularities: ['tensor', 'tensor', 'row', 'row', 'row', 'axis'],
      constant: false,
      weight: { granularities: ['tensor', 'axis', 'axis', 'group', 'group', 'block'] },
    }),
  },
  plants: 1000,
  reach: 0.2,
});
