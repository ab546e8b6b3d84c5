import type { Dim } from './dims.js';
import { dimText, SymExpr } from './dims.js';
import { type DType, isDType } from './dtype.js';
import { QfuseError } from './error.js';
import { Interner } from './intern.js';
import { boolScalar, floatScalar, floatText, intScalar, type Scalar, scalarText } from './scalar.js';

/** The closed set of attribute kinds, and the TypeScript type of each. */
export interface AttrKinds {
  int: number;
  ints: readonly number[];
  float: number;
  floats: readonly number[];
  bool: boolean;
  bools: readonly boolean[];
  string: string;
  dtype: DType;
  scalar: Scalar;
  scalars: readonly Scalar[];
  dim: Dim;
  dims: readonly Dim[];
}

/** The name of an attribute kind. */
export type AttrKind = keyof AttrKinds;

/** An attribute value of any kind; `undefined` is an absent optional attribute. */
export type AttrValue = AttrKinds[AttrKind] | undefined;

/**
 * The declaration of one attribute. TypeScript type, text form, identity and generators all follow from it.
 * Made by the functions of {@link attr}.
 */
export interface AttrSpec<T = AttrValue, Optional extends boolean = boolean> {
  readonly kind: AttrKind;
  /** For kind `string`: the values that are allowed; for others absent. */
  readonly oneOf?: readonly string[] | undefined;
  /** For kinds `int` and `ints`. */
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /** Whether the attribute may be left out; then its value is `default`. */
  readonly optional: Optional;
  readonly default: T | undefined;
}

const spec = <T>(kind: AttrKind, more: Partial<AttrSpec<T>> = {}): AttrSpec<T, false> =>
  Object.freeze({ kind, ...more, optional: false, default: undefined });

/** Combinators that declare attributes. */
export const attr = Object.freeze({
  int: (limits: { readonly min?: number; readonly max?: number } = {}): AttrSpec<number, false> => spec('int', limits),
  ints: (limits: { readonly min?: number; readonly max?: number } = {}): AttrSpec<readonly number[], false> => spec('ints', limits),
  float: (): AttrSpec<number, false> => spec('float'),
  floats: (): AttrSpec<readonly number[], false> => spec('floats'),
  bool: (): AttrSpec<boolean, false> => spec('bool'),
  bools: (): AttrSpec<readonly boolean[], false> => spec('bools'),
  string: (): AttrSpec<string, false> => spec('string'),
  oneOf: <const N extends readonly string[]>(...oneOf: N): AttrSpec<N[number], false> => spec('string', { oneOf }),
  dtype: (): AttrSpec<DType, false> => spec('dtype'),
  scalar: (): AttrSpec<Scalar, false> => spec('scalar'),
  scalars: (): AttrSpec<readonly Scalar[], false> => spec('scalars'),
  dim: (): AttrSpec<Dim, false> => spec('dim'),
  dims: (): AttrSpec<readonly Dim[], false> => spec('dims'),
  /** May be left out; then it is `fallback`, or `undefined` when there is none. */
  optional: optionalAttr,
});

function optionalAttr<T>(inner: AttrSpec<T>): AttrSpec<T | undefined, true>;
function optionalAttr<T>(inner: AttrSpec<T>, fallback: NoInfer<T>): AttrSpec<T, true>;
function optionalAttr<T>(inner: AttrSpec<T>, fallback?: T): AttrSpec<T | undefined, true> {
  const bare = Object.freeze({ ...inner, optional: true, default: undefined } as const);
  return fallback === undefined ? bare : Object.freeze({ ...bare, default: canonical(bare, fallback as AttrValue) as T });
}

const elements: Partial<Record<AttrKind, AttrKind>> = { ints: 'int', floats: 'float', bools: 'bool', scalars: 'scalar', dims: 'dim' };

/** The kind of the elements of a list kind, or undefined. */
export const elementKind = (kind: AttrKind): AttrKind | undefined => elements[kind];

const complain = (expected: string, value: unknown): never => {
  throw new QfuseError('ir/attr', `expected ${expected}, found ${show(value)}`);
};

function show(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (value === undefined) return 'nothing';
  if (typeof value === 'number' || value instanceof SymExpr) return String(value);
  return JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v)) ?? typeof value;
}

/** Canonical, frozen form of one attribute value, or a QfuseError `ir/attr` that says what was expected. */
export function canonical(s: AttrSpec<unknown>, value: AttrValue): AttrValue {
  if (value === undefined) return s.optional ? (s.default as AttrValue) : complain(describeSpec(s), value);
  const element = elements[s.kind];
  if (element !== undefined) {
    if (!Array.isArray(value)) return complain(describeSpec(s), value);
    const one = { ...s, kind: element, optional: false };
    return Object.freeze(value.map((v) => canonical(one, v as AttrValue))) as AttrValue;
  }
  switch (s.kind) {
    case 'int': {
      const ok = Number.isSafeInteger(value) && (value as number) >= (s.min ?? -Infinity) && (value as number) <= (s.max ?? Infinity);
      return ok ? (value as number) + 0 : complain(describeSpec(s), value);
    }
    case 'float':
      return typeof value === 'number' ? value : complain(describeSpec(s), value);
    case 'bool':
      return typeof value === 'boolean' ? value : complain(describeSpec(s), value);
    case 'string':
      return typeof value === 'string' && (s.oneOf?.includes(value) ?? true) ? value : complain(describeSpec(s), value);
    case 'dtype':
      return typeof value === 'string' && isDType(value) ? value : complain(describeSpec(s), value);
    case 'dim':
      if (Number.isSafeInteger(value)) return (value as number) + 0;
      return value instanceof SymExpr ? value : complain(describeSpec(s), value);
    case 'scalar':
      return canonicalScalar(value as Partial<Scalar> | null) ?? complain(describeSpec(s), value);
    default:
      return complain(describeSpec(s), value);
  }
}

function canonicalScalar(given: Partial<Scalar> | null): Scalar | undefined {
  const { kind, value } = given ?? {};
  if (kind === 'int') return isInt64(value) ? intScalar(value) : undefined;
  if (kind === 'float') return typeof value === 'number' ? floatScalar(value) : undefined;
  return kind === 'bool' && typeof value === 'boolean' ? boolScalar(value) : undefined;
}

const isInt64 = (v: unknown): v is number | bigint => {
  if (typeof v === 'number') return Number.isInteger(v) && v >= -(2 ** 63) && v < 2 ** 64;
  return typeof v === 'bigint' && v >= -(2n ** 63n) && v < 2n ** 64n;
};

/** A phrase such as `int >= 0` or `one of "none", "tanh"` for messages and documents. */
export function describeSpec(s: AttrSpec<unknown>): string {
  if (s.oneOf !== undefined) return `one of ${s.oneOf.map((x) => JSON.stringify(x)).join(', ')}`;
  const limits = `${s.min === undefined ? '' : ` >= ${s.min}`}${s.max === undefined ? '' : ` <= ${s.max}`}`;
  return `${s.kind}${limits}`;
}

/** Text of one attribute value, as the text form prints it and its parser reads it. */
export function attrText(s: AttrSpec<unknown>, value: AttrValue): string {
  if (value === undefined) return 'none';
  const element = elements[s.kind];
  if (element !== undefined) return `[${(value as readonly AttrValue[]).map((v) => attrText({ ...s, kind: element }, v)).join(', ')}]`;
  switch (s.kind) {
    case 'float':
      return floatText(value as number);
    case 'string':
      return JSON.stringify(value);
    case 'scalar':
      return scalarText(value as Scalar);
    case 'dim':
      return dimText(value as Dim);
    default:
      return String(value);
  }
}

/** The attributes of one node: frozen and interned, every declared attribute present. */
export type AttrRecord = Readonly<Record<string, AttrValue>>;

/** Attribute declarations of an op. */
export type AttrSpecs = Readonly<Record<string, AttrSpec<any, boolean>>>;

const records = new Interner<AttrRecord>();
const empty: AttrRecord = Object.freeze({});

/**
 * The interned record of `given`, with defaults filled in.
 * @throws QfuseError `ir/attr` naming the attribute that is missing, unknown or of the wrong kind
 */
export function internAttrs(specs: AttrSpecs, names: readonly string[], given: AttrRecord): AttrRecord {
  if (names.length === 0) {
    for (const name in given) throw new QfuseError('ir/attr', `unknown attribute "${name}"`);
    return empty;
  }
  return recent(specs, names, given) ?? remember(specs, names, given, intern(specs, names, given));
}

function intern(specs: AttrSpecs, names: readonly string[], given: AttrRecord): AttrRecord {
  const out: Record<string, AttrValue> = {};
  // The kinds are part of the identity: an int 1 and a dim 1 print alike.
  let key = '';
  for (const name of names) {
    const s = specs[name]!;
    const value = (out[name] = canonicalNamed(s, name, given[name]));
    key += `${s.kind} ${name}=${attrText(s, value)};`;
  }
  for (const name in given) if (!names.includes(name)) throw new QfuseError('ir/attr', `unknown attribute "${name}"`);
  return records.get(key, () => Object.freeze(out));
}

/** Records that are kept for each set of declarations, with what they were made of. */
const KEPT = 8;
const kept = new WeakMap<AttrSpecs, { readonly given: readonly AttrValue[]; readonly record: AttrRecord }[]>();

/** The record that was made of the same values a short time ago: most nodes of a program have the attributes of another one. */
function recent(specs: AttrSpecs, names: readonly string[], given: AttrRecord): AttrRecord | undefined {
  const known = kept.get(specs);
  if (known === undefined) return undefined;
  for (const name in given) if (!names.includes(name)) return undefined;
  next: for (let i = 0; i < known.length; i++) {
    const before = known[i]!.given;
    for (let k = 0; k < names.length; k++) if (!Object.is(before[k], given[names[k]!])) continue next;
    return known[i]!.record;
  }
  return undefined;
}

function remember(specs: AttrSpecs, names: readonly string[], given: AttrRecord, record: AttrRecord): AttrRecord {
  const values = names.map((name) => given[name]);
  // An array may have another content when it is seen again.
  if (values.some((value) => typeof value === 'object' && !(value instanceof SymExpr))) return record;
  let known = kept.get(specs);
  if (known === undefined) kept.set(specs, (known = []));
  if (known.length === KEPT) known.shift();
  known.push({ given: values, record });
  return record;
}

function canonicalNamed(s: AttrSpec<unknown>, name: string, value: AttrValue): AttrValue {
  try {
    return canonical(s, value);
  } catch (cause) {
    if (cause instanceof QfuseError) throw new QfuseError('ir/attr', `attribute "${name}": ${cause.message}`, { cause });
    throw cause;
  }
}
