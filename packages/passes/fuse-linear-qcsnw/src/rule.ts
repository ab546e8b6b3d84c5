import {
  any,
  constant,
  type Constant,
  decodeElements,
  defineRule,
  encodeElements,
  no,
  type Node,
  numel,
  op,
  type Rule,
  tensorType,
  type Verdict,
  yes,
} from '@qfuse/plugin';
import { aten, fused, quant } from '@qfuse/ops';

const dequantize = op(quant.Dequantize, { input: constant().as('weight'), scale: any().as('scales') })
  .shared()
  .as('dequantize');

/** Smallest signed width that holds `[qmin, qmax]` as the model declares it; the data do not matter. */
export function declaredBits(qmin: number, qmax: number): 4 | 8 | undefined {
  if (qmin >= -8 && qmax <= 7) return 4;
  return qmin >= -128 && qmax <= 127 ? 8 : undefined;
}

/**
 * linear(x, dequantize(w, s), b) ⇒ linear_qcs8w(x, w, s, b)     −128 ≤ w ≤ 127
 *                                ⇒ linear_qcs4w(x, i4(w), s, b)   −8 ≤ w ≤ 7
 *
 * Σ x·(w·s) becomes s·Σ x·w: each product w·s was rounded to f32 once, which is all that changes.
 */
export const weightOnly: Rule = defineRule({
  name: 'fuse-linear-qcsnw/weight-only',
  summary: 'a linear whose weight is dequantized per output channel reads the integers itself',
  root: op(aten.Linear, { input: any().as('input'), weight: dequantize }),
  numerics: { relative: 2 ** -20 },
  where: ({ input, weight, scales, dequantize: dq }, { root }) =>
    all(
      () => schemeOf(dq),
      () => rangeOf(dq, weight.constant!),
      () => readersOf(dq),
      () => activationOf(input.producer),
      () => operandsOf(root, dq, scales.type.dtype),
    ),
  rewrite: ({ input, weight, scales, dequantize: dq }, b, { root }) => {
    const bias = root.operandOrNone('bias');
    if (declaredBits(dq.attrs.qmin, dq.attrs.qmax) === 8) return b.create(fused.LinearQcs8w, { input, weight, scales, bias }).result;
    const packed = b.constant(packI4(weight.constant!), `${weight.name ?? 'weight'}.i4`);
    return b.create(fused.LinearQcs4w, { input, weight: packed, scales, bias }).result;
  },
});

const all = (...questions: readonly (() => Verdict)[]): Verdict => {
  for (const ask of questions) {
    const verdict = ask();
    if (!verdict.ok) return verdict;
  }
  return yes;
};

function schemeOf(dq: Node<typeof quant.Dequantize>): Verdict {
  const weight = dq.operand('input');
  if (weight.type.shape.length !== 2) return no(`the weight has rank ${weight.type.shape.length}, expected 2`);
  if (dq.attrs.granularity !== 'axis') return no(`the weight has one scale a ${dq.attrs.granularity}, expected one an output channel`);
  if (dq.attrs.axis !== 0 && dq.attrs.axis !== -2)
    return no(`the scales lie along axis ${dq.attrs.axis}, expected 0 (the output channels)`);
  const zeros = dq.operandOrNone('zero_point');
  if (zeros === undefined) return yes;
  if (zeros.constant === undefined) return no('the zero points are not constant');
  const { type } = zeros.constant;
  const found = decodeElements(type.dtype, zeros.constant.bytes(), numel(type) as number).find((z: number | bigint) => Number(z) !== 0);
  return found === undefined ? yes : no(`the weight has the zero point ${found}, expected symmetric quantization`);
}

function rangeOf(dq: Node<typeof quant.Dequantize>, weight: Constant): Verdict {
  const { qmin, qmax } = dq.attrs;
  const { dtype } = weight.type;
  if (dtype !== 'i8' && dtype !== 'i4') return no(`the weight is ${dtype}, expected i8`);
  const bits = declaredBits(qmin, qmax);
  if (bits === undefined) return no(`the declared range [${qmin}, ${qmax}] does not fit 8 bits`);
  if (bits === 8) return dtype === 'i8' ? yes : no(`the weight is ${dtype}, but declares the range [${qmin}, ${qmax}]`);
  const outside =
    dtype === 'i4' ? undefined : (decodeElements('i8', weight.bytes(), weight.byteLength) as Int8Array).find((w) => w < -8 || w > 7);
  return outside === undefined ? yes : no(`the declared range is [${qmin}, ${qmax}], but the weight holds ${outside}`);
}

/** Readers that are linears lose the dequantize too; any other one would keep a float copy of the weight alive. */
function readersOf(dq: Node): Verdict {
  const other = dq.result.uses().find(({ reader, index }) => !('op' in reader) || reader.op !== aten.Linear || index !== 1);
  if (other === undefined) return yes;
  return no(
    `the dequantized weight has ${dq.result.readers().length} readers, one of them is ${'op' in other.reader ? other.reader.op.name : 'the graph return'}`,
  );
}

function activationOf(producer: Node | undefined): Verdict {
  return producer?.op === quant.Dequantize ? no('the activation is quantized: this is not a weight-only linear') : yes;
}

function operandsOf(root: Node<typeof aten.Linear>, dq: Node<typeof quant.Dequantize>, scales: string): Verdict {
  const input = root.operand('input').type.dtype;
  if (dq.attrs.dtype !== input) return no(`the weight is dequantized to ${dq.attrs.dtype}, the activation is ${input}`);
  if (scales !== 'f32') return no(`the scales are ${scales}, expected f32`);
  if (dq.attrs.compute !== 'f32')
    return no(`the weight is dequantized in ${dq.attrs.compute}, expected f32: its numbers are rounded otherwise`);
  const bias = root.operandOrNone('bias');
  if (bias === undefined) return yes;
  if (bias.constant === undefined) return no('the bias is computed, expected a constant');
  return bias.type.shape.length === 1 && bias.type.shape[0] === root.operand('weight').type.shape[0]
    ? yes
    : no('the bias has not one element an output channel');
}

/** The same integers, two to a byte. */
const packI4 = (weight: Constant): Constant =>
  weight.type.dtype === 'i4'
    ? weight
    : weight.derive('i4', tensorType('i4', weight.type.shape), (bytes) =>
        encodeElements('i4', decodeElements('i8', bytes, bytes.byteLength)),
      );
