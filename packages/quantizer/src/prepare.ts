import { describeOrigin, Editor, type Graph, isFloat, isStatic, QfuseError, sourcesOf, typeText, type Value } from '@qfuse/plugin';
import { Annotations } from './annotation.js';
import { copyGraph } from './copier.js';
import { gridOf, granularityOf, type RootSpec } from './grid.js';
import type { Observer, ObserverState } from './observer.js';
import { blaming, type Quantizer } from './quantizer.js';
import { describePlace, sharingGroups } from './sharing.js';
import { type EdgeOrOutput, placeKey, valueAt } from './spec.js';

/** Places that are quantized with one scale and zero point. */
export interface ObserverGroup {
  /** Says which; the same in every process that prepares the same program in the same way. */
  readonly name: string;
  readonly spec: RootSpec;
  readonly places: readonly EdgeOrOutput[];
  /** The distinct values at the places, constants first, then in the order of a run. */
  readonly values: readonly Value[];
  /** What has seen calibration data; undefined where scales follow from constants, or are not observed. */
  readonly observer: Observer | undefined;
}

/** What calibration has seen, as JSON. */
export interface CalibrationState {
  readonly version: 1;
  readonly batches: number;
  readonly observers: Readonly<Record<string, ObserverState>>;
}

/** A program with observers: what `calibrate` feeds and `convert` reads. Made by {@link prepare}. */
export class PreparedModel {
  /** The annotated float program. */
  readonly graph: Graph;
  /** The float program with the values of {@link watched} as further outputs, behind its own: what a calibration run runs. */
  readonly observedGraph: Graph;
  /** The values that a calibration run has to show. */
  readonly watched: readonly Value[];
  readonly annotations: Annotations;
  readonly groups: readonly ObserverGroup[];
  /** Batches that the observers have seen. */
  batches = 0;
  readonly #groupOf = new Map<string, ObserverGroup>();

  /** @internal */
  constructor(annotations: Annotations, groups: readonly ObserverGroup[]) {
    const { graph } = annotations;
    this.graph = graph;
    this.annotations = annotations;
    this.groups = groups;
    for (const group of groups) for (const place of group.places) this.#groupOf.set(placeKey(place), group);
    const seen = new Set(groups.flatMap((g) => (g.observer === undefined ? [] : g.values)));
    this.watched = [...seen].filter((v) => v.producer !== undefined);
    this.observedGraph = copyGraph(graph, this.watched);
  }

  /** Whether {@link convert} needs calibration data first. */
  get needsCalibration(): boolean {
    return this.groups.some((g) => g.observer !== undefined);
  }

  /** The group of a place, when it is quantized. */
  groupAt(place: EdgeOrOutput): ObserverGroup | undefined {
    return this.#groupOf.get(placeKey(place));
  }

  /** What was seen so far, so that calibration can be split over processes. */
  save(): CalibrationState {
    const observers = Object.fromEntries(this.groups.flatMap((g) => (g.observer === undefined ? [] : [[g.name, g.observer.save()]])));
    return { version: 1, batches: this.batches, observers };
  }

  /**
   * Takes what another process saw of the same prepared program into account, as if it came after what this one saw.
   * @throws QfuseError `quantizer/state` when the state is of another program, quantizer or version
   */
  merge(state: CalibrationState): void {
    const { version, batches, observers } = (state ?? {}) as Partial<CalibrationState>;
    if (version !== 1) throw badState(`its version is ${String(version)}, expected 1`);
    if (!Number.isSafeInteger(batches) || batches! < 0) throw badState(`it has ${String(batches)} batches`);
    if (typeof observers !== 'object' || observers === null) throw badState('it has no observers');
    const observed = this.groups.filter((g) => g.observer !== undefined);
    const missing = observed.find((g) => !Object.hasOwn(observers, g.name));
    if (missing !== undefined) throw badState(`it has nothing of ${missing.name}`);
    const known = new Set(observed.map((g) => g.name));
    const extra = Object.keys(observers).find((name) => !known.has(name));
    if (extra !== undefined) throw badState(`it has "${extra}", which this program does not observe`);
    for (const g of observed) g.observer!.merge(observers[g.name]!);
    this.batches += batches!;
  }
}

const badState = (why: string): QfuseError =>
  new QfuseError('quantizer/state', `this is not the calibration state of the prepared program: ${why}`, {
    help: 'prepare the same program with the same quantizer and options in every process',
  });

/**
 * Annotates a float program and places observers. torch: `prepare_pt2e`.
 *
 * Quantizers look at `aten.linear` with constant weights: bring the program to canonical form first, so that every product with a weight
 * is one. The graph stays as it is; what is annotated is a copy.
 * @throws QfuseError `quantizer/annotation`, `quantizer/sharing`, `quantizer/spec`, `quantizer/range` or `quantizer/observer` when what the quantizer
 * says cannot hold; Error naming the quantizer when it fails otherwise
 */
export function prepare(graph: Graph, quantizer: Quantizer): PreparedModel {
  const copy = copyGraph(graph);
  const annotations = new Annotations(copy);
  blaming(`quantizer ${quantizer.name}`, () => {
    quantizer.transformForAnnotation?.(new Editor(copy));
    quantizer.annotate(annotations);
    quantizer.validate?.(annotations);
  });
  const order = runOrder(copy);
  const groups = sharingGroups(annotations).map(({ spec, places }, i): ObserverGroup => {
    const values = [...new Set(places.map((p) => valueAt(p)!))].toSorted((a, b) => order(a) - order(b));
    const name = `${i} ${nameOf(places[0]!)}: ${typeText(valueAt(places[0]!)!.type)}`;
    for (const place of places) atPlace(place, () => checkShape(spec, valueAt(place)!));
    return { name, spec, places, values, observer: atPlace(places[0]!, () => observerFor(spec, values)) };
  });
  return new PreparedModel(annotations, groups);
}

function observerFor(spec: RootSpec, values: readonly Value[]): Observer | undefined {
  const grid = gridOf(spec);
  if (spec.kind !== 'own') return undefined;
  if (spec.isDynamic === true) {
    if (grid.granularity.kind !== 'tensor' && grid.granularity.kind !== 'row')
      throw new QfuseError('quantizer/spec', `a dynamic spec has granularity "${grid.granularity.kind}", expected "tensor" or "row"`);
    return undefined;
  }
  if (spec.observer === undefined)
    throw new QfuseError('quantizer/spec', 'a static spec has no observer', { help: 'give it one, or set isDynamic' });
  const observer = spec.observer.create(grid);
  return values.every((v) => v.constant !== undefined) ? undefined : observer;
}

/** Refuses a value that cannot have scales of this granularity, as far as its shape is known. */
function checkShape(spec: RootSpec, { type: { dtype, shape } }: Value): void {
  if (!isFloat(dtype)) throw new QfuseError('quantizer/annotation', `it has elements of ${dtype}, expected floats`);
  const granularity = granularityOf(spec);
  if (granularity.kind !== 'group' || !isStatic(shape)) return;
  const length = shape.at(granularity.axis) as number | undefined;
  if (length !== undefined && length % granularity.size !== 0)
    throw new QfuseError(
      'quantizer/group',
      `groups of ${granularity.size} do not divide axis ${granularity.axis} of shape [${shape.join(', ')}]`,
      {
        help: 'take another group size for it, or leave it out',
      },
    );
}

/** Runs `body`; its errors say at which place. */
export function atPlace<T>(place: EdgeOrOutput, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    if (!(cause instanceof QfuseError)) throw cause;
    throw new QfuseError(cause.code, `${describePlace(place)}: ${cause.message}`, { cause, help: cause.help });
  }
}

/** Constants, inputs and results in the order in which a run knows them. */
function runOrder(graph: Graph): (value: Value) => number {
  const order = graph.order();
  const given = new Map([...graph.constants.map((c) => c.value), ...graph.inputs].map((v, i) => [v, i] as const));
  return (v) => {
    const { producer } = v;
    return producer === undefined ? given.get(v)! - given.size : order[producer.id]!;
  };
}

function nameOf(place: EdgeOrOutput): string {
  const value = valueAt(place)!;
  const own = value.name;
  if (own !== undefined) return own;
  const { origin } = value.producer!;
  const last = sourcesOf(origin).at(-1)!;
  return last.kind === 'source' ? last.name : describeOrigin(origin);
}
