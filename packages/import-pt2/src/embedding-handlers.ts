import { encodeElements, intScalar, newElements, type Scalar, tensorType, type Value } from '@qfuse/plugin';
import { promoteTypes } from '@qfuse/ops';
import { attributeOf } from './attributes.js';
import { programError, quote } from './errors.js';
import { defineFresh, type Handler } from './handler.js';
import type { Call, Lowering } from './lowering.js';

/** How many integers lie in a byte of a packed table, and whether the first has the highest bits. */
interface Packing {
  readonly bits: 2 | 4;
  readonly highFirst: boolean;
}
const packings: Readonly<Record<string, Packing | undefined>> = {
  embedding_byte: undefined,
  embedding_4bit: { bits: 4, highFirst: true },
  embedding_2bit: { bits: 2, highFirst: false },
};

/** Where each integer of a byte begins. */
const shifts = ({ bits, highFirst }: Packing): readonly number[] => {
  const rising = Array.from({ length: 8 / bits }, (_, i) => i * bits);
  return highFirst ? rising.reverse() : rising;
};

/** Packed integers as i8 `[V, D]`: they are stored with half of their range added. */
function unpacked(packed: Value, packing: Packing, lowering: Lowering, who: string): Value {
  const { type, constant, name } = packed;
  const [rows, width] = type.shape;
  const [mask, half, places] = [2 ** packing.bits - 1, 2 ** (packing.bits - 1), shifts(packing)];
  if (type.dtype !== 'u8' || type.shape.length !== 2 || typeof width !== 'number')
    throw programError(`${who}: the table is ${type.dtype} with ${type.shape.length} axes, expected packed u8 with 2`);
  const shape = [rows!, width * places.length];
  if (constant !== undefined) {
    const derived = constant.derive(`unpacked by ${places.join(', ')}`, tensorType('i4', shape), (bytes) => {
      const out = newElements('i4', bytes.length * places.length);
      for (let i = 0; i < out.length; i++) out[i] = ((bytes[Math.floor(i / places.length)]! >> places[i % places.length]!) & mask) - half;
      return encodeElements('i4', out);
    });
    return lowering.editor.constant(derived, `${name ?? 'table'}.unpacked`);
  }
  const step = (op: string, self: Value, other: Scalar): Value => lowering.create(op, { self }, { other }, who).result;
  const parts = places.map((place) =>
    step('aten.bitwise_and.Scalar', step('aten.bitwise_right_shift.Tensor_Scalar', packed, intScalar(place)), intScalar(mask)),
  );
  const stacked = lowering.create('aten.stack', { tensors: parts }, { dim: 2 }, who).result;
  const integers = lowering.cast(lowering.reshape(stacked, shape, who), 'i8', who);
  return step('aten.sub.Scalar', integers, intScalar(half));
}

const int = { kind: 'int', optional: false, default: undefined } as const;

/**
 * `quantized_decomposed.embedding_byte`, `embedding_4bit` and `embedding_2bit`: rows of a table, each row or each group of a row with a
 * scale, become `quant.dequantize` of the table and `aten.embedding`. As there, zero points are subtracted and scales multiplied in
 * the dtype that these promote to.
 */
const embedding =
  (packing: Packing | undefined): Handler =>
  (call, lowering) => {
    const [result] = lowering.resultNames(call.node);
    if (result === undefined) return;
    const { who } = call;
    const table = lowering.tensorArgument(call, 'weight').value;
    const input = packing === undefined ? table : unpacked(table, packing, lowering, who);
    const scales = lowering.tensorArgument(call, 'weight_scales').value;
    const zeros =
      call.args.get('weight_zero_points')?.kind === 'tensor' ? lowering.tensorArgument(call, 'weight_zero_points').value : undefined;
    const { dtype } = lowering.symbols.type(result);
    const compute = [scales, ...(zeros === undefined ? [] : [zeros])].map((v) => v.type.dtype).reduce(promoteTypes);
    const grid = gridOf(call, input, scales);
    const fit = (v: Value): Value => (v.type.shape.length === grid.shape.length ? v : lowering.reshape(v, grid.shape, who));
    const bound = (name: string): number =>
      attributeOf(int, call.args.get(name) ?? { kind: 'none' }, lowering.symbols, `argument ${quote(name)} of ${who}`) as number;
    const weight = lowering.create(
      'quant.dequantize',
      { input, scale: fit(scales), zero_point: zeros === undefined ? undefined : fit(zeros) },
      { ...grid.attrs, qmin: bound('weight_quant_min'), qmax: bound('weight_quant_max'), dtype, ...(compute === 'f32' ? {} : { compute }) },
      who,
      [tensorType(dtype, input.type.shape)],
    ).result;
    const { value: indices } = lowering.tensorArgument(call, 'indices');
    const rows = lowering.create('aten.embedding', { weight, indices }, {}, who, [lowering.symbols.type(result)]);
    defineFresh(call, lowering, rows.result);
  };

/** Scales `[V]` or `[V, 1]` are those of rows, `[V, G]` those of groups of a row. */
function gridOf({ who }: Call, { type: { shape } }: Value, { type: { shape: given } }: Value) {
  const [rows, width] = shape;
  const groups = given[1] ?? 1;
  if (given.length === 0 || given.length > 2) throw programError(`${who}: weight_scales has ${given.length} axes, expected 1 or 2`);
  if (groups === 1) return { shape: [rows!], attrs: { granularity: 'axis', axis: 0 } } as const;
  if (typeof width !== 'number' || typeof groups !== 'number' || groups === 0 || width % groups !== 0)
    throw programError(`${who}: ${String(groups)} scales a row do not divide rows of ${String(width)}`);
  return { shape: [rows!, groups], attrs: { granularity: 'group', axis: 1, group_size: width / groups } } as const;
}

/** Lookups in quantized tables, as ExecuTorch defines them. */
export const embeddingHandlers: Readonly<Record<string, Handler>> = Object.fromEntries(
  Object.entries(packings).map(([name, packing]) => [`quantized_decomposed.${name}`, embedding(packing)]),
);
