import { Interner } from './intern.js';

/**
 * Where a node comes from: a node of the source file, or the rule or pass that made it and the origins it was
 * made from. Interned.
 */
export type Origin =
  | { readonly kind: 'source'; readonly name: string; readonly scope: string }
  | { readonly kind: 'made'; readonly by: string; readonly from: readonly Origin[] };

const interner = new Interner<Origin>();

const keyOf = (o: Origin): string =>
  o.kind === 'source' ? `s ${JSON.stringify(o.name)} ${JSON.stringify(o.scope)}` : `m ${JSON.stringify(o.by)} [${o.from.map(keyOf).join(' ')}]`;

/** The origin "node `name` of the source file"; `scope` is its module path, e.g. `encoder.layer.0`. */
export function sourceOrigin(name: string, scope = ''): Origin {
  const origin = { kind: 'source', name, scope } as const;
  return interner.get(keyOf(origin), () => Object.freeze(origin));
}

/**
 * The origin "made by rule or pass `by` from `from`"; duplicates are dropped. What was itself made by something
 * is replaced by its sources, so that origins do not grow with the number of rewrites.
 */
export function madeOrigin(by: string, from: Iterable<Origin>): Origin {
  const sources = new Set<Origin>();
  for (const o of from) for (const s of sourcesOf(o)) sources.add(s);
  const origin = { kind: 'made', by, from: Object.freeze([...sources]) } as const;
  return interner.get(keyOf(origin), () => Object.freeze(origin));
}

/** The source nodes an origin goes back to. */
export const sourcesOf = (o: Origin): readonly Origin[] => (o.kind === 'source' || o.from.length === 0 ? [o] : o.from);

/** A phrase for messages: `"linear_3" (encoder.layer.0)` or `made by fuse-x from "linear_3", "relu_3"`. */
export function describeOrigin(o: Origin): string {
  if (o.kind === 'source') return o.scope === '' ? `"${o.name}"` : `"${o.name}" (${o.scope})`;
  return o.from.length === 0 ? `made by ${o.by}` : `made by ${o.by} from ${o.from.map(describeOrigin).join(', ')}`;
}
