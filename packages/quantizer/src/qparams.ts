import { QfuseError, tensorFrom, tensorOf } from '@qfuse/plugin';
import { observe } from './calibrate.js';
import { gridOf } from './grid.js';
import type { Observer, QParams } from './observer.js';
import { affineMinMaxObserver } from './observers/index.js';
import { atPlace, type ObserverGroup, type PreparedModel } from './prepare.js';
import { describePlace } from './sharing.js';
import type { QuantizationSpec } from './spec.js';

/** Places that a message names. */
const SHOWN = 8;

/**
 * Scales and zero points of the groups of a prepared model, each found once.
 * @throws QfuseError `quantizer/not-calibrated` naming places, when data are needed and none were seen
 */
export class GroupParameters {
  readonly #prepared: PreparedModel;
  readonly #known = new Map<ObserverGroup, QParams>();

  constructor(prepared: PreparedModel) {
    this.#prepared = prepared;
    if (prepared.batches > 0) return;
    const waiting = prepared.groups.filter((g) => g.observer !== undefined).map((g) => describePlace(g.places[0]!));
    if (waiting.length === 0) return;
    const more = waiting.length > SHOWN ? ` and ${waiting.length - SHOWN} more` : '';
    throw new QfuseError(
      'quantizer/not-calibrated',
      `nothing was calibrated, but scales of ${waiting.slice(0, SHOWN).join(', ')}${more} follow from data`,
      { help: 'run calibrate with a few typical inputs first, or quantize weights only' },
    );
  }

  /**
   * The parameters of a group; undefined where they are computed at run time.
   * @throws QfuseError what the observer throws, naming the place, e.g. `quantizer/unobserved`; `quantizer/spec` for parameters that are derived
   * from themselves or from what is not quantized
   */
  of(group: ObserverGroup): QParams | undefined {
    return this.#find(group, []);
  }

  #find(group: ObserverGroup, deriving: readonly ObserverGroup[]): QParams | undefined {
    let found = this.#known.get(group);
    if (found === undefined) {
      found = atPlace(group.places[0]!, () => this.#compute(group, deriving));
      if (found !== undefined) this.#known.set(group, found);
    }
    return found;
  }

  #compute(group: ObserverGroup, deriving: readonly ObserverGroup[]): QParams | undefined {
    const { spec, observer } = group;
    if (spec.kind === 'fixed') return { scale: tensorOf('f32', [], [spec.scale]), zeroPoint: tensorOf('i32', [], [spec.zeroPoint]) };
    if (spec.kind === 'derived') return spec.derive(spec.from.map((place) => this.#source(this.#prepared.groupAt(place), group, deriving)));
    return observer === undefined ? this.#ofConstants(group, spec) : observer.qparams();
  }

  #source(from: ObserverGroup | undefined, group: ObserverGroup, deriving: readonly ObserverGroup[]): QParams {
    const found = from === undefined || from === group || deriving.includes(from) ? undefined : this.#find(from, [...deriving, group]);
    if (found !== undefined) return found;
    throw new QfuseError(
      'quantizer/spec',
      from === undefined
        ? 'its parameters are derived from a place that is not quantized'
        : `its parameters are derived from those of ${describePlace(from.places[0]!)}, which are not known before a run`,
    );
  }

  /**
   * An observer sees a constant once a batch, as in torch, where each run of the prepared model shows it: an average or a histogram may depend
   * on how often. It is not shown again once that changes nothing.
   */
  #ofConstants(group: ObserverGroup, spec: QuantizationSpec): QParams | undefined {
    const { values } = group;
    if (!values.every((v) => v.constant !== undefined)) return undefined;
    const observer = (spec.isDynamic === true ? affineMinMaxObserver({ eps: spec.observer?.eps }) : spec.observer!).create(gridOf(spec));
    const tensors = values.map((v) => [v, tensorFrom(v.constant!)] as const);
    const show = (): void => tensors.forEach(([v, tensor]) => observe(observer, v, tensor));
    show();
    for (let seen = 1, before = stateOf(observer); seen < this.#prepared.batches; seen++) {
      show();
      const after = stateOf(observer);
      if (after === before) break;
      before = after;
    }
    return observer.qparams();
  }
}

const stateOf = (observer: Observer): string => JSON.stringify(observer.save());
