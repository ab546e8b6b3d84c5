import { hostTensor, type HostTensor, QfuseError } from '@qfuse/plugin';
import type { Observer, ObserverFactory, ObserverState, QParams } from '../observer.js';
import { type AffineOptions, affineQParams, type AffineSettings } from './affine-min-max.js';
import { cascadeSum } from './cascade-sum.js';
import { eachRun, type Extremes, extremesOf, layoutOf } from './extremes.js';
import { checkEps, checkObserver, unobserved } from './refuse.js';
import { saveExtremes, StateReader } from './state.js';

/** Options of {@link mseObserver}. */
export interface MseOptions extends AffineOptions {
  /** How many ranges are tried. Default 100. */
  readonly steps?: number | undefined;
  /** Whether only the first tensor counts, not the last. Default false. */
  readonly runOnce?: boolean | undefined;
}

const NAME = 'mse';
const { fround } = Math;
/** Adding and subtracting it rounds numbers below 2^51 to integers, ties to even. */
const ROUND = 1.5 * 2 ** 52;

/**
 * Of the ranges `[-t, t]`, `t = max(|min|, max) / steps · i` for i from 1 to `steps`, the one whose quantization has the smallest mean
 * squared error, for each scale, of any granularity: the mean over the elements x that share the scale of
 * `(D(clamp(round(x · (1 / scale)) + zero_point, qmin, qmax)) - x)²` with `D(q) = (q - zero_point) · scale` and the parameters that
 * `quant.choose_qparams` gives the range; the first of equal ones; the extremes themselves when no error is below 1e9. Each step is
 * rounded to f32, and the mean is summed as `cascadeSum` does. Any dtype; elements are cast to f32 first.
 *
 * torchao: `AffineQuantizedMSEObserver`, bit for bit for f32 on one thread. As there the last tensor decides, or the first with
 * `runOnce`: it is for weights. A merged state takes the place of what was seen, or gives way with `runOnce`: that is associative.
 * @throws QfuseError `quantizer/observer` when eps is not positive or steps not a positive integer
 */
export function mseObserver({ steps = 100, runOnce = false, ...options }: MseOptions = {}): ObserverFactory {
  checkEps(NAME, options.eps);
  if (!Number.isInteger(steps) || steps < 1) throw new QfuseError('quantizer/observer', `steps is ${steps}, expected a positive integer`);
  return {
    name: NAME,
    eps: options.eps,
    create: (grid) => {
      checkObserver(NAME, grid, 'tensor', 'axis', 'group', 'row');
      return new MseObserver({ ...options, grid }, steps, runOnce);
    },
  };
}

class MseObserver implements Observer {
  readonly #settings: AffineSettings;
  readonly #steps: number;
  readonly #runOnce: boolean;
  #best: Extremes | undefined;

  constructor(settings: AffineSettings, steps: number, runOnce: boolean) {
    this.#settings = settings;
    this.#steps = steps;
    this.#runOnce = runOnce;
  }

  observe(tensor: HostTensor): void {
    if (tensor.data.length > 0 && !(this.#runOnce && this.#best !== undefined)) this.#best = search(tensor, this.#settings, this.#steps);
  }

  qparams(): QParams {
    if (this.#best === undefined) throw unobserved(NAME);
    return affineQParams(this.#best, this.#settings);
  }

  save(): ObserverState {
    return { observer: NAME, ...saveExtremes(this.#best) };
  }

  merge(other: ObserverState): void {
    const best = new StateReader(NAME, other).extremes();
    if (best !== undefined && !(this.#runOnce && this.#best !== undefined)) this.#best = best;
  }
}

/** The best range for each scale; see {@link mseObserver}. */
function search(tensor: HostTensor, settings: AffineSettings, steps: number): Extremes {
  const found = extremesOf(tensor, settings.grid.granularity);
  const [min, max] = [found.min.data as Float32Array, found.max.data as Float32Array];
  // NaN has no error to compare; the parameters refuse it.
  if (min.some(Number.isNaN)) return found;
  const reach = min.map((low, i) => Math.max(Math.abs(low), max[i]!));
  const smallest = new Float32Array(reach.length).fill(1e9);
  const errorsOf = meanErrors(Float32Array.from(tensor.data as Float32Array, Number), tensor.shape, settings);
  for (let step = 1; step <= steps; step++) {
    const high = reach.map((r) => fround(fround(r / fround(steps)) * step));
    const errors = errorsOf({
      min: hostTensor(
        'f32',
        found.min.shape,
        high.map((t) => 0 - t),
      ),
      max: hostTensor('f32', found.min.shape, high),
    });
    errors.forEach((error, i) => {
      if (error < smallest[i]!) [min[i], max[i]] = [0 - high[i]!, high[i]!];
      smallest[i] = Math.min(error, smallest[i]!);
    });
  }
  return found;
}

/** The mean squared error for each scale as a function of the ranges. */
function meanErrors(data: Float32Array, dims: readonly number[], settings: AffineSettings): (ranges: Extremes) => Float32Array {
  const layout = layoutOf(dims, settings.grid.granularity);
  const { outer, groups, size, inner, axes } = layout;
  const [qmin, qmax] = [fround(settings.grid.qmin), fround(settings.grid.qmax)];
  const squares = new Float32Array(data.length);
  return (ranges) => {
    const { scale, zeroPoint } = affineQParams(ranges, settings);
    eachRun(layout, (index, start, count) => {
      const [s, zero] = [scale.data[index] as number, zeroPoint.data[index] as number];
      const inverse = fround(1 / s);
      for (let i = start; i < start + count; i++) {
        const x = data[i]!;
        const rounded = fround(x * inverse) + ROUND - ROUND;
        const q = Math.min(Math.max(fround(rounded + zero), qmin), qmax);
        const error = fround(fround(fround(q - zero) * s) - x);
        squares[i] = error * error;
      }
    });
    const sums = cascadeSum(squares, [outer, groups, size, inner], axes);
    const count = fround(data.length / sums.length);
    return sums.map((sum) => sum / count);
  };
}
