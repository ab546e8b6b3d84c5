import { quant } from '@qfuse/ops';
import { type DType, hostTensor, type HostTensor, QfuseError } from '@qfuse/plugin';
import type { Grid, Observer, ObserverFactory, ObserverState, QParams } from '../observer.js';
import { type Extremes, extremesOf, union } from './extremes.js';
import { checkOrder } from './qparams.js';
import { granularityAttrsOf } from './quantize-tensor.js';
import { checkEps, checkObserver, unobserved } from './refuse.js';
import { saveExtremes, StateReader } from './state.js';

/** Options of the observers of torchao's affine family. */
export interface AffineOptions {
  /** The smallest scale. Default: the smallest normal number of the tensor's dtype, 2^-126 for f32. */
  readonly eps?: number | undefined;
  /** For symmetric grids: `scale = max(low / qmin, high / qmax)`. torchao: `SYMMETRIC_NO_CLIPPING_ERR`. */
  readonly noClippingError?: boolean | undefined;
}

/** Everything {@link affineQParams} needs beside extremes. */
export interface AffineSettings extends AffineOptions {
  readonly grid: Grid;
}

const NAME = 'affine-min-max';

/**
 * The smallest and largest of the elements that share a scale, of any granularity; `quant.choose_qparams` states the formula.
 * Scales are f32 or, for f16 and bf16 tensors, of the tensor's dtype; other dtypes are cast to f32. torchao: `choose_qparams_affine`, as
 * `IntxWeightOnlyConfig` and `Int8DynamicActivationIntxWeightConfig` use it, and `AffineQuantizedMinMaxObserver`, bit for bit.
 * Merging is exact and does not depend on the order.
 * @throws QfuseError `quantizer/observer` when eps is not positive
 */
export function affineMinMaxObserver(options: AffineOptions = {}): ObserverFactory {
  checkEps(NAME, options.eps);
  return {
    name: NAME,
    eps: options.eps,
    create: (grid) => {
      checkObserver(NAME, grid, 'tensor', 'axis', 'group', 'row');
      return new AffineMinMax({ ...options, grid });
    },
  };
}

class AffineMinMax implements Observer {
  readonly #settings: AffineSettings;
  #seen: Extremes | undefined;

  constructor(settings: AffineSettings) {
    this.#settings = settings;
  }

  observe(tensor: HostTensor): void {
    const dtype = tensor.dtype === 'f16' || tensor.dtype === 'bf16' ? tensor.dtype : 'f32';
    if (tensor.data.length > 0) this.#add(extremesOf(tensor, this.#settings.grid.granularity, dtype));
  }

  qparams(): QParams {
    if (this.#seen === undefined) throw unobserved(NAME);
    return affineQParams(this.#seen, this.#settings);
  }

  save(): ObserverState {
    return { observer: NAME, ...saveExtremes(this.#seen) };
  }

  merge(other: ObserverState): void {
    const extremes = new StateReader(NAME, other).extremes();
    if (extremes !== undefined) this.#add(extremes);
  }

  #add(extremes: Extremes): void {
    const seen = this.#seen;
    if (seen !== undefined && seen.min.dtype !== extremes.min.dtype)
      throw new QfuseError('quantizer/shape', `an observer of ${seen.min.dtype} tensors was given one of ${extremes.min.dtype}`);
    this.#seen = seen === undefined ? extremes : union(seen, extremes);
  }
}

/**
 * Scales and zero points of extremes by the reference of `quant.choose_qparams`. torchao: `choose_qparams_affine_with_min_max`.
 * @throws QfuseError `quantizer/nan` where an extreme is NaN
 */
export function affineQParams({ min, max }: Extremes, { grid, eps, noClippingError = false }: AffineSettings): QParams {
  const count = min.data.length;
  const pairs = hostTensor(min.dtype, [count, 2]);
  for (let i = 0; i < count; i++) {
    checkOrder(min.data[i] as number, max.data[i] as number);
    pairs.data[2 * i] = min.data[i]!;
    pairs.data[2 * i + 1] = max.data[i]!;
  }
  const result = (dtype: DType) => ({ dtype, shape: [count, 1] });
  const [scale, zeroPoint] = quant.ChooseQparams.reference!({
    operands: { input: pairs },
    attrs: {
      ...granularityAttrsOf({ kind: 'row' }),
      qmin: grid.qmin,
      qmax: grid.qmax,
      eps,
      mapping: grid.mapping === 'affine' ? 'asymmetric' : noClippingError ? 'symmetric_no_clipping_err' : 'symmetric',
      compute: undefined,
      zero_point: undefined,
      zero_point_rule: 'minimum',
      scale_dtype: undefined,
      zero_point_dtype: 'i32',
    },
    results: [result(min.dtype), result('i32')],
    fail: (why) => {
      throw new QfuseError('quantizer/observer', why);
    },
  }) as [HostTensor, HostTensor];
  return { scale: hostTensor(min.dtype, min.shape, scale.data), zeroPoint: hostTensor('i32', min.shape, zeroPoint.data) };
}
