import { type Dim, dimAdd, dimCeilDiv, dimFloorDiv, dimMax, dimMin, dimMod, dimMul, dimSub, isSymbolName, symbol } from '@qfuse/plugin';
import { programError, quote } from './errors.js';
import { parseSym, type SymTree } from './sym-parse.js';

/** Terms of a polynomial; more come only from products of many sums, which no program has. */
const MAX_TERMS = 200;

/** The largest exponent; shapes know squares and, rarely, cubes. */
const MAX_EXPONENT = 8;

/** A relation between two dims, e.g. of an assertion. */
export interface Relation {
  readonly kind: 'eq' | 'ne' | 'le' | 'lt';
  readonly left: Dim;
  readonly right: Dim;
}

/** A fraction of dims: sympy writes `s0 // 2` also as `floor(Mul(Rational(1, 2), s0))`. */
interface Fraction {
  readonly over: Dim;
  readonly under: Dim;
}

const whole = (over: Dim): Fraction => ({ over, under: 1 });

/** Whether a symbol stands for a number that only a run can know (torch's unbacked symbols). */
export const isUnbacked = (name: string): boolean => /^(?:zu?f|u)\d+$/.test(name);

const relations: Readonly<Record<string, readonly [Relation['kind'], swapped: boolean]>> = {
  Eq: ['eq', false],
  Equality: ['eq', false],
  Ne: ['ne', false],
  Unequality: ['ne', false],
  Le: ['le', false],
  LessThan: ['le', false],
  Lt: ['lt', false],
  StrictLessThan: ['lt', false],
  Ge: ['le', true],
  GreaterThan: ['le', true],
  Gt: ['lt', true],
  StrictGreaterThan: ['lt', true],
};

/**
 * Reads sympy expressions as dims.
 * `onSymbol` is told every symbol with whether sympy assumes it positive.
 */
export class SymReader {
  readonly #onSymbol: (name: string, positive: boolean) => void;
  readonly #dims = new Map<string, Dim>();
  #text = '';

  constructor(onSymbol: (name: string, positive: boolean) => void) {
    this.#onSymbol = onSymbol;
  }

  /** The dim that `text` stands for. @throws QfuseError `pt2/program` when it is not an integer expression that dims can express */
  dim(text: string): Dim {
    let dim = this.#dims.get(text);
    if (dim === undefined) {
      this.#text = text;
      dim = this.#integer(parseSym(text));
      this.#dims.set(text, dim);
    }
    return dim;
  }

  /** The relation that `text` states, or undefined when it is none between dims (`And`, `Or`, floats, …). */
  relation(text: string): Relation | undefined {
    this.#text = text;
    const tree = parseSym(text);
    const known = tree.kind === 'call' && tree.args.length === 2 ? relations[tree.name] : undefined;
    if (known === undefined || tree.kind !== 'call') return undefined;
    const [a, b] = [this.#integer(tree.args[0]!), this.#integer(tree.args[1]!)];
    return known[1] ? { kind: known[0], left: b, right: a } : { kind: known[0], left: a, right: b };
  }

  #fail(why: string): never {
    throw programError(`the symbolic expression ${quote(this.#text)} cannot be a size: ${why}`);
  }

  #integer(tree: SymTree): Dim {
    const { over, under } = this.#fraction(tree);
    if (under === 1) return over;
    const quotient = dimFloorDiv(over, under);
    return dimMul(quotient, under) === over ? quotient : this.#fail('it is not an integer');
  }

  #bounded(dim: Dim): Dim {
    if (typeof dim !== 'number' && dim.terms.length > MAX_TERMS) this.#fail(`it has more than ${MAX_TERMS} terms`);
    if (typeof dim === 'number' && !Number.isSafeInteger(dim)) this.#fail('it holds a number beyond 2^53 or not an integer');
    return dim;
  }

  #times(a: Dim, b: Dim): Dim {
    return this.#bounded(dimMul(a, b));
  }

  #fraction(tree: SymTree): Fraction {
    if (tree.kind === 'number') return whole(this.#bounded(tree.value));
    if (tree.kind === 'symbol') {
      if (!isSymbolName(tree.name)) this.#fail(`${quote(tree.name)} is not a symbol`);
      this.#onSymbol(tree.name, tree.positive);
      return whole(symbol(tree.name));
    }
    return this.#call(tree.name, tree.args);
  }

  #call(name: string, args: readonly SymTree[]): Fraction {
    const pair = (): readonly [Dim, Dim] => {
      if (args.length !== 2) this.#fail(`${name} has ${args.length} arguments, expected 2`);
      const [a, b] = [this.#integer(args[0]!), this.#integer(args[1]!)];
      return [a, b];
    };
    const only = (): SymTree => (args.length === 1 ? args[0]! : this.#fail(`${name} has ${args.length} arguments, expected 1`));
    const nonZero = (d: Dim): Dim => (d === 0 ? this.#fail('it divides by 0') : d);
    switch (name) {
      case 'Integer':
      case 'ToFloat':
      case 'TruncToInt':
      case 'Identity':
        return whole(this.#integer(only()));
      case 'Rational':
      case 'Div': {
        if (args.length !== 2) return this.#fail(`${name} has ${args.length} arguments, expected 2`);
        const [a, b] = [this.#fraction(args[0]!), this.#fraction(args[1]!)];
        return this.#reduce(this.#times(a.over, b.under), this.#times(a.under, nonZero(b.over)));
      }
      case 'Add':
        return args
          .map((a) => this.#fraction(a))
          .reduce(
            (a, b) =>
              this.#reduce(
                this.#bounded(dimAdd(this.#times(a.over, b.under), this.#times(b.over, a.under))),
                this.#times(a.under, b.under),
              ),
            whole(0),
          );
      case 'Sub': {
        const [a, b] = pair();
        return whole(this.#bounded(dimSub(a, b)));
      }
      case 'Mul':
        return args
          .map((a) => this.#fraction(a))
          .reduce((a, b) => this.#reduce(this.#times(a.over, b.over), this.#times(a.under, b.under)), whole(1));
      case 'Pow':
        return this.#power(args);
      case 'FloorDiv':
      case 'CleanDiv': {
        const [a, b] = pair();
        return whole(dimFloorDiv(a, nonZero(b)));
      }
      case 'CeilDiv': {
        const [a, b] = pair();
        return whole(dimCeilDiv(a, nonZero(b)));
      }
      case 'Mod':
      case 'PythonMod': {
        const [a, b] = pair();
        return whole(dimMod(a, nonZero(b)));
      }
      case 'ModularIndexing': {
        if (args.length !== 3) return this.#fail(`${name} has ${args.length} arguments, expected 3`);
        const [a, b, c] = args.map((x) => this.#integer(x)) as [Dim, Dim, Dim];
        return whole(dimMod(dimFloorDiv(a, nonZero(b)), nonZero(c)));
      }
      case 'floor':
      case 'FloorToInt': {
        const { over, under } = this.#fraction(only());
        return whole(dimFloorDiv(over, under));
      }
      case 'ceiling':
      case 'CeilToInt': {
        const { over, under } = this.#fraction(only());
        return whole(dimCeilDiv(over, under));
      }
      case 'Min':
      case 'Max': {
        if (args.length === 0) return this.#fail(`${name} has no arguments`);
        return whole(args.map((a) => this.#integer(a)).reduce(name === 'Min' ? dimMin : dimMax));
      }
      default:
        return this.#fail(`${name} is not among the functions of sizes`);
    }
  }

  #power(args: readonly SymTree[]): Fraction {
    if (args.length !== 2) return this.#fail(`Pow has ${args.length} arguments, expected 2`);
    const base = this.#fraction(args[0]!);
    const exponent = this.#integer(args[1]!);
    if (typeof exponent !== 'number' || Math.abs(exponent) > MAX_EXPONENT)
      return this.#fail(`an exponent is not a number of at most ${MAX_EXPONENT}`);
    const { over, under } = exponent < 0 ? { over: base.under, under: base.over } : base;
    if (under === 0) return this.#fail('it divides by 0');
    let result = whole(1);
    for (let i = 0; i < Math.abs(exponent); i++) result = { over: this.#times(result.over, over), under: this.#times(result.under, under) };
    return result;
  }

  #reduce(over: Dim, under: Dim): Fraction {
    if (under === 1) return { over, under };
    const quotient = dimFloorDiv(over, under);
    return this.#times(quotient, under) === over ? whole(quotient) : { over, under };
  }
}
