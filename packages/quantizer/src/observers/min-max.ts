import type { HostTensor } from '@qfuse/plugin';
import type { Grid, Observer, ObserverFactory, ObserverState, QParams } from '../observer.js';
import { type Extremes, extremesOf, union } from './extremes.js';
import { qparamsOf } from './qparams.js';
import { checkEps, checkObserver, unobserved } from './refuse.js';
import { saveExtremes, StateReader } from './state.js';

/** Options of observers that have none but the smallest scale. */
export interface EpsOptions {
  /** The smallest scale. Default 2^-23; XNNPACK's is 2^-12. */
  readonly eps?: number | undefined;
}

/**
 * The smallest and largest element of all tensors, one scale for the tensor; `qparamsOf` states the formula.
 * Any dtype; elements are cast to f32 first. torch: `MinMaxObserver`.
 * @throws QfuseError `quantizer/observer` when eps is not positive
 */
export const minMaxObserver = (options: EpsOptions = {}): ObserverFactory => minMaxFactory('min-max', 'tensor', options);

/**
 * The smallest and largest element of each index of an axis, one scale for each; `qparamsOf` states the formula.
 * Any dtype; elements are cast to f32 first. torch: `PerChannelMinMaxObserver`, which takes no tensors of rank 1; this does.
 * @throws QfuseError `quantizer/observer` when eps is not positive
 */
export const perChannelMinMaxObserver = (options: EpsOptions = {}): ObserverFactory =>
  minMaxFactory('per-channel-min-max', 'axis', options);

function minMaxFactory(name: string, kind: 'tensor' | 'axis', { eps }: EpsOptions): ObserverFactory {
  checkEps(name, eps);
  return {
    name,
    eps,
    create: (grid) => {
      checkObserver(name, grid, kind);
      return new MinMax(name, grid, eps);
    },
  };
}

/** Merging is exact and does not depend on the order. */
class MinMax implements Observer {
  readonly #name: string;
  readonly #grid: Grid;
  readonly #eps: number | undefined;
  #seen: Extremes | undefined;

  constructor(name: string, grid: Grid, eps: number | undefined) {
    this.#name = name;
    this.#grid = grid;
    this.#eps = eps;
  }

  observe(tensor: HostTensor): void {
    if (tensor.data.length > 0) this.#add(extremesOf(tensor, this.#grid.granularity));
  }

  qparams(): QParams {
    if (this.#seen === undefined) throw unobserved(this.#name);
    return qparamsOf(this.#seen.min, this.#seen.max, this.#grid, this.#eps);
  }

  save(): ObserverState {
    return { observer: this.#name, ...saveExtremes(this.#seen) };
  }

  merge(other: ObserverState): void {
    const extremes = new StateReader(this.#name, other).extremes();
    if (extremes !== undefined) this.#add(extremes);
  }

  #add(extremes: Extremes): void {
    this.#seen = this.#seen === undefined ? extremes : union(this.#seen, extremes);
  }
}
