import { aten, quant } from '@qfuse/ops';
import { constantOf, type Dim, type Editor, type HostTensor, QfuseError, sourcesOf, tensorOf, tensorType, type Value } from '@qfuse/plugin';
import { codesOf } from './codes.js';
import { gridOf, granularityOf, type RootSpec, zeroPointDTypeOf } from './grid.js';
import type { Grid, QParams } from './observer.js';
import { granularityAttrsOf } from './observers/index.js';
import type { QuantizationSpec } from './spec.js';

/** Scale and zero point as values, and how they apply. */
interface Parameters {
  readonly scale: Value;
  readonly zero_point: Value;
  readonly attrs: ReturnType<typeof granularityAttrsOf>;
}

/** Makes the nodes of quantized values. */
export class Emitter {
  readonly #edit: Editor;
  readonly #numbers = new Map<string, Value>();

  constructor(edit: Editor) {
    this.#edit = edit;
  }

  /**
   * `value` on the grid of `spec`, as floats. A constant, which may be one of another graph, becomes integers.
   * @throws QfuseError `quantizer/quantize` or `quantizer/spec` when value and grid do not fit
   */
  quantizeDequantize(value: Value, spec: RootSpec, parameters: QParams | undefined): Value {
    const grid = gridOf(spec);
    const { dtype } = value.type;
    const name = nameOf(value);
    const given = parameters === undefined ? this.#chosen(value, spec as QuantizationSpec, grid) : this.#known(name, spec, parameters);
    const range = { qmin: grid.qmin, qmax: grid.qmax };
    const input =
      value.constant !== undefined && parameters !== undefined
        ? this.#edit.constant(codesOf(value.constant, parameters, grid), `${name}.q`)
        : this.#edit.create(
            quant.Quantize,
            { input: value, scale: given.scale, zero_point: given.zero_point },
            { ...given.attrs, ...range, dtype: grid.dtype },
          ).result;
    // All but torch's per-channel form cast integers to the result's dtype before the zero point is subtracted; of f32 that changes nothing.
    const difference = dtype !== 'f32' && zeroPointDTypeOf(spec) !== 'i64' ? dtype : undefined;
    return this.#edit.create(
      quant.Dequantize,
      { input, scale: given.scale, zero_point: given.zero_point },
      { ...given.attrs, ...range, dtype, difference },
    ).result;
  }

  #known(name: string, spec: RootSpec, { scale, zeroPoint }: QParams): Parameters {
    return {
      scale: this.#constant(scale, `${name}.scale`),
      zero_point: this.#constant(tensorOf(zeroPointDTypeOf(spec), zeroPoint.shape, zeroPoint.data), `${name}.zero_point`),
      attrs: granularityAttrsOf(granularityOf(spec)),
    };
  }

  /** A constant; single numbers of equal contents are made once. */
  #constant(tensor: HostTensor, name: string): Value {
    const constant = constantOf(tensor, 'quantization');
    if (tensor.shape.length > 0) return this.#edit.constant(constant, name);
    let known = this.#numbers.get(constant.key);
    if (known === undefined) this.#numbers.set(constant.key, (known = this.#edit.constant(constant, name)));
    return known;
  }

  /** Parameters that are computed at run time, with the steps of `quantized_decomposed.choose_qparams` for a tensor, of torchao for rows. */
  #chosen(input: Value, spec: QuantizationSpec, grid: Grid): Parameters {
    return spec.granularity.kind === 'row' ? this.#chosenPerRow(input, spec, grid) : this.#chosenPerTensor(input, spec, grid);
  }

  #chosenPerTensor(input: Value, spec: QuantizationSpec, { qmin, qmax, mapping, dtype }: Grid): Parameters {
    const [scale, zero] = this.#edit.create(
      quant.ChooseQparams,
      { input },
      {
        granularity: 'tensor',
        mapping: mappings[mapping],
        qmin,
        qmax,
        eps: Math.fround(spec.observer?.eps ?? 2 ** -23),
        compute: 'f32',
        zero_point: mapping === 'symmetric' ? (dtype === 'u8' ? 128 : 0) : undefined,
        scale_dtype: 'f64',
        zero_point_dtype: spec.zeroPointDType ?? 'i64',
      },
    ).results as [Value, Value];
    return { scale: this.#view(scale, [1]), zero_point: this.#view(zero, [1]), attrs: granularityAttrsOf({ kind: 'tensor' }) };
  }

  #chosenPerRow(input: Value, spec: QuantizationSpec, { qmin, qmax, mapping }: Grid): Parameters {
    const rows = input.type.shape.slice(0, -1);
    if (input.type.shape.length === 0) throw new QfuseError('quantizer/spec', 'a number has no rows to quantize');
    // A single row is the whole tensor, in torchao's words too.
    const single = rows.every((d) => d === 1);
    const results = this.#edit.create(
      quant.ChooseQparams,
      { input },
      {
        granularity: single ? 'tensor' : 'row',
        mapping: mappings[mapping],
        qmin,
        qmax,
        eps: spec.observer?.eps,
        scale_dtype: input.type.dtype,
        zero_point_dtype: spec.zeroPointDType ?? 'i8',
      },
    ).results as [Value, Value];
    const flat = single && rows.length < 2;
    const [scale, zero_point] = results.map((v) => this.#view(this.#view(v, rows), flat ? [] : rows)) as [Value, Value];
    return { scale, zero_point, attrs: granularityAttrsOf({ kind: flat ? 'tensor' : 'row' }) };
  }

  #view(self: Value, size: readonly Dim[]): Value {
    const type = tensorType(self.type.dtype, size);
    return type === self.type ? self : this.#edit.create(aten.View, { self }, { size }, { types: [type] }).result;
  }
}

const mappings = { affine: 'asymmetric', symmetric: 'symmetric' } as const;

/** A name for the constants of a value: its own, else that of the node of the program that it comes from. */
function nameOf({ name, producer }: Value): string {
  const source = producer === undefined ? undefined : sourcesOf(producer.origin).at(-1);
  return name ?? (source?.kind === 'source' ? source.name : 'value');
}
