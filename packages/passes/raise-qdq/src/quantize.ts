import { any, defineRule, maybe, no, op, type Node, type Rule, scalarNumber, type Value, type Verdict, yes } from '@qfuse/plugin';
import { aten, quant } from '@qfuse/ops';
import { broadcastGrid, inShape, sameGrid } from './grid.js';

/** Casting NaN to these gives 0, as quantizing does. */
const integers = ['i8', 'u8', 'i4', 'u4', 'i16', 'u16'] as const;

const rounded = op(aten.Round, {
  self: op(aten.MulTensor, { self: any('f32').as('x'), other: op(aten.Reciprocal, { self: any('f32').as('scale') }).shared() }),
});
const zeros = maybe(op(aten.ToCopy).shared(), 'self', any(...integers).as('zeros'));

interface Captures {
  readonly x: Value;
  readonly scale: Value;
  readonly zeros?: Value | undefined;
  readonly clamp: Node<typeof aten.Clamp>;
}

const withZeros = op(aten.ToCopy, {
  self: op(aten.Clamp, { self: op(aten.AddTensor, { self: rounded, other: zeros }).where(plain) }).as('clamp'),
});
const withoutZeros = op(aten.ToCopy, { self: op(aten.Clamp, { self: rounded }).as('clamp') });

/** The sum is not scaled. */
function plain({ attrs }: Node<typeof aten.AddTensor>): Verdict {
  return Number(attrs.alpha.value) === 1 ? yes : no(`alpha is ${String(attrs.alpha.value)}, expected 1`);
}

function boundsOf({ attrs }: Node<typeof aten.Clamp>): readonly [qmin: number, qmax: number] | undefined {
  if (attrs.min === undefined || attrs.max === undefined) return undefined;
  const bounds = [scalarNumber(attrs.min), scalarNumber(attrs.max)] as const;
  return bounds.every(Number.isInteger) && bounds[0] < bounds[1] ? bounds : undefined;
}

const quantizeRule = (name: string, root: typeof withZeros | typeof withoutZeros): Rule =>
  defineRule({
    name,
    summary: 'a rounded product with the reciprocal of a scale is a quantize',
    root: root as typeof withZeros,
    numerics: 'exact',
    where: ({ x, scale, zeros: z, clamp }: Captures, { root: cast, env }) => {
      if (!(integers as readonly string[]).includes(cast.result.type.dtype))
        return no(`the result is ${cast.result.type.dtype}, expected integers of at most 16 bits`);
      if (boundsOf(clamp) === undefined) return no('the clamp has not two integers as bounds');
      if (cast.result.type.shape.length !== x.type.shape.length) return no('the scales have more axes than the floats');
      if (broadcastGrid(x.type.shape, scale.type.shape, env) === undefined)
        return no(
          `scales [${scale.type.shape.join(', ')}] of floats [${x.type.shape.join(', ')}] are neither one, one a row, nor one along an axis`,
        );
      return z === undefined ? yes : sameGrid(z.type, scale.type, env);
    },
    rewrite: ({ x, scale, zeros: z, clamp }: Captures, b, { root: cast, env }) => {
      const { granularity, axis, shape } = broadcastGrid(x.type.shape, scale.type.shape, env)!;
      const [qmin, qmax] = boundsOf(clamp)!;
      return b.create(
        quant.Quantize,
        { input: x, scale: inShape(scale, shape, b), zero_point: z === undefined ? undefined : inShape(z, shape, b) },
        { granularity, axis, qmin, qmax, dtype: cast.result.type.dtype },
      ).result;
    },
  });

/**
 * cast(clamp(round(x · (1 / s)) + z, qmin, qmax)) ⇒ quantize(x, s, z)
 * cast(clamp(round(x · (1 / s)), qmin, qmax))     ⇒ quantize(x, s)
 *
 * The op computes the same roundings: of the reciprocal, the product and the sum, each to f32.
 */
export const quantizeRules: readonly Rule[] = [
  quantizeRule('raise-qdq/quantize', withZeros),
  quantizeRule('raise-qdq/quantize-symmetric', withoutZeros),
];
