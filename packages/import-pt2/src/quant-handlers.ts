import { promoteTypes } from '@qfuse/ops';
import {
  type AttrValue,
  type Dim,
  dimFloorDiv,
  type DType,
  type HostTensor,
  integerRange,
  tensorFrom,
  tensorOf,
  type Value,
} from '@qfuse/plugin';
import { attributeOf, describeArgument, scalarOf } from './attributes.js';
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
  /** Arithmetic that differs from the ops' defaults, which are those of the per-tensor forms. */
  readonly arithmetic?: Readonly<Record<string, AttrValue>>;
}

/** Attribute `compute`, left out when it is the default. */
const computedIn = (dtype: DType): Readonly<Record<string, AttrValue>> => (dtype === 'f32' ? {} : { compute: dtype });

/** The dtype of a torch expression of tensors with axes. */
const promoted = (values: readonly (Value | undefined)[]): DType =>
  values.flatMap((v) => (v === undefined ? [] : [v.type.dtype])).reduce(promoteTypes);

const int = { kind: 'int', optional: false, default: undefined } as const;
const dims = { kind: 'dims', optional: false, default: undefined } as const;

const argument = (call: Call, name: string) => call.args.get(name) ?? { kind: 'none' as const };
const who = (call: Call, name: string): string => `argument ${quote(name)} of ${call.who}`;
const intOf = (call: Call, lowering: Lowering, name: string): number =>
  attributeOf(int, argument(call, name), lowering.symbols, who(call, name)) as number;

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

function emit(
  op: 'quant.quantize' | 'quant.dequantize',
  call: Call,
  lowering: Lowering,
  { input, scale, zeroPoint, granularity, qmin, qmax, arithmetic }: Grid,
): void {
  const [name] = lowering.resultNames(call.node);
  if (name === undefined) return;
  const type = lowering.symbols.type(name);
  const node = lowering.create(
    op,
    { input, scale, zero_point: zeroPoint },
    { ...granularity, ...arithmetic, qmin, qmax, dtype: type.dtype },
    call.who,
    [type],
  );
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
    const given = decomposedGrid(call, lowering, byGranularity[form]!(call, lowering));
    const grid = withArithmetic(op, form, given, lowering, call);
    emit(op, call, lowering, op === 'quant.quantize' ? grid : checkStored(call, grid, dtypeArgument(call, 'dtype')));
  };
};

/**
 * The per-tensor forms take scale and zero point as Python numbers and compute in f32. In the others they are tensors
 * that take part in type promotion (per channel the input is f32); per token and per group add the zero point before rounding.
 */
function withArithmetic(op: string, form: string, grid: Grid, lowering: Lowering, call: Call): Grid {
  const { input, scale, zeroPoint } = grid;
  const { dtype } = scale.type;
  const quantizes = op === 'quant.quantize';
  if (form === 'tensor' && !quantizes) return { ...grid, arithmetic: differenceIn(call, lowering) };
  if (form === 'tensor') return { ...grid, scale: dtype === 'f16' || dtype === 'bf16' ? lowering.cast(scale, 'f32', call.who) : scale };
  if (!quantizes) return { ...grid, arithmetic: computedIn(promoted([scale, zeroPoint])) };
  if (form === 'channel') return { ...grid, arithmetic: computedIn(dtype === 'f64' ? 'f64' : 'f32') };
  return { ...grid, arithmetic: { ...computedIn(promoted([input, scale, zeroPoint])), round_last: true } };
}

/** Integers are cast to the result's dtype before the zero point is subtracted. */
function differenceIn(call: Call, lowering: Lowering): Readonly<Record<string, AttrValue>> {
  const [name] = lowering.resultNames(call.node);
  const dtype = name === undefined ? 'f32' : lowering.symbols.type(name).dtype;
  return dtype === 'f32' ? {} : { difference: dtype };
}

/**
 * torchao's `block_size` (one size an axis) as a granularity. The shape of the scales tells apart what the blocks
 * leave open: one scale per row of a matrix is `axis` 0 for a constant (a weight) and `row` for a computed one.
 */
function blockGranularity(
  block: readonly Dim[],
  shape: readonly Dim[],
  scale: Value | undefined,
  lowering: Lowering,
  where: string,
): Granularity {
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
  if (one.slice(0, last).every(Boolean) && typeof block[last] === 'number')
    return { granularity: 'group', axis: last, group_size: block[last] };
  return { granularity: 'block', block_size: block };
}

function affineGrid(call: Call, lowering: Lowering, stored: DType, quantizes: boolean): Grid {
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
    // Products of 16-bit floats are exact in f32, so only the result needs to be rounded to 16 bits.
    arithmetic: quantizes
      ? computedIn(promoted([input, scale]))
      : { ...computedIn(scale.type.dtype === 'f64' ? 'f64' : 'f32'), ...differenceIn(call, lowering) },
  };
}

/** torchao reshapes scales to the blocks; `quant.*` wants them in one shape for each granularity. */
function affineShape(
  { granularity, axis }: Granularity,
  block: readonly Dim[],
  shape: readonly Dim[],
  given: readonly Dim[],
): readonly Dim[] {
  if (granularity === 'tensor') return [];
  if (granularity === 'axis') return [shape[axis as number]!];
  if (granularity === 'row') return given.length === shape.length - 1 ? given : [...shape.slice(0, -1), 1];
  return shape.map((d, i) => dimFloorDiv(d, block[i]!));
}

/** `choose_qparams` and `choose_qparams_symmetric`: the range in the input's dtype, all else in f32. */
const chooseForTensor =
  (mapping: 'asymmetric' | 'symmetric'): Handler =>
  (call, lowering) => {
    const dtype = dtypeArgument(call, 'dtype');
    const eps = scalarOf(argument(call, 'eps'), lowering.symbols, who(call, 'eps'));
    if (eps === undefined) throw programError(`${who(call, 'eps')} is no number, expected a lower bound of the scale`);
    emitChoose(call, lowering, lowering.tensorArgument(call, 'input').value, {
      granularity: 'tensor',
      mapping,
      qmin: bound(call, lowering, 'quant_min', dtype),
      qmax: bound(call, lowering, 'quant_max', dtype),
      eps: Math.fround(Number(eps.value)),
      compute: 'f32',
      zero_point: mapping === 'symmetric' ? (dtype === 'u8' ? 128 : 0) : undefined,
    });
  };

/** Smallest range per token, which torch bounds before it divides by 127. */
const TOKEN_EPS = 1e-5;

/** `choose_qparams_per_token`: `max(|x|, 1e-5) / 127`, no zero points; f16 in f32. */
const chooseForToken: Handler = (call, lowering) => {
  const dtype = dtypeArgument(call, 'dtype');
  if (dtype !== 'i8') throw unsupported('argument', `${who(call, 'dtype')} is ${dtype}, expected i8`);
  const { value } = lowering.tensorArgument(call, 'input');
  const input = value.type.dtype === 'f16' ? lowering.cast(value, 'f32', call.who) : value;
  const rounded = (x: number): number => Number(tensorOf(input.type.dtype, [], [x]).data[0]);
  const eps = rounded(rounded(TOKEN_EPS) / 127);
  const { dtype: float } = input.type;
  const node = lowering.create(
    'quant.choose_qparams',
    { input },
    { granularity: 'row', mapping: 'symmetric', qmin: -127, qmax: 127, eps, zero_point_dtype: float },
    call.who,
  );
  // The file records f64 and i64, which torch's rule for shapes says; what it computes has the input's dtype.
  for (const [i, name] of lowering.resultNames(call.node).entries())
    if (name !== undefined) lowering.define(name, { ref: lowering.memory.fresh(node.results[i]!) });
};

/** `choose_qparams_per_token_asymmetric`: the zero point that XNNPACK takes, for i8 whatever `dtype` says. */
const chooseForTokenAsymmetric: Handler = (call, lowering) => {
  const { value: input } = lowering.tensorArgument(call, 'input');
  emitChoose(call, lowering, input, {
    granularity: 'row',
    mapping: 'asymmetric',
    qmin: -128,
    qmax: 127,
    eps: 2 ** -23,
    zero_point_rule: 'smaller_error',
  });
};

const mappings: Readonly<Record<string, string>> = {
  ASYMMETRIC: 'asymmetric',
  SYMMETRIC: 'symmetric',
  SYMMETRIC_NO_CLIPPING_ERR: 'symmetric_no_clipping_err',
};

const chooseAffine: Handler = (call, lowering) => {
  const { value: input } = lowering.tensorArgument(call, 'input');
  const block = attributeOf(dims, argument(call, 'block_size'), lowering.symbols, who(call, 'block_size')) as readonly Dim[];
  const given = argument(call, 'mapping_type');
  const mapping = given.kind === 'string' ? mappings[given.value] : undefined;
  if (mapping === undefined)
    throw unsupported(
      'argument',
      `${who(call, 'mapping_type')} is ${describeArgument(given)}, expected one of ${Object.keys(mappings).join(', ')}`,
    );
  const dtype = dtypeArgument(call, 'target_dtype');
  const eps = scalarOf(argument(call, 'eps'), lowering.symbols, who(call, 'eps'));
  emitChoose(call, lowering, input, {
    ...blockGranularity(block, input.type.shape, undefined, lowering, who(call, 'block_size')),
    mapping,
    qmin: bound(call, lowering, 'quant_min', dtype),
    qmax: bound(call, lowering, 'quant_max', dtype),
    eps: eps === undefined ? undefined : Number(eps.value),
  });
};

/** Scale and zero point in the dtypes and shapes that the file records. */
function emitChoose(call: Call, lowering: Lowering, input: Value, attrs: Readonly<Record<string, AttrValue>>): void {
  const types = lowering.resultNames(call.node).map((name) => (name === undefined ? undefined : lowering.symbols.type(name)));
  const [scale, zero] = types;
  const node = lowering.create(
    'quant.choose_qparams',
    { input },
    { ...attrs, scale_dtype: scale?.dtype, zero_point_dtype: zero?.dtype },
    call.who,
  );
  for (const [i, type] of types.entries())
    if (type !== undefined) defineFresh(call, lowering, lowering.reshape(node.results[i]!, type.shape, call.who), i);
}

const forms = ['tensor', 'channel', 'channel_group', 'token'] as const;

/** Quantization operators of PyTorch (`quantized_decomposed`) and torchao: all of them become `quant.*`. */
export const quantHandlers: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries(forms.map((f) => [`quantized_decomposed.quantize_per_${f}`, decomposed('quant.quantize', f)])),
  ...Object.fromEntries(forms.map((f) => [`quantized_decomposed.dequantize_per_${f}`, decomposed('quant.dequantize', f)])),
  'quantized_decomposed.choose_qparams': chooseForTensor('asymmetric'),
  'quantized_decomposed.choose_qparams_symmetric': chooseForTensor('symmetric'),
  'quantized_decomposed.choose_qparams_per_token': chooseForToken,
  'quantized_decomposed.choose_qparams_per_token_asymmetric': chooseForTokenAsymmetric,
  'quantized_decomposed._choose_qparams_per_token_asymmetric_impl': chooseForTokenAsymmetric,
  'torchao.quantize_affine': (call, lowering) =>
    emit('quant.quantize', call, lowering, affineGrid(call, lowering, dtypeArgument(call, 'output_dtype'), true)),
  'torchao.dequantize_affine': (call, lowering) => {
    const stored = dtypeArgument(call, 'input_dtype');
    emit('quant.dequantize', call, lowering, checkStored(call, affineGrid(call, lowering, stored, false), stored));
  },
  'torchao.choose_qparams_affine': chooseAffine,
};
