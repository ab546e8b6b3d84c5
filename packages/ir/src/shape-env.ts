import { applyAtom, type Atom, atomDim, type Dim, dimMod, dimSub, mapAtoms, type SymExpr, symbol } from './dims.js';
import { QfuseError } from './error.js';

/** The answer to a question about symbolic dims. A rule treats `unknown` as no. */
export type Tri = 'yes' | 'no' | 'unknown';

/** What is known of one symbol. */
export interface SymbolFact {
  /** Smallest value, inclusive. */
  readonly min: number;
  /** Largest value, inclusive; `Infinity` when there is none. */
  readonly max: number;
  /** The value is a multiple of this. */
  readonly divisor: number;
  /** Who says so, e.g. a file's range constraint. */
  readonly source: string;
}

type Range = readonly [number, number];

// A float product of 0 and Infinity is NaN; as a bound of a size it is 0.
const times = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);
const gcd = (a: number, b: number): number => (b === 0 ? Math.abs(a) : gcd(b, a % b));
const LIMIT = Number.MAX_SAFE_INTEGER;
/** Bounds beyond 2^53 are not exact: the nearest safe statement takes their place. */
const lowBound = (n: number): number => (n < -LIMIT ? Number.NEGATIVE_INFINITY : Math.min(n, LIMIT));
const highBound = (n: number): number => (n > LIMIT ? Number.POSITIVE_INFINITY : Math.max(n, -LIMIT));

/**
 * Facts about the symbols of one graph, and the questions that follow from them.
 * Ranges come from interval arithmetic and divisibility from greatest common divisors, so a `yes` or `no` is
 * proved and everything else is `unknown`.
 */
export class ShapeEnv {
  #facts = new Map<string, SymbolFact>();
  #edition = 0;
  /** What {@link simplify} found; nested dims would be simplified again and again otherwise. */
  #simplified = new Map<SymExpr, Dim>();

  /** Counts the changes of the facts. */
  get edition(): number {
    return this.#edition;
  }

  /** The declared symbols, in the order of declaration. */
  symbols(): readonly string[] {
    return [...this.#facts.keys()];
  }

  /** What is known of `name`; sizes are at least 0 when nothing was declared. */
  fact(name: string): SymbolFact {
    return this.#facts.get(name) ?? { min: 0, max: Number.POSITIVE_INFINITY, divisor: 1, source: 'a size' };
  }

  /**
   * Declares a symbol or narrows what is known of it.
   * @throws QfuseError `ir/empty-range` when no value remains, `ir/symbol` for bounds that are not whole numbers
   */
  declare(name: string, fact: Partial<SymbolFact> = {}): SymExpr {
    const old = this.fact(name);
    const min = Math.max(old.min, fact.min ?? old.min);
    // Files say "no limit" with the largest 64-bit number.
    const max = highBound(Math.min(old.max, fact.max ?? old.max));
    const factor = fact.divisor ?? 1;
    const whole =
      Number.isSafeInteger(min) && (Number.isSafeInteger(max) || max === Infinity) && Number.isSafeInteger(factor) && factor > 0;
    const divisor = whole ? (factor / gcd(factor, old.divisor)) * old.divisor : Number.NaN;
    if (!Number.isSafeInteger(divisor))
      throw new QfuseError(
        'ir/symbol',
        `symbolic dim "${name}" is declared in [${min}, ${max}] by ${factor}, expected whole numbers below 2^53`,
      );
    if (Math.ceil(min / divisor) * divisor > max) {
      const multiple = divisor === 1 ? '' : ` and a multiple of ${divisor}`;
      throw new QfuseError('ir/empty-range', `symbolic dim "${name}" would have to be in [${min}, ${max}]${multiple}, which is empty`);
    }
    const expression = symbol(name);
    this.#facts.set(name, Object.freeze({ min, max, divisor, source: fact.source ?? old.source }));
    this.#edition++;
    this.#simplified = new Map();
    return expression;
  }

  /** Copies the facts of `other` into this env. */
  adopt(other: ShapeEnv): void {
    for (const name of other.symbols()) this.declare(name, other.fact(name));
  }

  /** The facts, for {@link restore}. @internal */
  save(): ReadonlyMap<string, SymbolFact> {
    return new Map(this.#facts);
  }

  /** Puts the facts back to what they were. @internal */
  restore(facts: ReadonlyMap<string, SymbolFact>): void {
    this.#facts = new Map(facts);
    this.#edition++;
    this.#simplified = new Map();
  }

  /** Smallest and largest value of `d` that the facts allow. */
  range(d: Dim): Range {
    if (typeof d === 'number') return [d, d];
    let low = d.constant;
    let high = d.constant;
    for (const t of d.terms) {
      let product: Range = [t.coefficient, t.coefficient];
      for (const f of t.factors) product = multiply(product, this.#atomRange(f));
      low += product[0];
      high += product[1];
    }
    return [lowBound(low), highBound(high)];
  }

  #atomRange(f: Atom): Range {
    if (f.kind === 'symbol') {
      const { min, max } = this.fact(f.name);
      return [min, max];
    }
    const [a0, a1] = this.range(f.args[0]);
    const [b0, b1] = this.range(f.args[1]);
    switch (f.kind) {
      case 'min':
        return [Math.min(a0, b0), Math.min(a1, b1)];
      case 'max':
        return [Math.max(a0, b0), Math.max(a1, b1)];
      case 'mod':
        if (b0 < 1) return [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
        return a0 >= 0 && a1 < b0 ? [a0, a1] : [0, b1 - 1];
      case 'floordiv': {
        if (b0 < 1) return [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
        const quotients = [a0 / b0, a0 / b1, a1 / b0, a1 / b1].map((q) => (Number.isNaN(q) ? Number.POSITIVE_INFINITY : Math.floor(q)));
        return [Math.min(...quotients), Math.max(...quotients)];
      }
    }
  }

  /** A number that divides `d` whatever the symbols are (0 when `d` is always 0). */
  divisor(d: Dim): number {
    if (typeof d === 'number') return Math.abs(d);
    let common = Math.abs(d.constant);
    for (const t of d.terms) {
      let product = Math.abs(t.coefficient);
      for (const f of t.factors) {
        const more = product * this.#atomDivisor(f);
        // Any divisor of the product is a true answer: one that is not exact is left out.
        if (Number.isSafeInteger(more)) product = more;
      }
      common = gcd(common, product);
    }
    return common;
  }

  #atomDivisor(f: Atom): number {
    if (f.kind === 'symbol') return this.fact(f.name).divisor;
    return f.kind === 'min' || f.kind === 'max' ? gcd(this.divisor(f.args[0]), this.divisor(f.args[1])) : 1;
  }

  /** Whether `a` and `b` are equal. */
  equal(a: Dim, b: Dim): Tri {
    if (a === b) return 'yes';
    const difference = this.simplify(dimSub(this.simplify(a), this.simplify(b)));
    if (typeof difference === 'number') return difference === 0 ? 'yes' : 'no';
    const [low, high] = this.range(difference);
    if (low > 0 || high < 0) return 'no';
    if (low === 0 && high === 0) return 'yes';
    const common = this.divisor({ ...difference, constant: 0 } as SymExpr);
    return common > 1 && difference.constant % common !== 0 ? 'no' : 'unknown';
  }

  /** Whether `a <= b`. */
  lessEqual(a: Dim, b: Dim): Tri {
    const [low, high] = this.range(this.simplify(dimSub(a, b)));
    return high <= 0 ? 'yes' : low > 0 ? 'no' : 'unknown';
  }

  /** Whether the number `k` divides `d`. */
  divides(k: number, d: Dim): Tri {
    if (k === 0) return this.equal(d, 0);
    const rest = dimMod(d, k);
    if (typeof rest === 'number') return rest === 0 ? 'yes' : 'no';
    if (this.divisor(d) % k === 0) return 'yes';
    if (typeof d !== 'number') {
      const common = gcd(this.divisor({ ...d, constant: 0 } as SymExpr), k);
      if (common > 1 && d.constant % common !== 0) return 'no';
    }
    const [low, high] = this.range(d);
    return low === high ? (low % k === 0 ? 'yes' : 'no') : 'unknown';
  }

  /** `d` with every `min`, `max`, `mod` and `floordiv` resolved that the facts decide. */
  simplify(d: Dim): Dim {
    if (typeof d === 'number') return d;
    let simple = this.#simplified.get(d);
    if (simple === undefined) this.#simplified.set(d, (simple = this.#simplify(d)));
    return simple;
  }

  #simplify(d: SymExpr): Dim {
    const [low, high] = this.range(d);
    if (low === high) return low + 0;
    return mapAtoms(d, (f) => {
      if (f.kind === 'symbol') return atomDim(f);
      const a = this.simplify(f.args[0]);
      const b = this.simplify(f.args[1]);
      if (f.kind === 'min' || f.kind === 'max') {
        if (this.lessEqual(a, b) === 'yes') return f.kind === 'min' ? a : b;
        if (this.lessEqual(b, a) === 'yes') return f.kind === 'min' ? b : a;
      } else if (f.kind === 'mod') {
        if (typeof b === 'number' && this.divides(b, a) === 'yes') return 0;
        if (this.range(a)[0] >= 0 && this.range(this.simplify(dimSub(b, a)))[0] > 0) return a;
      }
      return applyAtom(f.kind, a, b);
    });
  }

  /**
   * Checks that `value` may be the size of symbol `name`.
   * @throws QfuseError `ir/dim-range` naming the symbol and the bound that is broken
   */
  check(name: string, value: number, where: string): void {
    const { min, max, divisor, source } = this.fact(name);
    if (value < min || value > max)
      throw new QfuseError('ir/dim-range', `${where}: dim "${name}" is ${value}, expected ${min} to ${max} (${source})`);
    if (value % divisor !== 0)
      throw new QfuseError('ir/dim-range', `${where}: dim "${name}" is ${value}, expected a multiple of ${divisor} (${source})`);
  }
}

const multiply = (a: Range, b: Range): Range => {
  const all = [times(a[0], b[0]), times(a[0], b[1]), times(a[1], b[0]), times(a[1], b[1])];
  return [Math.min(...all), Math.max(...all)];
};
