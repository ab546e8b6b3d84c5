import { Constant, countOf, dimSymbols, evaluateDim, type Graph, type Mutation, numel, type TensorType, type Value } from '@qfuse/plugin';
import type { Binding, Dispatch, Scratch, Sizes } from './kernel.js';
import type { LoweredGraph, LoweredNode } from './lower.js';
import { deviceConstant, storageBytes } from './storage.js';

/** Where the bytes of a storage come from and how long they live. */
type StorageKind = 'input' | 'constant' | 'state' | 'activation';

/** A range of device memory that values share. */
export interface Storage {
  readonly index: number;
  readonly kind: StorageKind;
  /** For messages: the value's or constant's name. */
  readonly name: string;
  /** For `constant` and `state`: the bytes at the start, in device layout. */
  readonly constant: Constant | undefined;
  /** Bytes for the sizes of a run. */
  readonly bytes: (sizes: Sizes) => number;
}

/** A dispatch with the storages of its bindings. */
export interface Step {
  readonly lowered: LoweredNode;
  readonly dispatch: Dispatch;
  readonly storages: readonly Storage[];
}

/** A lowered graph as a list of dispatches over storages. */
export interface Schedule {
  readonly lowered: LoweredGraph;
  readonly graph: Graph;
  readonly steps: readonly Step[];
  readonly storages: readonly Storage[];
  readonly inputs: readonly Storage[];
  readonly outputs: readonly Storage[];
  /** At the end of a run `target` takes the bytes of `value`; a target that is a graph input is read back instead. */
  readonly mutations: readonly { readonly mutation: Mutation; readonly value: Storage; readonly target: Storage }[];
  /** For each storage: the first step that writes and the last that uses it; outputs live to the end. */
  readonly lifetimes: readonly { first: number; last: number }[];
}

/** The smallest binding: kernels may bind arrays of `vec4`. */
const SMALLEST = 16;

/** Lays out the dispatches of a lowered graph in order and finds what memory each touches. */
export function schedule(lowered: LoweredGraph): Schedule {
  const { graph } = lowered;
  const storages: Storage[] = [];
  const ofValue = new Map<Value, Storage>();
  const ofConstant = new Map<Constant, Storage>();
  const add = (kind: StorageKind, name: string, bytes: Storage['bytes'], constant?: Constant): Storage => {
    const storage = {
      index: storages.length,
      kind,
      name,
      constant,
      bytes: (sizes: Sizes) => Math.max(SMALLEST, Math.ceil(bytes(sizes) / SMALLEST) * SMALLEST),
    };
    storages.push(storage);
    return storage;
  };
  const addConstant = (constant: Constant, name: string): Storage => {
    let known = ofConstant.get(constant);
    if (known === undefined) ofConstant.set(constant, (known = add('constant', name, () => constantBytes(constant), constant)));
    return known;
  };
  const storageOf = (value: Value): Storage => {
    const known = ofValue.get(value);
    if (known !== undefined) return known;
    const { dtype } = value.type;
    const entry = graph.graphConstant(value);
    let made: Storage;
    if (entry === undefined)
      made = add(value.producer === undefined ? 'input' : 'activation', value.name ?? describe(value), (sizes) =>
        storageBytes(dtype, sizes.count(value)),
      );
    else if (value.constant === undefined)
      made = add('state', entry.name, () => storageBytes(dtype, numel(value.type) as number), deviceConstant(entry.constant));
    else made = addConstant(deviceConstant(entry.constant), entry.name);
    ofValue.set(value, made);
    return made;
  };

  const inputs = graph.inputs.map(storageOf);
  const steps: Step[] = [];
  for (const node of lowered.nodes) {
    if (node.alias !== undefined) for (const r of node.node.results) ofValue.set(r, storageOf(node.alias));
    const scratch = new Map<Scratch, Storage>();
    const bound = (from: Binding['from']): Storage => {
      if (from instanceof Constant) return addConstant(from, from.source);
      if (!('scratch' in from)) return storageOf(from);
      const made = scratch.get(from) ?? add('activation', from.scratch, from.bytes);
      scratch.set(from, made);
      return made;
    };
    for (const dispatch of node.dispatches) steps.push({ lowered: node, dispatch, storages: dispatch.bindings.map((b) => bound(b.from)) });
  }
  const outputs = graph.outputs.map(storageOf);
  const mutations = graph.mutations.map((mutation) => ({ mutation, value: storageOf(mutation.value), target: storageOf(mutation.target) }));
  return {
    lowered,
    graph,
    steps,
    storages,
    inputs,
    outputs,
    mutations,
    lifetimes: lifetimesOf(storages, steps, [...outputs, ...mutations.map((m) => m.value)]),
  };
}

function lifetimesOf(storages: readonly Storage[], steps: readonly Step[], kept: readonly Storage[]): { first: number; last: number }[] {
  const lifetimes = storages.map(() => ({ first: Number.POSITIVE_INFINITY, last: -1 }));
  steps.forEach((step, i) => {
    for (const { index } of step.storages) {
      const life = lifetimes[index]!;
      life.first = Math.min(life.first, i);
      life.last = Math.max(life.last, i);
    }
  });
  for (const { index } of kept) lifetimes[index]!.last = Number.POSITIVE_INFINITY;
  return lifetimes;
}

const describe = (value: Value): string => value.producer?.op.name ?? 'value';

/** Bytes of a constant in device layout: whole words of four bytes. */
export const constantBytes = ({ type }: { readonly type: TensorType }): number =>
  storageBytes(type.dtype, countOf(type.shape as readonly number[]));

/** Sizes for given values of the symbols; shapes are computed once per value. */
export function sizesFor(bindings: ReadonlyMap<string, number>): Sizes {
  const shapes = new Map<TensorType, readonly number[]>();
  const shape = (value: Value): readonly number[] => {
    let known = shapes.get(value.type);
    if (known === undefined) shapes.set(value.type, (known = value.type.shape.map((d) => evaluateDim(d, bindings))));
    return known;
  };
  return { dim: (d) => evaluateDim(d, bindings), shape, count: (value) => countOf(shape(value)) };
}

/** The symbols that the shapes of the inputs bind, and those that are declared. */
export function symbolsOf(graph: Graph): Set<string> {
  const names = new Set(graph.env.symbols());
  for (const v of graph.inputs) for (const d of v.type.shape) dimSymbols(d, names);
  return names;
}
