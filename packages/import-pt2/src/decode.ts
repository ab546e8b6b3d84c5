import { programError, quote } from './errors.js';
import type { Json } from './json.js';

/** Where a value is in a JSON document, for messages; text is made only when it is needed. */
export interface Path {
  readonly parent: Path | undefined;
  readonly key: string | number;
}

/** The path of a document. */
export const root = (name: string): Path => ({ parent: undefined, key: name });

/** The path of a part of the value at `parent`. */
export const below = (parent: Path, key: string | number): Path => ({ parent, key });

/** `models/model.json: graph_module.graph.nodes[3].target` */
export function pathText(path: Path): string {
  const parts: string[] = [];
  let at = path;
  for (; at.parent !== undefined; at = at.parent)
    parts.unshift(typeof at.key === 'number' ? `[${at.key}]` : `.${/^\w+$/.test(at.key) ? at.key : quote(at.key)}`);
  const inside = parts.join('').replace(/^\./, '');
  return inside === '' ? String(at.key) : `${at.key}: ${inside}`;
}

/** What a value is, for messages. */
function found(value: Json | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : String(value);
}

/** Refuses `value`. @throws QfuseError `pt2/program` */
export function refuse(path: Path, expected: string, value: Json | undefined): never {
  throw programError(`${pathText(path)} is ${found(value)}, expected ${expected}`);
}

/** Reads one JSON value as a `T`, or throws QfuseError `pt2/program` that names the path. */
export type Decoder<T> = (value: Json | undefined, path: Path) => T;

export const string: Decoder<string> = (value, path) => (typeof value === 'string' ? value : refuse(path, 'a string', value));

export const boolean: Decoder<boolean> = (value, path) => (typeof value === 'boolean' ? value : refuse(path, 'true or false', value));

/** An integer; beyond 2^53 as bigint, and within 64 bits. */
export const integer: Decoder<number | bigint> = (value, path) => {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value + 0;
  if (typeof value === 'bigint' && value >= -(2n ** 63n) && value < 2n ** 64n) return value;
  return refuse(path, 'a 64-bit integer', value);
};

/** An integer within 2^53. */
export const smallInteger: Decoder<number> = (value, path) =>
  typeof value === 'number' && Number.isSafeInteger(value) ? value + 0 : refuse(path, 'an integer of at most 2^53', value);

/** A float; the non-finite ones are the strings `Infinity`, `-Infinity`, `NaN`. */
export const float: Decoder<number> = (value, path) => {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value === 'Infinity' || value === 'inf') return Number.POSITIVE_INFINITY;
  if (value === '-Infinity' || value === '-inf') return Number.NEGATIVE_INFINITY;
  if (value === 'NaN' || value === 'nan') return Number.NaN;
  return refuse(path, 'a number, "Infinity", "-Infinity" or "NaN"', value);
};

export const list =
  <T>(element: Decoder<T>): Decoder<readonly T[]> =>
  (value, path) => {
    if (!Array.isArray(value)) return refuse(path, 'a list', value);
    return (value as readonly Json[]).map((v, i) => element(v, below(path, i)));
  };

/** Nothing, null, or what `inner` reads. */
export const optional =
  <T>(inner: Decoder<T>): Decoder<T | undefined> =>
  (value, path) =>
    value === undefined || value === null ? undefined : inner(value, path);

/** An object whose values `element` reads, in file order. */
export const dictionary =
  <T>(element: Decoder<T>): Decoder<ReadonlyMap<string, T>> =>
  (value, path) => {
    const map = object(value, path);
    return new Map([...map].map(([k, v]) => [k, element(v, below(path, k))]));
  };

/** An object as it is. */
export const object: Decoder<ReadonlyMap<string, Json>> = (value, path) =>
  value instanceof Map ? (value as ReadonlyMap<string, Json>) : refuse(path, 'an object', value);

/** An object with the fields of `shape`; others are ignored, as minor versions of the schema add fields. */
export const record =
  <T extends object>(shape: { readonly [K in keyof T]-?: readonly [name: string, decoder: Decoder<T[K]>] }): Decoder<T> =>
  (value, path) => {
    const map = object(value, path);
    const out: Partial<T> = {};
    for (const key in shape) {
      const [name, decoder] = shape[key];
      const read = decoder(map.get(name), below(path, name));
      if (read !== undefined) out[key] = read;
    }
    return Object.freeze(out) as T;
  };

/** An object with exactly one field, whose name says what it holds. */
export const union =
  <T>(cases: Readonly<Record<string, Decoder<T>>>, what: string): Decoder<T> =>
  (value, path) => {
    const map = object(value, path);
    const [tag, ...others] = map.keys();
    if (tag === undefined || others.length > 0)
      throw programError(`${pathText(path)} has ${map.size} fields, expected one that says which kind of ${what} it is`);
    const decoder = Object.hasOwn(cases, tag) ? cases[tag] : undefined;
    if (decoder === undefined)
      throw programError(
        `${pathText(path)} is ${what} of unknown kind ${quote(tag)}`,
        'the file may come from a newer torch than this importer knows',
      );
    return decoder(map.get(tag), below(path, tag));
  };
