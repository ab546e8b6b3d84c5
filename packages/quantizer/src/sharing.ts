import { describeOrigin, graphReturn, type Node, QfuseError, type Value } from '@qfuse/plugin';
import type { Annotations } from './annotation.js';
import { sameSpec } from './grid.js';
import { type AnySpec, type EdgeOrOutput, edge, output, placeKey, type SharedQuantizationSpec, valueAt } from './spec.js';

/** Places that are quantized with the same scale and zero point. */
export interface SharingGroup {
  readonly spec: Exclude<AnySpec, SharedQuantizationSpec>;
  /** In the order of the graph; of a node the inputs before the output. */
  readonly places: readonly EdgeOrOutput[];
}

interface Entry {
  readonly place: EdgeOrOutput;
  readonly spec: AnySpec;
  /** Whether an edge may share with other places of the same value. */
  readonly implicit: boolean;
}

/**
 * The groups of annotated places that share an observer, in the order of their first places. Two places share when one says so (`shared`),
 * or when they are the same value and have the same grid: its readers with each other and with its producer. Sharing is transitive.
 * The steps and their order are those of torch's `_get_edge_or_node_to_group_id`.
 * @throws QfuseError `quantizer/sharing` when a spec shares with a place that is not annotated, or only with itself
 */
export function sharingGroups(annotations: Annotations): readonly SharingGroup[] {
  const entries = annotatedPlaces(annotations);
  const sets = new DisjointSets(entries);
  const order = annotations.graph.order();
  const joined = new Map<Value, string[]>();
  for (const [key, { place, spec, implicit }] of entries) {
    if (place.kind === 'edge' && implicit) {
      const value = valueAt(place)!;
      const root = sets.rootSpec(key);
      const before = joined.get(value) ?? [];
      // Who shares with a reader that was joined with all others has nobody left to share with.
      if (!before.some((other) => sets.find(other) === sets.find(key) && sameSpec(sets.rootSpec(other), root))) {
        // First the other readers, then the producer: the other way round sharing could go in a circle.
        for (const other of [...otherReaders(place, order), output(value)]) {
          const known = placeKey(other);
          if (entries.has(known) && sameSpec(sets.rootSpec(known), root)) sets.union(known, key);
        }
        joined.set(value, [...before, key]);
      }
    }
    if (spec.kind === 'shared') sets.union(sets.annotated(spec.with, key), key);
  }
  const groups = new Map<string, { spec: SharingGroup['spec']; places: EdgeOrOutput[] }>();
  for (const [key, { place }] of entries) {
    const root = sets.find(key);
    const group = groups.get(root);
    if (group === undefined) groups.set(root, { spec: sets.rootSpec(key), places: [place] });
    else group.places.push(place);
  }
  return [...groups.values()];
}

function annotatedPlaces(annotations: Annotations): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  const add = (place: EdgeOrOutput, spec: AnySpec, implicit: boolean): void => void entries.set(placeKey(place), { place, spec, implicit });
  for (const [value, spec] of annotations.values) add(output(value), spec, true);
  for (const [node, { inputs, output: spec, allowImplicitSharing }] of annotations.nodes()) {
    for (const [slot, of] of inputs) add(edge(node, slot), of, allowImplicitSharing);
    if (spec !== undefined) add(output(node), spec, allowImplicitSharing);
  }
  return entries;
}

/** The other operand slots that hold the value of an edge, in the order of the graph. */
function otherReaders({ node, slot }: { readonly node: Node; readonly slot: number }, order: Int32Array): readonly EdgeOrOutput[] {
  const value: Value = node.operands[slot]!;
  return value
    .uses()
    .flatMap(({ reader, index }) => (reader === graphReturn || (reader === node && index === slot) ? [] : [edge(reader as Node, index)]))
    .toSorted((a, b) => order[a.node.id]! - order[b.node.id]! || a.slot - b.slot);
}

class DisjointSets {
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #parents = new Map<string, string>();

  constructor(entries: ReadonlyMap<string, Entry>) {
    this.#entries = entries;
    for (const key of entries.keys()) this.#parents.set(key, key);
  }

  find(key: string): string {
    let root = key;
    while (this.#parents.get(root) !== root) root = this.#parents.get(root)!;
    for (let k = key; k !== root;) {
      const next = this.#parents.get(k)!;
      this.#parents.set(k, root);
      k = next;
    }
    return root;
  }

  /** Puts the set of `child` under that of `parent`, or the other way round where the parent shares with the child already. */
  union(parent: string, child: string): void {
    const [a, b] = [this.find(parent), this.find(child)];
    const { spec } = this.#entries.get(a)!;
    if (spec.kind === 'shared' && placeKey(spec.with) === b) this.#parents.set(a, b);
    else this.#parents.set(b, a);
  }

  /** The key of a place that another one shares with. */
  annotated(place: EdgeOrOutput, by: string): string {
    const key = placeKey(place);
    if (this.#entries.has(key)) return key;
    throw refuse(`${describePlace(this.#entries.get(by)!.place)} shares with ${describePlace(place)}, which is not annotated`);
  }

  /** The spec behind the `shared` ones of a place. */
  rootSpec(key: string): SharingGroup['spec'] {
    const seen = new Set<string>();
    for (let at = key; !seen.has(at);) {
      const { spec } = this.#entries.get(at)!;
      if (spec.kind !== 'shared') return spec;
      seen.add(at);
      at = this.find(this.annotated(spec.with, at));
    }
    // The places of a set may share in a circle; one of them has a spec of its own, or none does.
    for (const [other, { spec }] of this.#entries) if (spec.kind !== 'shared' && this.find(other) === this.find(key)) return spec;
    throw refuse(`${describePlace(this.#entries.get(key)!.place)} shares with places that only share with each other`);
  }
}

const refuse = (why: string): QfuseError =>
  new QfuseError('quantizer/sharing', why, { help: 'one of the places that share needs a spec of its own' });

/** A phrase such as `operand "weight" of aten.linear at "linear_3" (fc)` for messages. */
export function describePlace(place: EdgeOrOutput): string {
  if (place.kind === 'output') return describeValue(place.value);
  const { op, origin } = place.node;
  const at = op.variadic < 0 ? `"${op.operandNames[place.slot] ?? place.slot}"` : String(place.slot);
  return `operand ${at} of ${op.name} at ${describeOrigin(origin)}`;
}

/** A phrase such as `the result of aten.relu at "relu_1"` or `"x"` for messages. */
export function describeValue(value: Value): string {
  const { producer } = value;
  return producer === undefined ? `"${value.name}"` : `the result of ${producer.op.name} at ${describeOrigin(producer.origin)}`;
}
