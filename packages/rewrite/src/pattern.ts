import type { AnyOp, DType, Node, OperandName, Value, Verdict } from '@qfuse/ir';

declare const captured: unique symbol;

type UnionToIntersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never;
type Flat<T> = { [K in keyof T]: T[K] } & {};

/**
 * What readers outside a match mean for an inner node:
 * `exclusive` refuses the match; `shared` keeps the node for them; `exposed` moves them to a result of the replacement.
 */
export type ReadersPolicy = 'exclusive' | 'shared' | 'exposed';

/** A pattern over a value; `C` is what it captures. Immutable. */
export interface Pattern<C = {}> {
  readonly [captured]?: C;
  readonly form: 'any' | 'constant' | 'op' | 'maybe' | 'through' | 'oneOf' | 'absent' | 'list' | 'each';
}

/** Matches any value, or any constant. */
export interface ValuePattern<C = {}> extends Pattern<C> {
  readonly form: 'any' | 'constant';
  readonly dtypes: readonly DType[] | undefined;
  readonly name: string | undefined;
  readonly checks: readonly ((value: Value) => Verdict)[];
  /** Captures the value. The same name twice asks for the same value. */
  as<const N extends string>(name: N): ValuePattern<Flat<C & Record<N, Value>>>;
  /** Adds a condition, asked after the structure matched up to here. */
  where(check: (value: Value) => Verdict): ValuePattern<C>;
}

/** Matches a node of one op. */
export interface OpPattern<D extends AnyOp = AnyOp, C = {}> extends Pattern<C> {
  readonly form: 'op';
  readonly op: D;
  readonly operands: Readonly<Record<string, Pattern<any>>>;
  readonly readers: ReadersPolicy;
  readonly resultIndex: number;
  readonly name: string | undefined;
  readonly checks: readonly ((node: Node<D>) => Verdict)[];
  /** Captures the node. */
  as<const N extends string>(name: N): OpPattern<D, Flat<C & Record<N, Node<D>>>>;
  /** Readers outside the match keep the inner node; the replacement computes it again. */
  shared(): OpPattern<D, C>;
  /** Readers outside the match are moved to a value that `rewrite` returns under `name`, which is captured too. */
  exposed<const N extends string>(name: N): OpPattern<D, Flat<C & Record<N, Node<D>>>>;
  /** As an operand: matches result `index` of the node instead of result 0. */
  result(index: number): OpPattern<D, C>;
  /** Adds a condition, asked after the operands of this node matched. */
  where(check: (node: Node<D>) => Verdict): OpPattern<D, C>;
}

/** What a pattern captures. */
export type CapturesOf<P> = P extends Pattern<infer C> ? C : never;

type Named<D extends AnyOp> = { readonly [K in OperandName<D>]?: Pattern<any> };
type Merged<P> = [keyof P] extends [never] ? {} : Flat<UnionToIntersection<CapturesOf<P[keyof P]>>>;

function valuePattern(
  form: 'any' | 'constant',
  dtypes: readonly DType[] | undefined,
  name: string | undefined,
  checks: readonly ((v: Value) => Verdict)[],
): ValuePattern<any> {
  return Object.freeze({
    form,
    dtypes,
    name,
    checks,
    as: (n: string) => valuePattern(form, dtypes, n, checks),
    where: (check: (v: Value) => Verdict) => valuePattern(form, dtypes, name, [...checks, check]),
  });
}

/** Any value, of one of `dtypes` when any are given: graph inputs, constants and results alike. */
export const any = (...dtypes: DType[]): ValuePattern => valuePattern('any', dtypes.length > 0 ? dtypes : undefined, undefined, []);

/** A value known at compile time (and not changed by runs). */
export const constant = (...dtypes: DType[]): ValuePattern =>
  valuePattern('constant', dtypes.length > 0 ? dtypes : undefined, undefined, []);

/** An optional operand that is not there. */
export const absent: Pattern = Object.freeze({ form: 'absent' as const });

function opPattern(fields: Omit<OpPattern<AnyOp>, 'as' | 'shared' | 'exposed' | 'where' | 'result'>): OpPattern<any, any> {
  return Object.freeze({
    ...fields,
    as: (name: string) => opPattern({ ...fields, name }),
    shared: () => opPattern({ ...fields, readers: 'shared' }),
    exposed: (name: string) => opPattern({ ...fields, readers: 'exposed', name }),
    result: (resultIndex: number) => opPattern({ ...fields, resultIndex }),
    where: (check: (node: Node) => Verdict) => opPattern({ ...fields, checks: [...fields.checks, check as never] }),
  });
}

/**
 * A node of `def` whose operands match. Operands that are not named are free. The two operands of a commutative
 * op are tried as written, then swapped.
 */
export function op<D extends AnyOp, const P extends Named<D> = {}>(
  def: D,
  operands?: P & { readonly [K in Exclude<keyof P, OperandName<D>>]: never },
): OpPattern<D, Merged<P>> {
  for (const name of Object.keys(operands ?? {}))
    if (!def.operandNames.includes(name)) throw new Error(`pattern: ${def.name} has no operand "${name}"`);
  return opPattern({
    form: 'op',
    op: def,
    operands: Object.freeze({ ...operands }) as Readonly<Record<string, Pattern<any>>>,
    readers: 'exclusive',
    resultIndex: 0,
    name: undefined,
    checks: [],
  });
}

/** See {@link maybe}. */
export interface MaybePattern<C = {}> extends Pattern<C> {
  readonly form: 'maybe';
  readonly node: OpPattern<any, any>;
  readonly operand: string;
  readonly inner: Pattern<any>;
}

/** `inner`, or one node matching `outer` whose operand `operand` matches `inner`; the node's capture is undefined when it is not there. */
export function maybe<D extends AnyOp, CO, C>(
  outer: OpPattern<D, CO>,
  operand: OperandName<D>,
  inner: Pattern<C>,
): Pattern<Flat<C & Partial<CO>>> {
  if (Object.hasOwn(outer.operands, operand))
    throw new Error(`pattern: operand "${operand}" of the optional ${outer.op.name} has a pattern of its own`);
  return Object.freeze({ form: 'maybe', node: outer, operand, inner } satisfies MaybePattern) as Pattern<any>;
}

/** One op that `through` looks through. */
export interface Passage {
  readonly op: AnyOp;
  /** The operand whose value goes through; default: the op's first. */
  readonly operand?: string;
  /** Whether this node really leaves the meaning as the rule needs it. */
  readonly where?: (node: Node) => Verdict;
}

/** See {@link through}. */
export interface ThroughPattern<C = {}> extends Pattern<C> {
  readonly form: 'through';
  readonly passages: readonly Passage[];
  readonly inner: Pattern<any>;
  readonly name: string | undefined;
  readonly readers: ReadersPolicy;
}

/**
 * `inner` behind as many (also no) ops of `passages` as there are: views, clones, casts whose meaning `where` checks.
 * When `inner` does not match there, behind one less, and so on. Captures the nodes, outermost first. Their readers are
 * exclusive unless `readers` says `shared`.
 */
export function through<C, const N extends string>(
  passages: readonly (Passage | AnyOp)[],
  inner: Pattern<C>,
  name: N,
  readers: 'exclusive' | 'shared' = 'exclusive',
): Pattern<Flat<C & Record<N, readonly Node[]>>> {
  const frozen = passages.map((p): Passage => Object.freeze('op' in p ? p : { op: p }));
  return Object.freeze({ form: 'through', passages: frozen, inner, name, readers } satisfies ThroughPattern) as Pattern<any>;
}

/** See {@link oneOf}. */
export interface OneOfPattern<C = {}> extends Pattern<C> {
  readonly form: 'oneOf';
  readonly options: readonly Pattern<any>[];
}

/** The first of `options` that matches. Captures that not all options bind are optional. */
export function oneOf<const P extends readonly Pattern<any>[]>(...options: P): Pattern<OneOfCaptures<P>> {
  return Object.freeze({ form: 'oneOf', options } satisfies OneOfPattern) as Pattern<any>;
}
type CommonKeys<P extends readonly unknown[]> = P extends readonly [infer H, ...infer R]
  ? R['length'] extends 0
    ? keyof CapturesOf<H>
    : keyof CapturesOf<H> & CommonKeys<R>
  : never;
type AllCaptures<P extends readonly unknown[]> = UnionToIntersection<{ [I in keyof P]: CapturesOf<P[I]> }[number]>;
type OneOfCaptures<P extends readonly unknown[]> = Flat<
  Pick<AllCaptures<P>, CommonKeys<P> & keyof AllCaptures<P>> & Partial<AllCaptures<P>>
>;

/** See {@link list} and {@link each}. */
export interface ListPattern<C = {}> extends Pattern<C> {
  readonly form: 'list' | 'each';
  readonly elements: readonly Pattern<any>[];
}

/** For a variadic operand: exactly these elements. */
export function list<const P extends readonly Pattern<any>[]>(...elements: P): Pattern<Flat<AllCaptures<P>>> {
  return Object.freeze({ form: 'list', elements } satisfies ListPattern) as Pattern<any>;
}

/** For a variadic operand: every element that is there matches `element`, which must not capture. */
export const each = <P extends Pattern<any>>(element: [keyof CapturesOf<P>] extends [never] ? P : never): Pattern =>
  Object.freeze({ form: 'each', elements: [element] } satisfies ListPattern);
