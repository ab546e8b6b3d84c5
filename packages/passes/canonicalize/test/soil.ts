import {
  type AnyOp,
  type AttrRecord,
  boolScalar,
  type Dim,
  floatScalar,
  intScalar,
  type TensorType,
  tensorType,
  type Value,
} from '@qfuse/plugin';
import { aten, quant } from '@qfuse/ops';
import type { Random, Soil } from '@qfuse/testing';

/** Sizes of one planted graph: drawn once, so that operands fit each other. */
interface Sizes {
  readonly batch: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
}

const drawn = new WeakMap<Random, Sizes>();
function sizesOf(random: Random): Sizes {
  let sizes = drawn.get(random);
  if (sizes === undefined)
    drawn.set(random, (sizes = { batch: random.int(1, 3), m: random.int(1, 4), k: random.int(1, 5), n: random.int(1, 5) }));
  return sizes;
}

const f32 = (...shape: Dim[]): TensorType => tensorType('f32', shape);
const shapeOf = (value: Value | undefined): readonly number[] => value!.type.shape as readonly number[];

/** A view of a matrix as a batch of one, of a batch with its leading axes joined; now and then one that breaks the rows up. */
function viewSize(shape: readonly number[], random: Random): readonly number[] {
  if (random.chance(0.1)) return [...shape].reverse();
  if (shape.length < 3) return [1, ...shape];
  return [shape.slice(0, -2).reduce((a, b) => a * b, 1), ...shape.slice(-2)];
}

/** Attributes of the nodes around a product, mostly those that a rule wants. */
function attrsOf(op: AnyOp, random: Random, [input, scale]: readonly (Value | undefined)[]): AttrRecord {
  const { batch } = sizesOf(random);
  switch (op) {
    case aten.Permute:
      return { dims: shapeOf(input).length === 2 && random.chance(0.9) ? [1, 0] : [...shapeOf(input).keys()] };
    case aten.View:
      return { size: viewSize(shapeOf(input), random) };
    case aten.Expand:
      return {
        size: [
          batch,
          ...shapeOf(input)
            .slice(-2)
            .map((d) => (d === 1 && random.chance(0.1) ? 2 : d)),
        ],
      };
    case quant.Dequantize: {
      const [shape, scales] = [shapeOf(input), shapeOf(scale)];
      const more = { qmin: -128, qmax: 127, dtype: 'f32' } as const;
      if (scales.length === 1) {
        const fitting = [0, 1].filter((axis) => shape[axis] === scales[0]);
        return { granularity: 'axis', axis: random.pick(fitting), group_size: undefined, block_size: undefined, ...more };
      }
      const block = shape.map((d, i) => d / scales[i]!);
      const axis = block[0] === 1 ? 1 : 0;
      return block[1 - axis] === 1
        ? { granularity: 'group', axis: random.pick([axis, axis - 2]), group_size: block[axis]!, block_size: undefined, ...more }
        : { granularity: 'block', axis: undefined, group_size: undefined, block_size: block, ...more };
    }
    default:
      return op.attrNames.includes('alpha') ? { alpha: random.pick([1, 1, 1, 2].map((x) => intScalar(x))), beta: intScalar(1) } : {};
  }
}

/** One scale for each index of an axis, or one for each of some parts of both. */
const scalesOf = (shape: readonly number[], random: Random): readonly number[] =>
  random.chance(0.5) ? [random.pick(shape)] : shape.map((d) => random.pick([1, d, d % 2 === 0 ? d / 2 : d]));

/** A product or linear with axes `[…, k]` and a matrix that is `[k, n]` when it is read, or `[n, k]` for `linear`. */
const products = (x: (sizes: Sizes, random: Random) => TensorType, linear = false): Soil => ({
  value: (name, random, form) => {
    const sizes = sizesOf(random);
    const { k, n } = sizes;
    if (name === 'x') return { type: x(sizes, random) };
    if (name === 'bias') return { type: random.pick([f32(n), f32(n), f32(1, n), f32(1)]) };
    if (name === 'nk' || name === 'w') return { type: f32(n, k) };
    if (name === 'kn') return { type: f32(k, n) };
    return form === 'constant'
      ? {
          type: tensorType(
            'i8',
            random.pick([
              [k, n],
              [n, k],
            ]),
          ),
        }
      : { type: linear ? f32(n, k) : f32(k, n) };
  },
  attrs: attrsOf,
  free: (op, operand, edit, random, others) => {
    const { k, n } = sizesOf(random);
    if (operand === 'scale') return edit.addInput('scale', f32(...scalesOf(shapeOf(others['input']), random)));
    return op === aten.Linear && operand === 'weight' ? edit.addInput('weight', f32(n, k)) : undefined;
  },
});

/** Scalars that are neutral, nearly neutral and not at all. */
const scalars = [
  intScalar(0),
  floatScalar(0),
  floatScalar(-0),
  intScalar(1),
  floatScalar(1),
  boolScalar(false),
  boolScalar(true),
  intScalar(2),
];
const neutral: Soil = {
  value: (_, random) => ({ type: tensorType(random.pick(['f32', 'f16', 'i32', 'i64', 'bool']), [random.int(0, 9)]) }),
  attrs: (op, random) => ({
    other: random.pick(scalars),
    ...(op.attrNames.includes('alpha')
      ? { alpha: random.pick([intScalar(1), intScalar(1), intScalar(-1), floatScalar(0.5), floatScalar(Infinity)]) }
      : {}),
  }),
};

const norm: Soil = {
  value: (_, random) => ({ type: f32(random.int(1, 3), random.int(1, 4)) }),
  attrs: (_, __, [input]) => ({ normalized_shape: shapeOf(input).slice(-1), eps: 1e-5 }),
};

const range = { granularity: 'tensor', axis: undefined, group_size: undefined, block_size: undefined, qmin: -128, qmax: 127 };

const chosen: Soil = {
  value: (_, random) => ({ type: tensorType(random.pick(['f32', 'f32', 'f16', 'f64']), [random.int(1, 3), 4]) }),
  attrs: (_, random) => ({
    ...range,
    mapping: random.pick(['asymmetric', 'symmetric']),
    eps: random.pick([undefined, 2 ** -12]),
    compute: random.pick([undefined, 'f32', 'f64']),
    zero_point: undefined,
    scale_dtype: random.pick(['f64', 'f64', 'f64', 'f32']),
    zero_point_dtype: 'i64',
  }),
};

/** An f32 scale that is cast to f64, with views before and after, now and then not. */
const wide: Soil = {
  value: (name, random) =>
    name === 'narrow' ? { type: tensorType('f32', random.pick([[], [1]])), range: [0.01, 0.01] } : { type: tensorType('i8', [4]) },
  attrs: (op, random) => {
    if (op === aten.View) return { size: random.pick([[], [1]]) };
    if (op === aten.ToCopy) return { dtype: random.chance(0.95) ? 'f64' : 'f32' };
    const compute = random.chance(0.9) ? 'f32' : 'f64';
    return op === quant.Quantize ? { ...range, dtype: 'i8', compute } : { ...range, dtype: 'f32', compute, difference: undefined };
  },
  free: (_, operand, edit, random) =>
    operand === 'zero_point' && random.chance(0.5) ? edit.addInput('z', tensorType('i64', random.pick([[], [1]]))) : undefined,
};
const wideFloats: Soil = {
  ...wide,
  value: (name, random, form) => (name === 'input' ? { type: f32(4) } : wide.value!(name, random, form)),
};

const matrixRows = ({ m, k }: Sizes): TensorType => f32(m, k);
const anyRows = ({ m, k, batch }: Sizes, random: Random): TensorType =>
  random.pick([f32(k), f32(m, k), f32(batch, m, k), f32(batch, 2, m, k)]);

/** What planted graphs of the rules of `canonicalize` need to know. */
export const soils: Readonly<Record<string, Soil>> = {
  'canonicalize/add-scalar-neutral': neutral,
  'canonicalize/sub-scalar-neutral': neutral,
  'canonicalize/mul-scalar-neutral': neutral,
  'canonicalize/div-scalar-neutral': neutral,
  'canonicalize/native-layer-norm': norm,
  'canonicalize/choose-qparams-scale': chosen,
  'canonicalize/quantize-scale': wideFloats,
  'canonicalize/dequantize-scale': wide,
  'canonicalize/mm-to-linear': products(matrixRows),
  'canonicalize/matmul-to-linear': products(anyRows),
  'canonicalize/addmm-to-linear': products(matrixRows),
  'canonicalize/bmm-to-linear': products(({ batch, m, k }) => f32(batch, m, k)),
  'canonicalize/linear-permuted-weight': products(anyRows),
  'canonicalize/add-to-bias': products(anyRows, true),
  'canonicalize/add-to-bias-exchanged': products(anyRows, true),
  'canonicalize/linear-of-view': products(anyRows, true),
};
