import { Interner } from './intern.js';
import { QfuseError } from './error.js';

/** The size of one axis: a number, or an interned expression over symbols. Compare with `===`. */
export type Dim = number | SymExpr;

/** A factor of a {@link SymExpr}: a symbol, or an operation that the polynomial form cannot express. */
export type Atom =
  | { readonly kind: 'symbol'; readonly name: string; readonly key: string }
  | { readonly kind: 'floordiv' | 'mod' | 'min' | 'max'; readonly args: readonly [Dim, Dim]; readonly key: string };

/** `coefficient · product of factors`; factors are sorted and may repeat. */
export interface Term {
  readonly coefficient: number;
  readonly factors: readonly Atom[];
}

/**
 * An integer polynomial over {@link Atom}s in a normal form: terms with equal factors are joined, sorted, and
 * none has a zero coefficient. Two expressions of one value are usually one object, e.g. `2*(s0+1)` and `s0*2+2`.
 */
export class SymExpr {
  readonly terms: readonly Term[];
  readonly constant: number;
  /** The canonical text, also the identity. */
  readonly key: string;

  /** @internal use {@link symbol} and the functions of this module */
  constructor(terms: readonly Term[], constant: number, key: string) {
    this.terms = terms;
    this.constant = constant;
    this.key = key;
    Object.freeze(this);
  }

  toString(): string {
    return this.key;
  }
}

const interner = new Interner<SymExpr>();
const atoms = new Interner<Atom & object>();

const factorKey = (factors: readonly Atom[]): string => factors.map((f) => f.key).join('*');
const byKey = (a: Atom, b: Atom): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

/** Terms, and factors of a term, that an expression has at most: far beyond real programs, and a product cannot exhaust the memory. */
const MAX_TERMS = 1024;
/** Length of the text of an expression, for the same reason. */
const MAX_TEXT = 8192;

const overflow = (what: string): never => {
  throw new QfuseError('ir/dim-overflow', `a symbolic dim has ${what}`);
};

/** A number that is exact, without a negative zero. */
const exact = (n: number): number => (Number.isSafeInteger(n) ? n + 0 : overflow('a number beyond 2^53'));

function fromTerms(sums: ReadonlyMap<string, Term>, given: number): Dim {
  const constant = exact(given);
  const terms = [...sums.entries()].filter(([, t]) => exact(t.coefficient) !== 0).sort(([a], [b]) => (a < b ? -1 : 1));
  if (terms.length === 0) return constant;
  if (terms.length > MAX_TERMS) overflow(`more than ${MAX_TERMS} terms`);
  let key = '';
  for (const [factors, { coefficient }] of terms) {
    const size = Math.abs(coefficient);
    key += key === '' ? (coefficient < 0 ? '-' : '') : coefficient < 0 ? ' - ' : ' + ';
    key += size === 1 ? factors : `${size}*${factors}`;
  }
  if (key.length > MAX_TEXT) overflow(`more than ${MAX_TEXT} characters`);
  if (constant !== 0) key += constant < 0 ? ` - ${-constant}` : ` + ${constant}`;
  return interner.get(key, () => new SymExpr(Object.freeze(terms.map(([, t]) => freezeTerm(t))), constant, key));
}

function freezeTerm(t: Term): Term {
  Object.freeze(t.factors);
  return Object.freeze(t);
}

const termsOf = (d: Dim): readonly Term[] => (typeof d === 'number' ? [] : d.terms);
const constantOf = (d: Dim): number => (typeof d === 'number' ? d : d.constant);

function addTerm(sums: Map<string, Term>, factors: readonly Atom[], coefficient: number): void {
  const key = factorKey(factors);
  sums.set(key, { factors, coefficient: (sums.get(key)?.coefficient ?? 0) + coefficient });
}

function ofAtom(atom: Atom): Dim {
  const kept = atoms.get(atom.key, () => Object.freeze(atom));
  return fromTerms(new Map([[kept.key, { coefficient: 1, factors: [kept] }]]), 0);
}

/** Words of the text form that could stand where a dim stands. */
const reserved: ReadonlySet<string> = new Set(['floordiv', 'mod', 'min', 'max', 'none']);

/** Whether `text` may name a symbol. */
export const isSymbolName = (text: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) && !reserved.has(text);

/**
 * The symbol `name`.
 * @throws QfuseError `ir/symbol` when the name is not an identifier
 */
export function symbol(name: string): SymExpr {
  if (!isSymbolName(name))
    throw new QfuseError(
      'ir/symbol',
      `"${name}" cannot name a symbolic dim: expected letters, digits and "_", and none of ${[...reserved].join(', ')}`,
    );
  return ofAtom({ kind: 'symbol', name, key: name }) as SymExpr;
}

/** `a + b`. @throws QfuseError `ir/dim-overflow`, as all arithmetic here, when a number is beyond 2^53 or the expression is too large */
export function dimAdd(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return exact(a + b);
  const sums = new Map<string, Term>();
  for (const t of [...termsOf(a), ...termsOf(b)]) addTerm(sums, t.factors, t.coefficient);
  return fromTerms(sums, constantOf(a) + constantOf(b));
}

/** `a · b` */
export function dimMul(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return exact(a * b);
  if (termsOf(a).length * termsOf(b).length > MAX_TERMS) overflow(`a product of more than ${MAX_TERMS} terms`);
  const sums = new Map<string, Term>();
  for (const t of termsOf(a)) {
    if (constantOf(b) !== 0) addTerm(sums, t.factors, t.coefficient * constantOf(b));
    for (const u of termsOf(b)) {
      if (t.factors.length + u.factors.length > MAX_TERMS) overflow(`more than ${MAX_TERMS} factors in a term`);
      addTerm(sums, [...t.factors, ...u.factors].sort(byKey), t.coefficient * u.coefficient);
    }
  }
  if (constantOf(a) !== 0) for (const u of termsOf(b)) addTerm(sums, u.factors, u.coefficient * constantOf(a));
  return fromTerms(sums, constantOf(a) * constantOf(b));
}

/** `a - b` */
export const dimSub = (a: Dim, b: Dim): Dim => dimAdd(a, dimMul(b, -1));

/** The product of `dims`; 1 for none. */
export const dimProduct = (dims: readonly Dim[]): Dim => dims.reduce((a: Dim, b) => dimMul(a, b), 1);

const binary = (kind: 'floordiv' | 'mod' | 'min' | 'max', a: Dim, b: Dim): Dim =>
  ofAtom({ kind, args: [a, b], key: `${kind}(${dimText(a)}, ${dimText(b)})` });

/** Exact quotient of polynomials where each term of `a` is divisible by the single term `b`, else undefined. */
function exactQuotient(a: Dim, b: Dim): Dim | undefined {
  if (a === b) return 1;
  if (typeof b === 'number') {
    if (typeof a === 'number') return a % b === 0 ? exact(a / b) : undefined;
    if (a.constant % b !== 0 || a.terms.some((t) => t.coefficient % b !== 0)) return undefined;
    const sums = new Map<string, Term>();
    for (const t of a.terms) addTerm(sums, t.factors, t.coefficient / b);
    return fromTerms(sums, a.constant / b);
  }
  if (typeof a === 'number') return a === 0 ? 0 : undefined;
  const [divisor] = b.terms;
  if (divisor === undefined || b.terms.length !== 1 || b.constant !== 0) {
    // a = c·b for one number c, e.g. (2*s0 + 2) / (s0 + 1)
    const [first] = a.terms;
    const [same] = b.terms;
    if (first === undefined || same === undefined || first.coefficient % same.coefficient !== 0) return undefined;
    const c = first.coefficient / same.coefficient;
    return dimMul(b, c) === a ? c : undefined;
  }
  if (a.constant !== 0) return undefined;
  const sums = new Map<string, Term>();
  for (const t of a.terms) {
    const rest = [...t.factors];
    for (const f of divisor.factors) {
      const at = rest.indexOf(f);
      if (at < 0) return undefined;
      rest.splice(at, 1);
    }
    if (t.coefficient % divisor.coefficient !== 0) return undefined;
    if (rest.length === 0) {
      const c = t.coefficient / divisor.coefficient;
      sums.set('', { coefficient: (sums.get('')?.coefficient ?? 0) + c, factors: [] });
    } else addTerm(sums, rest, t.coefficient / divisor.coefficient);
  }
  const constant = sums.get('')?.coefficient ?? 0;
  sums.delete('');
  return fromTerms(sums, constant);
}

/**
 * `floor(a / b)`. A symbolic `b` is taken to be other than 0.
 * @throws QfuseError `ir/dim-division` when `b` is the number 0
 */
export function dimFloorDiv(a: Dim, b: Dim): Dim {
  if (b === 0) throw new QfuseError('ir/dim-division', `a dim is divided by 0: floordiv(${dimText(a)}, 0)`);
  if (b === 1) return a;
  if (typeof a === 'number' && typeof b === 'number') return exact(Math.floor(a / b));
  return exactQuotient(a, b) ?? binary('floordiv', a, b);
}

/** `ceil(a / b)`, written as `-floor(-a / b)`. */
export const dimCeilDiv = (a: Dim, b: Dim): Dim => dimMul(dimFloorDiv(dimMul(a, -1), b), -1);

/**
 * `a mod b` with the sign of `b`.
 * @throws QfuseError `ir/dim-division` when `b` is the number 0
 */
export function dimMod(a: Dim, b: Dim): Dim {
  if (b === 0) throw new QfuseError('ir/dim-division', `a dim is divided by 0: mod(${dimText(a)}, 0)`);
  if (typeof a === 'number' && typeof b === 'number') {
    const rest = a % b;
    return exact(rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest);
  }
  return exactQuotient(a, b) === undefined ? binary('mod', a, b) : 0;
}

function extremum(kind: 'min' | 'max', a: Dim, b: Dim): Dim {
  const difference = dimSub(a, b);
  if (typeof difference === 'number') return difference <= 0 === (kind === 'min') ? a : b;
  return dimText(a) <= dimText(b) ? binary(kind, a, b) : binary(kind, b, a);
}

/** The smaller of two dims. */
export const dimMin = (a: Dim, b: Dim): Dim => extremum('min', a, b);

/** The larger of two dims. */
export const dimMax = (a: Dim, b: Dim): Dim => extremum('max', a, b);

/** Canonical text of a dim, e.g. `4*s0 + 1`, `floordiv(s1, 2)`. */
export const dimText = (d: Dim): string => (typeof d === 'number' ? String(d) : d.key);

/** Names of the symbols in `d`, each once. */
export function dimSymbols(d: Dim, into: Set<string> = new Set()): Set<string> {
  for (const t of termsOf(d))
    for (const f of t.factors) {
      if (f.kind === 'symbol') into.add(f.name);
      else for (const a of f.args) dimSymbols(a, into);
    }
  return into;
}

/** Rebuilds `d` with each factor replaced by what `replace` returns for it. */
export function mapAtoms(d: Dim, replace: (atom: Atom) => Dim): Dim {
  if (typeof d === 'number') return d;
  let sum: Dim = d.constant;
  for (const t of d.terms) {
    let product: Dim = t.coefficient;
    for (const f of t.factors) product = dimMul(product, replace(f));
    sum = dimAdd(sum, product);
  }
  return sum;
}

/** The dim that consists of one atom. */
export const atomDim = (atom: Atom): Dim => ofAtom(atom);

/** Applies the operation of a non-symbol atom to other arguments. */
export const applyAtom = (kind: 'floordiv' | 'mod' | 'min' | 'max', a: Dim, b: Dim): Dim =>
  ({ floordiv: dimFloorDiv, mod: dimMod, min: dimMin, max: dimMax })[kind](a, b);

/** Rebuilds `d` with each symbol replaced by what `replace` returns for its name (undefined keeps it). */
export function substitute(d: Dim, replace: (name: string) => Dim | undefined): Dim {
  return mapAtoms(d, (f) =>
    f.kind === 'symbol'
      ? (replace(f.name) ?? ofAtom(f))
      : applyAtom(f.kind, substitute(f.args[0], replace), substitute(f.args[1], replace)),
  );
}

/**
 * The number that `d` is when its symbols have the values of `bindings`.
 * @throws QfuseError `ir/unbound-symbol` when a symbol has no value
 */
export function evaluateDim(d: Dim, bindings: ReadonlyMap<string, number>): number {
  if (typeof d === 'number') return d;
  const value = substitute(d, (name) => {
    const bound = bindings.get(name);
    if (bound === undefined) throw new QfuseError('ir/unbound-symbol', `symbolic dim "${name}" in "${d.key}" has no value`);
    return bound;
  });
  return value as number;
}
