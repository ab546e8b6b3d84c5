import {
  any,
  type Builder,
  defineRule,
  no,
  type Node,
  op,
  type Passage,
  type Rule,
  tensorType,
  through,
  type Value,
  yes,
} from '@qfuse/plugin';
import { aten, quant } from '@qfuse/ops';

/**
 * choose_qparams(x) {scale_dtype = f64} ⇒ cast(choose_qparams(x) {scale_dtype = f32}, f64)        computed in f32 or less
 *
 * The scale was rounded to f32 before it was stored in f64, so it is the same number.
 */
const chosenScale = defineRule({
  name: 'canonicalize/choose-qparams-scale',
  summary: 'a scale that is computed in f32 is f32, which is cast where f64 is asked for',
  root: op(quant.ChooseQparams, { input: any().as('input') }),
  numerics: 'exact',
  where: ({ input }, { root }) => {
    const { scale_dtype: stored, compute = input.type.dtype } = root.attrs;
    if (compute === 'f64') return no('the scale is computed in f64');
    return stored === 'f64' ? yes : no(`the scale is stored in ${stored ?? compute}, expected f64`);
  },
  rewrite: ({ input }, b, { root }) => {
    const shape = root.results[0]!.type.shape;
    const types = [tensorType('f32', shape), root.results[1]!.type];
    const [scale, zeroPoint] = b.create(quant.ChooseQparams, { input }, { ...root.attrs, scale_dtype: 'f32' }, { types }).results;
    return [b.create(aten.ToCopy, { self: scale! }, { dtype: 'f64' }).result, zeroPoint!];
  },
});

const widening: Passage = {
  op: aten.ToCopy,
  where: (node) =>
    node.operands[0]!.type.dtype === 'f32' && node.result.type.dtype === 'f64'
      ? yes
      : no(`${node.op.name} casts ${node.operands[0]!.type.dtype} to ${node.result.type.dtype}, expected f32 to f64`),
};

/** An f32 behind views and casts to f64. */
const narrow = through([aten.View, widening], any('f32').as('narrow'), 'passed', 'shared');

const isCast = (passed: readonly Node[]) => (passed.some((n) => n.op === aten.ToCopy) ? yes : no('the scale is not cast'));

/** The f32 in the shape of `scale`. */
const shapedAs = (value: Value, scale: Value, b: Builder): Value =>
  value.type.shape.length === 0 && scale.type.shape.length === 0
    ? value
    : b.create(aten.View, { self: value }, { size: scale.type.shape }, { types: [tensorType('f32', scale.type.shape)] }).result;

/**
 * quantize(x, cast(s, f64), z) ⇒ quantize(x, s, z)        computed in f32: 1/s is rounded to f32 either way
 */
const quantizeScale = defineRule({
  name: 'canonicalize/quantize-scale',
  summary: 'an f32 scale need not be cast to f64 to quantize in f32',
  root: op(quant.Quantize, { input: any().as('input'), scale: narrow }),
  numerics: 'exact',
  where: ({ passed }, { root }) =>
    root.attrs.compute === 'f32' ? isCast(passed) : no(`it is quantized in ${root.attrs.compute}, expected f32: 1/s is rounded otherwise`),
  rewrite: ({ input, narrow: s }, b, { root }) => {
    const scale = shapedAs(s, root.operand('scale'), b);
    return b.create(quant.Quantize, { input, scale, zero_point: root.operandOrNone('zero_point') }, root.attrs).result;
  },
});

/** dequantize(q, cast(s, f64), z) ⇒ dequantize(q, s, z)        the same number */
const dequantizeScale = defineRule({
  name: 'canonicalize/dequantize-scale',
  summary: 'an f32 scale need not be cast to f64 to dequantize',
  root: op(quant.Dequantize, { input: any().as('input'), scale: narrow }),
  numerics: 'exact',
  where: ({ passed }) => isCast(passed),
  rewrite: ({ input, narrow: s }, b, { root }) => {
    const scale = shapedAs(s, root.operand('scale'), b);
    return b.create(quant.Dequantize, { input, scale, zero_point: root.operandOrNone('zero_point') }, root.attrs).result;
  },
});

/** Scales: f64 only where something is computed in f64. */
export const scaleRules: readonly Rule[] = [chosenScale, quantizeScale, dequantizeScale];
