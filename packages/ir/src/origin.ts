import { Interner } from './intern.js';
import { NameTable, type Page } from './name-table.js';

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

/**
 * What origins have in common. Every origin that was made is held by its last root, usually the source of the node
 * that a rule took for its root: a table of all of them would cost more than the rewrites whose origins they are.
 */
class Linked {
  /** Of a root: the origin that was made from it last, or a table of all. Of one that was made: the one before it. */
  #link: MadeOrigin | Map<string, MadeOrigin> | undefined;

  /** @param roots - the root, or several; frozen when they are kept */
  static make(by: string, roots: Origin | readonly Origin[]): MadeOrigin {
    const several = isList(roots);
    const root = (several ? roots.at(-1) : roots) as unknown as Linked;
    const last = root.#link;
    if (last instanceof Map) return tabled(last, by, several ? roots : [roots]);
    let list: readonly Origin[] | undefined;
    let count = 0;
    for (let m = last; m !== undefined; m = m.#link as MadeOrigin | undefined, count++) {
      if (several ? !sameOrigins(m.from, roots) : m.from.length > 1) continue;
      if (m.by === by) return m;
      // What several rules make from the same roots has one list of them.
      list = m.from;
    }
    const made = new MadeOrigin(by, list ?? Object.freeze(several ? roots : [roots]));
    made.#link = last;
    root.#link = count < SCANNED ? made : Linked.#table(made);
    return made;
  }

  static #table(last: MadeOrigin): Map<string, MadeOrigin> {
    const table = new Map<string, MadeOrigin>();
    for (let m: MadeOrigin | undefined = last; m !== undefined; m = m.#link as MadeOrigin | undefined) table.set(keyOf(m.by, m.from), m);
    return table;
  }
}

class SourceOrigin extends Linked {
  readonly #page: Page<SourceOrigin>;
  readonly kind = 'source';
  readonly name: string;
  readonly scope: string;

  constructor(name: string, scope: string, page: Page<SourceOrigin>) {
    super();
    this.#page = page;
    this.name = name;
    this.scope = scope;
    Object.freeze(this);
  }

  /** A number that no other source has while this one is there. */
  static numberOf(o: Origin): number {
    const source = o as unknown as SourceOrigin;
    return source.#page.first + source.#page.objects.indexOf(source);
  }
}

class MadeOrigin extends Linked {
  readonly kind = 'made';
  readonly by: string;
  readonly from: readonly Origin[];

  constructor(by: string, from: readonly Origin[]) {
    super();
    this.by = by;
    this.from = from;
    Object.freeze(this);
  }
}

/** Made by something that read no node: a root, as a source is. */
class UnsourcedOrigin extends Linked {
  readonly #number = --unsourcedCount;
  readonly kind = 'made';
  readonly by: string;
  readonly from: readonly Origin[] = Object.freeze([]);

  constructor(by: string) {
    super();
    this.by = by;
    Object.freeze(this);
  }

  static numberOf(o: Origin): number {
    return (o as unknown as UnsourcedOrigin).#number;
  }
}

/** A number that no other root has while this one is there. */
const numberOf = (o: Origin): number => (o.kind === 'source' ? SourceOrigin.numberOf(o) : UnsourcedOrigin.numberOf(o));

const isList = (o: Origin | readonly Origin[]): o is readonly Origin[] => Array.isArray(o);

function sameOrigins(a: readonly Origin[], b: readonly Origin[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

const keyOf = (by: string, from: readonly Origin[]): string => `${from.map(numberOf).join()} ${by}`;

function tabled(table: Map<string, MadeOrigin>, by: string, from: readonly Origin[]): MadeOrigin {
  const key = keyOf(by, from);
  let made = table.get(key);
  if (made === undefined) table.set(key, (made = new MadeOrigin(by, Object.freeze(from))));
  return made;
}

const sources = new NameTable<SourceOrigin>((name, scope, page) => new SourceOrigin(name, scope, page));
const unsourced = new Interner<UnsourcedOrigin>();
/** Numbers of unsourced origins are negative. */
let unsourcedCount = 0;

/** The origin "node `name` of the source file"; `scope` is its module path, e.g. `encoder.layer.0`. */
export const sourceOrigin = (name: string, scope = ''): Origin => sources.get(name, scope);

/**
 * The origin "made by rule or pass `by` from `from`"; duplicates are dropped. What was itself made by something
 * is replaced by its sources, so that origins do not grow with the number of rewrites.
 */
export function madeOrigin(by: string, from: Iterable<Origin>): Origin {
  const roots = rootsOf(Array.isArray(from) ? from : [...from]);
  return roots === undefined ? unsourced.get(by, () => new UnsourcedOrigin(by)) : Linked.make(by, roots);
}

/** The root of `origins`, or the last of them, in order, each once; undefined when there are none. */
function rootsOf(origins: readonly Origin[]): Origin | readonly Origin[] | undefined {
  let first: Origin | undefined;
  let all: Origin[] | undefined;
  for (let i = 0; i < origins.length; i++) {
    const o = origins[i]!;
    const roots = o.kind === 'source' || o.from.length === 0 ? undefined : o.from;
    for (let k = 0; k < (roots?.length ?? 1); k++) {
      const root = roots?.[k] ?? o;
      if (first === undefined) first = root;
      // Most nodes that a rule takes go back to one source; no list is made for that.
      else if (all === undefined) all = root === first ? undefined : [first, root];
      // A rewrite has few origins; a set pays off for many.
      else if (all.length > SCANNED || !all.includes(root)) all.push(root);
    }
  }
  if (all === undefined) return first;
  // A copy has no room for more, which a list that has grown has.
  return all.length > SCANNED ? [...new Set(all)].slice(-MAX_SOURCES) : all.slice();
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
