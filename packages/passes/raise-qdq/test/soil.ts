import { constantOf, type Dim, floatScalar, intScalar, type TensorType, tensorType, type Value } from '@qfuse/plugin';
import { aten } from '@qfuse/ops';
import { type Random, randomTensor, type Soil } from '@qfuse/testing';

const f32 = (...shape: Dim[]): TensorType => tensorType('f32', shape);
const shapeOf = (value: Value | undefined): readonly number[] => value!.type.shape as readonly number[];

/** What one planted graph draws once, so that operands fit each other. */
const once = <T>(draw: (random: Random) => T): ((random: Random) => T) => {
  const drawn = new WeakMap<Random, { readonly value: T }>();
  return (random) => {
    const known = drawn.get(random) ?? { value: draw(random) };
    drawn.set(random, known);
    return known.value;
  };
};

/** Scales for a shape: along each axis one for all or one for each; now and then for a few. */
const scalesFor = (random: Random, shape: readonly number[]): readonly number[] =>
  shape.map((d) => (random.chance(0.05) ? Math.max(d - 1, 1) : random.chance(0.5) ? d : 1));

const weight = once((random) => {
  const shape = Array.from({ length: random.pick([2, 2, 3]) }, () => random.int(1, 5));
  const scales = scalesFor(random, shape);
  const [dtype, range] = random.pick([
    ['i8', [-8, 7]],
    ['i8', [-128, 127]],
    ['i8', [0, 15]],
    ['u8', [0, 255]],
    ['u8', [0, 15]],
    ['i32', [-100, 100]],
    ['i32', [-1000, 1000]],
  ] as const);
  return { shape, scales, dtype, range, float: random.pick(['f32', 'f32', 'f32', 'f16', 'bf16'] as const) };
});

/** A linear that reads a matrix as its weight, with an axis of groups joined to its neighbour. */
function linearOf(value: Value, edit: Parameters<NonNullable<Soil['readers']>>[1], random: Random): Value {
  const shape = shapeOf(value);
  const [a = 1, b = 1, c = 1] = shape;
  const size = random.pick([
    [a, b * c],
    [a * b, c],
  ]);
  const matrix = shape.length === 2 ? value : edit.create(aten.View, { self: value }, { size }).result;
  const { dtype } = value.type;
  return edit.create(aten.Linear, { input: edit.addInput('x', tensorType(dtype, [2, shapeOf(matrix)[1]!])), weight: matrix }).result;
}

const dequantize: Soil = {
  value: (name, random) => {
    const { shape, scales, dtype, range, float } = weight(random);
    const constant = random.chance(0.95);
    if (name === 'q') return { type: tensorType(dtype, shape), range, constant };
    if (name === 's') return { type: tensorType(float, scales), range: [0.5, -0.25], constant };
    if (name !== 'z') return undefined;
    const own = random.chance(0.1) ? scalesFor(random, shape) : scales;
    return { type: tensorType(random.pick(['i8', 'i8', 'u8', 'i32', 'f32']), own), range: [0, 7], constant };
  },
  attrs: (op, random) => {
    const alpha = intScalar(random.chance(0.95) ? 1 : 2);
    if (op === aten.ToCopy) return { dtype: weight(random).float };
    if (op === aten.SubScalar) return { other: random.pick([intScalar(8), floatScalar(3), floatScalar(0.5)]), alpha };
    return op === aten.SubTensor ? { alpha } : {};
  },
  readers: ([product], edit, random) => (random.chance(0.9) ? [linearOf(product!, edit, random)] : [product!]),
};

const cube = once((random) => [random.int(1, 3), random.int(1, 4), random.int(1, 4)] as const);

/** Attributes of a dequantize of three axes, and the shape of its scales. */
const boxes = once((random) => {
  const shape = cube(random);
  const block = shape.map((d) => random.pick([1, d, d % 2 === 0 ? d / 2 : 1]));
  const axis = random.int(-3, 2);
  return random.pick([
    { scales: [shape[0], shape[1], 1], grid: { granularity: 'row' } },
    { scales: [shape.at(axis)!], grid: { granularity: 'axis', axis } },
    { scales: shape.map((d, i) => d / block[i]!), grid: { granularity: 'block', block_size: block } },
    { scales: [], grid: { granularity: 'tensor' } },
  ] as const);
});

const groups: Soil = {
  attrs: (op, random) => {
    const [a, b, c] = cube(random);
    const size = random.pick([[a, b * c], [a * b, c], [a * b * c]]);
    if (op === aten.View) return { size };
    const more = { dtype: 'f32', compute: 'f32', difference: undefined, qmin: -8, qmax: 7 };
    return { axis: undefined, group_size: undefined, block_size: undefined, ...boxes(random).grid, ...more };
  },
  free: (_, operand, edit, random) => {
    const { scales } = boxes(random);
    const shape = cube(random);
    if (operand === 'scale') return edit.addInput('s', f32(...scales));
    if (operand === 'zero_point') return random.chance(0.3) ? edit.addInput('z', tensorType('i8', scales)) : undefined;
    return random.chance(0.95)
      ? edit.constant(constantOf(randomTensor(random, 'i8', shape, [-8, 7])), 'w')
      : edit.addInput('w', tensorType('i8', shape));
  },
};

/** What planted graphs of the rules that find `quant.dequantize` need to know. */
export const soils: Readonly<Record<string, Soil>> = { 'raise-qdq/dequantize': dequantize, 'raise-qdq/groups': groups };
