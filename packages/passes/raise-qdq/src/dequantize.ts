import {
  any,
  type Constant,
  constant,
  decodeElements,
  defineRule,
  dimFloorDiv,
  integerRange,
  maybe,
  no,
  type Node,
  numel,
  oneOf,
  op,
  type Rule,
  type ShapeEnv,
  type Value,
  type Verdict,
  yes,
} from '@qfuse/plugin';
import { aten, quant } from '@qfuse/ops';
import { broadcastGrid, inShape, sameGrid } from './grid.js';

/** Integers that f32 holds exactly, whatever is subtracted from them. */
const narrow = ['i8', 'u8', 'i4', 'u4', 'i16', 'u16'] as const;

const codes = op(aten.ToCopy, { self: any(...narrow).as('codes') })
  .shared()
  .as('cast');
/** Without zero points any product with a cast looks alike: only these are known to be codes. */
const known = constant(...narrow);
const knownCodes = op(aten.ToCopy, { self: oneOf(known, op(aten.View, { self: known }).shared(), op(quant.Quantize).shared()) })
  .shared()
  .as('cast');
const zeros = maybe(op(aten.ToCopy).shared(), 'self', any(...narrow).as('zeros'));
const scale = any('f32').as('scale');

interface Captures {
  readonly zeros?: Value | undefined;
  readonly scale: Value;
  readonly cast: Node<typeof aten.ToCopy>;
}

/** A constant, possibly seen in another shape. */
function constantBehind(value: Value): Constant | undefined {
  let v = value;
  while (v.producer?.op === aten.View) v = v.producer.operand('self');
  return v.constant;
}

interface Range {
  readonly qmin: number;
  readonly qmax: number;
}

/** Ranges of 4 bits. */
const nibbles: readonly Range[] = [
  { qmin: -8, qmax: 7 },
  { qmin: 0, qmax: 15 },
];

/**
 * The range of the integers: that of the quantize that made them, else that of their dtype. Of a constant the arithmetic has lost what was
 * declared: with `recover` it is one of 4 bits when that holds all of the data, which changes how they are stored and no number.
 */
function rangeOf(value: Value, recover: boolean): Range {
  const { producer } = value;
  if (producer?.op === quant.Quantize) return (producer as Node<typeof quant.Quantize>).attrs;
  const [qmin, qmax] = integerRange(value.type.dtype).map(Number) as [number, number];
  const data = recover ? constantBehind(value) : undefined;
  if (data?.resolved !== true) return { qmin, qmax };
  const codes = decodeElements(data.type.dtype, data.bytes(), numel(data.type) as number) as Int8Array;
  return nibbles.find((r) => r.qmin >= qmin && codes.every((q) => q >= r.qmin && q <= r.qmax)) ?? { qmin, qmax };
}

function isDequantize({ zeros: z, scale: s, cast }: Captures, root: Node, env: ShapeEnv): Verdict {
  const q = cast.operand('self');
  if (!(narrow as readonly string[]).includes(q.type.dtype))
    return no(`the codes are ${q.type.dtype}, expected integers of at most 16 bits`);
  if (cast.result.type.dtype !== 'f32' || root.result.type.dtype !== 'f32')
    return no(`the integers become ${cast.result.type.dtype}, expected f32`);
  if (
    root.result.type.shape.length !== q.type.shape.length ||
    !q.type.shape.every((d, i) => env.equal(d, root.result.type.shape[i]!) === 'yes')
  )
    return no('the scales have more elements than the integers');
  if (broadcastGrid(q.type.shape, s.type.shape, env) === undefined)
    return no(
      `scales [${s.type.shape.join(', ')}] of integers [${q.type.shape.join(', ')}] are neither one, one a row, nor one along an axis`,
    );
  return z === undefined ? yes : sameGrid(z.type, s.type, env);
}

const dequantizeRule = (name: string, root: typeof withZeros | typeof withoutZeros, recover: boolean): Rule =>
  defineRule({
    name,
    summary: 'a difference of integers times a scale is a dequantize',
    root: root as typeof withZeros,
    numerics: 'exact',
    where: (m: Captures, { root: mul, env }) => isDequantize(m, mul, env),
    rewrite: ({ cast, zeros: z, scale: s }: Captures, b, { env }) => {
      const q = cast.operand('self');
      const { granularity, axis, shape } = broadcastGrid(q.type.shape, s.type.shape, env)!;
      const zero_point = z === undefined ? undefined : inShape(z, shape, b);
      const { qmin, qmax } = rangeOf(q, recover);
      const attrs = { granularity, axis, qmin, qmax, dtype: 'f32' } as const;
      return b.create(quant.Dequantize, { input: q, scale: inShape(s, shape, b), zero_point }, attrs).result;
    },
  });

const withZeros = op(aten.MulTensor, { self: op(aten.SubTensor, { self: codes, other: zeros }).where(plain), other: scale });
const withoutZeros = op(aten.MulTensor, { self: knownCodes, other: scale });

/** The difference is not scaled. */
function plain({ attrs }: Node<typeof aten.SubTensor>): Verdict {
  return Number(attrs.alpha.value) === 1 ? yes : no(`alpha is ${String(attrs.alpha.value)}, expected 1`);
}

/**
 * view(dequantize(view(q, […, G, g]), s, z), […, G·g]) ⇒ dequantize(q, s, z) in groups of g along the last axis
 *
 * Scales of rows of the split tensor are scales of groups of the whole one.
 */
const groups = defineRule({
  name: 'raise-qdq/groups',
  summary: 'rows of a split axis are groups of the whole one',
  root: op(aten.View, { self: op(quant.Dequantize, { input: any().as('codes'), scale: any().as('scale') }).as('dequantize') }),
  numerics: 'exact',
  where: ({ dequantize: dq }, { root, env }) => {
    if (dq.attrs.granularity !== 'row') return no(`the scales are one a ${dq.attrs.granularity}, expected one a row`);
    const [split, whole] = [dq.result.type.shape, root.result.type.shape];
    const [count, size] = split.slice(-2);
    if (split.length !== whole.length + 1 || typeof size !== 'number' || typeof count !== 'number')
      return no('the view joins other axes than the last two');
    const lead = whole.slice(0, -1).every((d, i) => env.equal(d, split[i]!) === 'yes');
    return lead && whole.at(-1) === count * size ? yes : no('the view joins other axes than the last two');
  },
  rewrite: ({ codes: q, scale: s, dequantize: dq }, b, { root }) => {
    const { shape } = root.result.type;
    const size = q.type.shape.at(-1) as number;
    const grid = [...shape.slice(0, -1), dimFloorDiv(shape.at(-1)!, size)];
    const z = dq.operandOrNone('zero_point');
    const attrs = { ...dq.attrs, granularity: 'group', axis: shape.length - 1, group_size: size } as const;
    return b.create(
      quant.Dequantize,
      { input: inShape(q, shape, b), scale: inShape(s, grid, b), zero_point: z === undefined ? undefined : inShape(z, grid, b) },
      attrs,
    ).result;
  },
});

/**
 * (cast(q) − z) · s ⇒ dequantize(q, s, z)       q and z integers of at most 16 bits: their difference is exact in f32
 * cast(q) · s       ⇒ dequantize(q, s)          q constant, or made by a quantize
 */
export const dequantizeRules = (recover: boolean): readonly Rule[] => [
  dequantizeRule('raise-qdq/dequantize', withZeros, recover),
  dequantizeRule('raise-qdq/dequantize-symmetric', withoutZeros, recover),
  groups,
];
