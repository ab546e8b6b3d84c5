import { hostTensor, type HostTensor, QfuseError } from '@qfuse/plugin';
import type { Grid, Observer, ObserverFactory, ObserverState, QParams } from '../observer.js';
import { checkShape, type Extremes, extremesOf } from './extremes.js';
import type { EpsOptions } from './min-max.js';
import { qparamsOf } from './qparams.js';
import { checkEps, checkObserver, unobserved } from './refuse.js';
import { badState, saveExtremes, StateReader } from './state.js';

/** Options of the moving average observers. */
export interface MovingAverageOptions extends EpsOptions {
  /** How much of each new extreme goes into the average. Default 0.01. torch: `averaging_constant`. */
  readonly averagingConstant?: number | undefined;
}

/**
 * Averages of the extremes of the tensors, one scale for the tensor: the first tensor's extremes, then
 * `min = min + c · (min(x) - min)` and the same for max, each step rounded to f32; `qparamsOf` states the rest.
 * Any dtype; elements are cast to f32 first. torch: `MovingAverageMinMaxObserver`.
 *
 * The average depends on the order of the tensors. So a state keeps the extremes of each tensor, and merging appends the other's:
 * it is associative, and exact for batches that are split into consecutive runs.
 * @throws QfuseError `quantizer/observer` when eps is not positive or the averaging constant not between 0 and 1
 */
export const movingAverageMinMaxObserver = (options: MovingAverageOptions = {}): ObserverFactory =>
  movingAverageFactory('moving-average-min-max', 'tensor', options);

/**
 * The same for each index of an axis, one scale for each. torch: `MovingAveragePerChannelMinMaxObserver`, which takes no tensors of
 * rank 1; this does.
 * @throws QfuseError `quantizer/observer` when eps is not positive or the averaging constant not between 0 and 1
 */
export const movingAveragePerChannelMinMaxObserver = (options: MovingAverageOptions = {}): ObserverFactory =>
  movingAverageFactory('moving-average-per-channel-min-max', 'axis', options);

function movingAverageFactory(
  name: string,
  kind: 'tensor' | 'axis',
  { eps, averagingConstant = 0.01 }: MovingAverageOptions,
): ObserverFactory {
  checkEps(name, eps);
  if (!(averagingConstant > 0 && averagingConstant <= 1))
    throw new QfuseError('quantizer/observer', `averagingConstant is ${averagingConstant}, expected a number above 0 and at most 1`);
  return {
    name,
    eps,
    create: (grid) => {
      checkObserver(name, grid, kind);
      return new MovingAverage(name, grid, eps, Math.fround(averagingConstant));
    },
  };
}

class MovingAverage implements Observer {
  readonly #name: string;
  readonly #grid: Grid;
  readonly #eps: number | undefined;
  readonly #constant: number;
  readonly #batches: Extremes[] = [];
  #average: Extremes | undefined;

  constructor(name: string, grid: Grid, eps: number | undefined, constant: number) {
    this.#name = name;
    this.#grid = grid;
    this.#eps = eps;
    this.#constant = constant;
  }

  observe(tensor: HostTensor): void {
    if (tensor.data.length > 0) this.#add(extremesOf(tensor, this.#grid.granularity));
  }

  qparams(): QParams {
    if (this.#average === undefined) throw unobserved(this.#name);
    return qparamsOf(this.#average.min, this.#average.max, this.#grid, this.#eps);
  }

  save(): ObserverState {
    return { observer: this.#name, batches: this.#batches.map((b) => ({ observer: this.#name, ...saveExtremes(b) })) };
  }

  merge(other: ObserverState): void {
    const read = new StateReader(this.#name, other).states('batches').map((b) => new StateReader(this.#name, b).extremes());
    for (const extremes of read) {
      if (extremes === undefined) throw badState(this.#name, 'a batch has no extremes');
      this.#add(extremes);
    }
  }

  #add(extremes: Extremes): void {
    this.#average = this.#average === undefined ? extremes : averaged(this.#average, extremes, this.#constant);
    this.#batches.push(extremes);
  }
}

function averaged(average: Extremes, now: Extremes, constant: number): Extremes {
  checkShape(average.min.shape, now.min.shape);
  const { fround } = Math;
  const step = (old: HostTensor, x: HostTensor): HostTensor => {
    const out = hostTensor('f32', old.shape);
    for (let i = 0; i < out.data.length; i++) {
      const a = old.data[i] as number;
      out.data[i] = a + fround(constant * fround((x.data[i] as number) - a));
    }
    return out;
  };
  return { min: step(average.min, now.min), max: step(average.max, now.max) };
}
