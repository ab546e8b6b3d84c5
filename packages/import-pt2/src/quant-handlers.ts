import { type AttrValue, type Dim, dimFloorDiv, type DType, type HostTensor, integerRange, tensorFrom, type Value } from '@qfuse/plugin';
import { attributeOf, scalarOf } from './attributes.js';
import { dtypeOf } from './dtypes.js';
import { programError, quote, unsupported } from './errors.js';
import { defineFresh, type Handler } from './handler.js';
import type { Call, Lowering } from './lowering.js';

type Granularity = Readonly<Record<'granularity', string>> & Readonly<Record<string, AttrValue>>;

/** What quantize and dequantize share. */
interface Grid {
  readonly input: Value;
  readonly scale: Value;
  readonly zeroPoint: Value | undefined;
  readonly granularity: Granularity;
  readonly qmin: number;
  readonly qmax: number;
}

const int = { kind: 'int', optional: false, default: undefined } as const;
const dims = { kind: 'dims', optional: false, default: undefined } as const;

const argument = (call: Call, name: string) => call.args.get(name) ?? { kind: 'none' as const };
const who = (call: Call, name: string): string => `argument ${quote(name)} of ${call.who}`;
const intOf = (call: Call, lowering: Lowering, name: string): number => attributeOf(int, argument(call, name), lowering.symbols, who(call, name)) as number;

function dtypeArgument(call: Call, name: string): DType {
  const arg = call.args.get(name);
  if (arg?.kind !== 'scalar-type') throw programError(`${who(call, name)} is missing, expected a dtype`);
  return dtypeOf(arg.value, who(call, name));
}

/** Scale or zero point: a tensor, or a Python number that becomes a 0-d constant. */
function qparam(call: Call, lowering: Lowering, name: string, kind: 'scale' | 'zero point'): Value | undefined {
  const arg = argument(call, name);
  if (arg.kind === 'tensor') return lowering.read(arg.name, call.who);
  if (arg.kind === 'none') return undefined;
  const scalar = scalarOf(arg, lowering.symbols, who(call, name));
  if (scalar === undefined) throw programError(`${who(call, name)} is no number, expected a ${kind}`);
  const value = Number(scalar.value);
  if (kind === 'zero point') return lowering.scalar(scalar, Math.abs(value) < 2 ** 31 ? 'i32' : 'i64');
  // torch divides by the double; f32 holds it when an f32 observer made it, as nearly always.
  return lowering.scalar(scalar, Math.fround(value) === value ? 'f32' : 'f64');
}

function scaleOf(call: Call, lowering: Lowering, name: string): Value {
  const scale = qparam(call, lowering, name, 'scale');
  if (scale === undefined) throw programError(`${who(call, name)} is missing, expected a scale`);
  return scale;
}

/** A bound of the integers: a number, a 0-d constant, or by default that of the dtype. */
function bound(call: Call, lowering: Lowering, name: string, dtype: DType): number {
  const arg = argument(call, name);
  if (arg.kind === 'none') return Number(integerRange(dtype)[name.endsWith('min') ? 0 : 1]);
  if (arg.kind === 'float' && Number.isInteger(arg.value)) return arg.value;
  if (arg.kind !== 'tensor') return intOf(call, lowering, name);
  const { constant } = lowering.read(arg.name, call.who);
  const data: HostTensor['data'] | undefined = constant === undefined ? undefined : tensorFrom(constant).data;
  if (data?.length !== 1) throw unsupported('dynamic', `${who(call, name)} is computed at run time, expected a constant`);
  return Number(data[0]);
}

/** Arguments of `quantized_decomposed.[de]quantize_*`; the plural names are those of the granular forms. */
function decomposedGrid(call: Call, lowering: Lowering, granularity: (rank: number) => Granularity): Grid {
  const input = lowering.tensorArgument(call, 'input').value;
  const [scale, zeroPoint] = call.args.has('scales') ? ['scales', 'zero_points'] : ['scale', 'zero_point'];
  const stored = dtypeArgument(call, 'dtype');
  return {
    input,
    scale: scaleOf(call, lowering, scale),
    zeroPoint: qparam(call, lowering, zeroPoint, 'zero point'),
    granularity: granularity(input.type.shape.length),
    qmin: bound(call, lowering, 'quant_min', stored),
    qmax: bound(call, lowering, 'quant_max', stored),
  };
}

function emit(op: 'quant.quantize' | 'quant.dequantize', call: Call, lowering: Lowering, { input, scale, zeroPoint, granularity, qmin, qmax }: Grid): void {
  const [name] = lowering.resultNames(call.node);
  if (name === undefined) return;
  const type = lowering.symbols.type(name);
  const node = lowering.create(op, { input, scale, zero_point: zeroPoint }, { ...granularity, qmin, qmax, dtype: type.dtype }, call.who, [type]);
  defineFresh(call, lowering, node.result);
}

/** The integers that a dequantize reads must be of the dtype that it declares. */
function checkStored(call: Call, grid: Grid, declared: DType): Grid {
  if (grid.input.type.dtype !== declared) throw programError(`${call.who} declares ${declared} and reads ${grid.input.type.dtype}`);
  return grid;
}

const byGranularity: Readonly<Record<string, (call: Call, lowering: Lowering) => (rank: number) => Granularity>> = {
  tensor: () => () => ({ granularity: 'tensor' }),
  channel: (call, lowering) => () => ({ granularity: 'axis', axis: intOf(call, lowering, 'axis') }),
  channel_group: (call, lowering) => (rank) => ({ granularity: 'group', axis: rank - 1, group_size: intOf(call, lowering, 'group_size') }),
  token: () => () => ({ granularity: 'row' }),
};

const decomposed = (op: 'quant.quantize' | 'quant.dequantize', form: string): Handler => {
  return (call, lowering) => {
    const grid = decomposedGrid(call, lowering, byGranularity[form]!(call, lowering));
    emit(op, call, lowering, op === 'quant.quantize' ? grid : checkStored(call, grid, dtypeArgument(call, 'dtype')));
  };
};

/**
 * torchao's `block_size` (one size an axis) as a granularity. The shape of the scales tells apart what the blocks
 * leave open: one scale per row of a matrix is `axis` 0 for a constant (a weight) and `row` for a computed one.
 */
function blockGranularity(block: readonly Dim[], shape: readonly Dim[], scale: Value | undefined, lowering: Lowering, where: string): Granularity {
  if (block.length !== shape.length) throw programError(`${where} has ${block.length} sizes, expected ${shape.length}`);
  const { env } = lowering.graph;
  const whole = block.map((b, i) => env.equal(b, shape[i]!) === 'yes');
  const one = block.map((b) => b === 1);
  if (whole.every(Boolean) && !(scale !== undefined && scale.type.shape.length > 1)) return { granularity: 'tensor' };
  const last = shape.length - 1;
  const split = block.map((_, i) => i).filter((i) => !whole[i]);
  const perAxis = split.length === 1 && one[split[0]!] === true;
  const perRow = last >= 0 && whole[last] === true && one.slice(0, last).every(Boolean);
  if (perAxis && (!perRow || scale?.constant !== undefined)) return { granularity: 'axis', axis: split[0]! };
  if (perRow) return { granularity: 'row' };
  if (one.slice(0, last).every(Boolean) && typeof block[last] === 'number') return { granularity: 'group', axis: last, group_size: block[last] };
  return { granularity: 'block', block_size: block };
}

function affineGrid(call: Call, lowering: Lowering, stored: DType): Grid {
  const input = lowering.tensorArgument(call, 'input').value;
  const block = attributeOf(dims, argument(call, 'block_size'), lowering.symbols, who(call, 'block_size')) as readonly Dim[];
  const { shape } = input.type;
  const scale = scaleOf(call, lowering, 'scale');
  const granularity = blockGranularity(block, shape, scale, lowering, who(call, 'block_size'));
  const wanted = affineShape(granularity, block, shape, scale.type.shape);
  const fit = (v: Value): Value => lowering.reshape(v, wanted, call.who);
  const zeroPoint = qparam(call, lowering, 'zero_point', 'zero point');
  return {
    input,
    scale: fit(scale),
    zeroPoint: zeroPoint === undefined ? undefined : fit(zeroPoint),
    granularity,
    qmin: bound(call, lowering, 'quant_min', stored),
    qmax: bound(call, lowering, 'quant_max', stored),
  };
}

/** torchao reshapes scales to the blocks; `quant.*` wants them in one shape for each granularity. */
function affineShape({ granularity, axis }: Granularity, block: readonly Dim[], shape: readonly Dim[], given: readonly Dim[]): readonly Dim[] {
  if (granularity === 'tensor') return [];
  if (granularity === 'axis') return [shape[axis as number]!];
  if (granularity === 'row') return given.length === shape.length - 1 ? given : [...shape.slice(0, -1), 1];
  return shape.map((d, i) => dimFloorDiv(d, block[i]!));
}

const chooseDecomposed =
  (granularity: string, mapping: string): Handler =>
  (call, lowering) => {
    const { value: input } = lowering.tensorArgument(call, 'input');
    const dtype = dtypeArgument(call, 'dtype');
    const eps = call.args.get('eps');
    emitChoose(call, lowering, input, {
      granularity,
      mapping,
      qmin: call.args.has('quant_min') ? bound(call, lowering, 'quant_min', dtype) : Number(integerRange(dtype)[0]),
      qmax: call.args.has('quant_max') ? bound(call, lowering, 'quant_max', dtype) : Number(integerRange(dtype)[1]),
      eps: eps?.kind === 'float' ? eps.value : Number.NaN,
    });
  };

const chooseAffine: Handler = (call, lowering) => {
  const { value: input } = lowering.tensorArgument(call, 'input');
  const block = attributeOf(dims, argument(call, 'block_size'), lowering.symbols, who(call, 'block_size')) as readonly Dim[];
  const mapping = argument(call, 'mapping_type');
  const dtype = dtypeArgument(call, 'target_dtype');
  const eps = scalarOf(argument(call, 'eps'), lowering.symbols, who(call, 'eps'));
  emitChoose(call, lowering, input, {
    ...blockGranularity(block, input.type.shape, undefined, lowering, who(call, 'block_size')),
    mapping: mapping.kind === 'string' ? mapping.value.toLowerCase() : '',
    qmin: bound(call, lowering, 'quant_min', dtype),
    qmax: bound(call, lowering, 'quant_max', dtype),
    eps: eps === undefined ? Number.NaN : Number(eps.value),
  });
};

function emitChoose(call: Call, lowering: Lowering, input: Value, attrs: Readonly<Record<string, AttrValue>>): void {
  const types = lowering.recordedTypes(call);
  const node = lowering.create('quant.choose_qparams', { input }, attrs, call.who, types);
  node.results.forEach((value, i) => defineFresh(call, lowering, value, i));
}

const forms = ['tensor', 'channel', 'channel_group', 'token'] as const;

/** Quantization operators of PyTorch (`quantized_decomposed`) and torchao: all of them become `quant.*`. */
export const quantHandlers: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries(forms.map((f) => [`quantized_decomposed.quantize_per_${f}`, decomposed('quant.quantize', f)])),
  ...Object.fromEntries(forms.map((f) => [`quantized_decomposed.dequantize_per_${f}`, decomposed('quant.dequantize', f)])),
  'quantized_decomposed.choose_qparams': chooseDecomposed('tensor', 'asymmetric'),
  'quantized_decomposed.choose_qparams_symmetric': chooseDecomposed('tensor', 'symmetric'),
  'quantized_decomposed.choose_qparams_per_token': chooseDecomposed('row', 'symmetric'),
  'quantized_decomposed.choose_qparams_per_token_asymmetric': chooseDecomposed('row', 'asymmetric'),
  'quantized_decomposed._choose_qparams_per_token_asymmetric_impl': chooseDecomposed('row', 'asymmetric'),
  'torchao.quantize_affine': (call, lowering) => emit('quant.quantize', call, lowering, affineGrid(call, lowering, dtypeArgument(call, 'output_dtype'))),
  'torchao.dequantize_affine': (call, lowering) => {
    const stored = dtypeArgument(call, 'input_dtype');
    emit('quant.dequantize', call, lowering, checkStored(call, affineGrid(call, lowering, stored), stored));
  },
  'torchao.choose_qparams_affine': chooseAffine,
};
