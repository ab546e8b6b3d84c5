import { Interner } from './intern.js';

/**
 * Where a node comes from: a node of the source file, or the rule or pass that made it and the origins it was
 * made from. Interned.
 */
export type Origin =
  | { readonly kind: 'source'; readonly name: string; readonly scope: string }
  | { readonly kind: 'made'; readonly by: string; readonly from: readonly Origin[] };

/** Sources that an origin names at most; the last ones are kept. More would help nobody, and merging a long chain would cost its square. */
const MAX_SOURCES = 64;

/** Sources that a message names. */
const SHOWN = 4;

/** Up to this many origins a list of them is looked through one by one. */
const SCANNED = 16;

let count = 0;

/**
 * Every origin that was made is held by its last source, usually the node that a rule took for its root: a table
 * of all of them would cost more than the rewrites whose origins they are.
 */
class Sourced {
  readonly #id = ++count;
  #made: MadeOrigin | MadeOrigin[] | Map<string, MadeOrigin> | undefined;

  static make(by: string, from: readonly Origin[]): MadeOrigin {
    const last = from.at(-1) as unknown as Sourced;
    const known = last.#made;
    if (known instanceof Map) return keyed(known, by, from);
    if (known instanceof MadeOrigin && known.is(by, from)) return known;
    if (Array.isArray(known)) for (const m of known) if (m.is(by, from)) return m;
    const made = new MadeOrigin(by, from);
    if (known === undefined) last.#made = made;
    else if (known instanceof MadeOrigin) last.#made = [known, made];
    else if (known.push(made) > SCANNED) last.#made = new Map(known.map((m) => [Sourced.key(m.by, m.from), m]));
    return made;
  }

  static key(by: string, from: readonly Origin[]): string {
    return `${from.map((o) => (o as unknown as Sourced).#id).join()} ${by}`;
  }
}

function keyed(table: Map<string, MadeOrigin>, by: string, from: readonly Origin[]): MadeOrigin {
  const key = Sourced.key(by, from);
  let made = table.get(key);
  if (made === undefined) table.set(key, (made = new MadeOrigin(by, from)));
  return made;
}

class SourceOrigin extends Sourced {
  readonly kind = 'source';
  readonly name: string;
  readonly scope: string;

  constructor(name: string, scope: string) {
    super();
    this.name = name;
    this.scope = scope;
    Object.freeze(this);
  }
}

class MadeOrigin extends Sourced {
  readonly kind = 'made';
  readonly by: string;
  readonly from: readonly Origin[];

  constructor(by: string, from: readonly Origin[]) {
    super();
    this.by = by;
    this.from = Object.freeze(from);
    Object.freeze(this);
  }

  is(by: string, from: readonly Origin[]): boolean {
    if (this.by !== by || this.from.length !== from.length) return false;
    for (let i = 0; i < from.length; i++) if (this.from[i] !== from[i]) return false;
    return true;
  }
}

const sources = new Interner<Origin>();
const unsourced = new Interner<Origin>();

/** The origin "node `name` of the source file"; `scope` is its module path, e.g. `encoder.layer.0`. */
export const sourceOrigin = (name: string, scope = ''): Origin =>
  sources.get(`${name.length} ${name}${scope}`, () => new SourceOrigin(name, scope));

/**
 * The origin "made by rule or pass `by` from `from`"; duplicates are dropped. What was itself made by something
 * is replaced by its sources, so that origins do not grow with the number of rewrites.
 */
export function madeOrigin(by: string, from: Iterable<Origin>): Origin {
  const given: readonly Origin[] = Array.isArray(from) ? from : [...from];
  let all: Origin[] = [];
  for (let i = 0; i < given.length; i++) {
    const o = given[i]!;
    const sources = o.kind === 'source' || o.from.length === 0 ? undefined : o.from;
    for (let k = 0; k < (sources?.length ?? 1); k++) {
      const source = sources?.[k] ?? o;
      // A rewrite has few origins; a set pays off for many.
      if (all.length > SCANNED || !all.includes(source)) all.push(source);
    }
  }
  if (all.length === 0) return unsourced.get(by, () => new MadeOrigin(by, []));
  if (all.length > SCANNED) all = [...new Set(all)].slice(-MAX_SOURCES);
  return Sourced.make(by, all);
}

/** The source nodes an origin goes back to. */
export const sourcesOf = (o: Origin): readonly Origin[] => (o.kind === 'source' || o.from.length === 0 ? [o] : o.from);

/** A phrase for messages: `"linear_3" (encoder.layer.0)` or `made by fuse-x from "linear_3", "relu_3"`. */
export function describeOrigin(o: Origin): string {
  if (o.kind === 'source') return o.scope === '' ? `"${o.name}"` : `"${o.name}" (${o.scope})`;
  if (o.from.length === 0) return `made by ${o.by}`;
  const more = o.from.length > SHOWN ? ` and ${o.from.length - SHOWN} more` : '';
  return `made by ${o.by} from ${o.from.slice(0, SHOWN).map(describeOrigin).join(', ')}${more}`;
}
