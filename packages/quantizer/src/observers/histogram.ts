import { dtypeInfo, type HostTensor, isFloat, QfuseError, tensorOf } from '@qfuse/plugin';
import type { Grid, Observer, ObserverFactory, ObserverState, QParams } from '../observer.js';
import { extremesOf } from './extremes.js';
import { histc, type Histogram, rebin } from './histogram-bins.js';
import { searchRange } from './histogram-search.js';
import type { EpsOptions } from './min-max.js';
import { qparamsOf } from './qparams.js';
import { checkEps, checkObserver, unobserved } from './refuse.js';
import { badState, saveNumbers, StateReader } from './state.js';

/** Options of {@link histogramObserver}. */
export interface HistogramOptions extends EpsOptions {
  /** Default 2048. */
  readonly bins?: number | undefined;
}

const NAME = 'histogram';

/**
 * Counts elements in bins between the smallest and the largest and quantizes the range within which the squared error is smallest, so
 * that a few outliers do not cost all others their precision; one scale for the tensor. `searchRange`, `quantizationError`, `histc`
 * and `rebin` state the formulas. Infinities are not counted. torch: `HistogramObserver`, bit for bit, for f32 and f64 tensors; f16
 * and bf16 are counted in f32 (torch counts them in their own dtype, where a bin of f16 is full at 2048 elements). As in torch
 * the search takes a grid of 2^8 codes, 2^16 or 2^32, by the dtype and not by qmin and qmax.
 *
 * A state is the list of the histograms of the processes, and merging appends the other's: so it is associative. Parameters
 * come from their sum in bins between the extremes of all. One process's parameters are torch's.
 * @throws QfuseError `quantizer/observer` when eps is not positive or there are not at least two bins; on `observe`, for tensors of integers;
 *   `quantizer/nan`, for tensors with NaN
 */
export function histogramObserver({ eps, bins = 2048 }: HistogramOptions = {}): ObserverFactory {
  checkEps(NAME, eps);
  if (!Number.isInteger(bins) || bins < 2) throw new QfuseError('quantizer/observer', `bins is ${bins}, expected an integer from 2 on`);
  return {
    name: NAME,
    eps,
    create: (grid) => {
      checkObserver(NAME, grid, 'tensor');
      return new HistogramObserver(grid, eps, bins);
    },
  };
}

class HistogramObserver implements Observer {
  readonly #grid: Grid;
  readonly #eps: number | undefined;
  readonly #bins: number;
  /** Observed tensors go into the last; a merge brings the ones of other processes. */
  readonly #parts: Histogram[] = [];

  constructor(grid: Grid, eps: number | undefined, bins: number) {
    this.#grid = grid;
    this.#eps = eps;
    this.#bins = bins;
  }

  observe(tensor: HostTensor): void {
    if (!isFloat(tensor.dtype))
      throw new QfuseError('quantizer/observer', `a "${NAME}" observer was given a tensor of ${tensor.dtype}, expected floats`);
    const data = finite(tensor.data as Float32Array);
    if (data.length === 0) return;
    const { min, max } = extremesOf(
      { dtype: tensor.dtype, shape: [data.length], data },
      { kind: 'tensor' },
      data instanceof Float32Array ? 'f32' : 'f64',
    );
    const [low, high] = [min.data[0] as number, max.data[0] as number];
    if (Number.isNaN(low)) throw new QfuseError('quantizer/nan', `a "${NAME}" observer was given a tensor with NaN`);
    const last = this.#parts.pop();
    this.#parts.push(last === undefined ? counted(data, low, high, this.#bins) : extended(last, data, low, high));
  }

  qparams(): QParams {
    if (this.#parts.length === 0) throw unobserved(NAME);
    const levels = 2 ** Math.max(8, dtypeInfo(this.#grid.dtype).bits);
    const seen = total(this.#parts);
    if (!Number.isFinite(Math.fround(seen.max - seen.min)))
      throw new QfuseError('quantizer/width', `the observed range [${seen.min}, ${seen.max}] is wider than f32 holds`, {
        help: 'Leave the node out of quantization, or mask with a smaller number.',
      });
    const [min, max] = searchRange(seen, levels).map((x) => tensorOf('f32', [], [x])) as [HostTensor, HostTensor];
    return qparamsOf(min, max, this.#grid, this.#eps);
  }

  save(): ObserverState {
    const parts = this.#parts.map(({ min, max, counts }) => ({ min, max, counts: saveNumbers(counts) }));
    return { observer: NAME, bins: this.#bins, parts };
  }

  merge(other: ObserverState): void {
    const state = new StateReader(NAME, other);
    if (state.number('bins') !== this.#bins) throw badState(NAME, `it has ${state.number('bins')} bins, expected ${this.#bins}`);
    const parts = state.states('parts').map((part): Histogram => {
      const read = new StateReader(NAME, { observer: NAME, ...part });
      const [min, max] = [read.number('min'), read.number('max')];
      if (!(min <= max)) throw badState(NAME, `a range is [${min}, ${max}]`);
      return { min, max, counts: Float32Array.from(read.numbers('counts', this.#bins)) };
    });
    this.#parts.push(...parts);
  }
}

/** The elements but for infinities. */
function finite<T extends Float32Array | Float64Array>(data: T): T {
  const infinite = (x: number): boolean => x === Infinity || x === -Infinity;
  return data.some(infinite) ? (data.filter((x) => !infinite(x)) as T) : data;
}

const counted = (data: Float32Array, min: number, max: number, bins: number): Histogram => ({
  min: Math.fround(min),
  max: Math.fround(max),
  counts: histc(data, min, max, bins),
});

/** A histogram of what `old` counted and of `data`, whose extremes are `low` and `high`. */
function extended(old: Histogram, data: Float32Array, low: number, high: number): Histogram {
  const [min, max] = [Math.min(old.min, low), Math.max(old.max, high)];
  const now = counted(data, min, max, old.counts.length);
  const before = rebin(old, min, max);
  return { ...now, counts: now.counts.map((count, i) => count + before[i]!) };
}

/** The sum of histograms, in bins between the extremes of all. Counts are added in f64, so that their order matters least. */
function total(parts: readonly Histogram[]): Histogram {
  if (parts.length === 1) return parts[0]!;
  const [min, max] = [Math.min(...parts.map((p) => p.min)), Math.max(...parts.map((p) => p.max))];
  const sums = new Float64Array(parts[0]!.counts.length);
  for (const part of parts) rebin(part, min, max).forEach((count, i) => (sums[i]! += count));
  return { min, max, counts: Float32Array.from(sums) };
}
