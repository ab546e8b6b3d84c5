import { programError, quote } from './errors.js';
import { MAX_EXPR_CHARS, MAX_EXPR_DEPTH } from './limits.js';

/** A parsed symbolic expression: a number, a symbol, or a function of expressions (infix operators included). */
export type SymTree =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'symbol'; readonly name: string; readonly positive: boolean }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly SymTree[] };

const TOKEN = /\s*(?:(\d+\.\d*(?:[eE][+-]?\d+)?|\d+)|([A-Za-z_][A-Za-z0-9_.]*)|'([^'\\]*)'|(\*\*|\/\/|<=|>=|==|!=|[-+*/%(),=<>]))/y;

type Token = { readonly kind: 'number' | 'name' | 'text' | 'sign' | 'end'; readonly text: string };

/** Infix operators with their strength; the names are those of the function spelling. */
const INFIX: Readonly<Record<string, readonly [number, string]>> = {
  '==': [1, 'Eq'],
  '!=': [1, 'Ne'],
  '<=': [1, 'Le'],
  '>=': [1, 'Ge'],
  '<': [1, 'Lt'],
  '>': [1, 'Gt'],
  '+': [2, 'Add'],
  '-': [2, 'Sub'],
  '*': [3, 'Mul'],
  '/': [3, 'Div'],
  '//': [3, 'FloorDiv'],
  '%': [3, 'Mod'],
  '**': [5, 'Pow'],
};
const UNARY = 4;

/**
 * Parses a sympy expression, as `srepr` writes it (`Mul(Integer(64), Symbol('s11', positive=True))`), as `str`
 * writes it (`64*s11`), or mixed.
 * @throws QfuseError `pt2/program` quoting the expression
 */
export function parseSym(text: string): SymTree {
  if (text.length > MAX_EXPR_CHARS)
    throw programError(`a symbolic expression has ${text.length} characters, at most ${MAX_EXPR_CHARS} are accepted`);
  return new SymParser(text).whole();
}

class SymParser {
  readonly #text: string;
  #at = 0;
  #token: Token;

  constructor(text: string) {
    this.#text = text;
    this.#token = this.#scan();
  }

  whole(): SymTree {
    const tree = this.#expression(0, 0);
    if (this.#token.kind !== 'end') this.#fail();
    return tree;
  }

  #fail(): never {
    throw programError(`the symbolic expression ${quote(this.#text)} cannot be read at ${quote(this.#token.text)}`);
  }

  #scan(): Token {
    TOKEN.lastIndex = this.#at;
    const match = TOKEN.exec(this.#text);
    if (match === null) {
      const rest = this.#text.slice(this.#at).trim();
      this.#token = { kind: rest === '' ? 'end' : 'sign', text: rest.slice(0, 10) };
      return rest === '' ? this.#token : this.#fail();
    }
    this.#at = TOKEN.lastIndex;
    const [, number, name, literal, sign] = match;
    if (number !== undefined) return { kind: 'number', text: number };
    if (name !== undefined) return { kind: 'name', text: name };
    return literal !== undefined ? { kind: 'text', text: literal } : { kind: 'sign', text: sign! };
  }

  #next(): Token {
    const token = this.#token;
    this.#token = this.#scan();
    return token;
  }

  #take(sign: string): boolean {
    if (this.#token.kind !== 'sign' || this.#token.text !== sign) return false;
    this.#next();
    return true;
  }

  #expression(strength: number, depth: number): SymTree {
    if (depth > MAX_EXPR_DEPTH) throw programError(`the symbolic expression ${quote(this.#text)} nests deeper than ${MAX_EXPR_DEPTH}`);
    let left = this.#operand(depth);
    for (;;) {
      const infix = this.#token.kind === 'sign' ? INFIX[this.#token.text] : undefined;
      if (infix === undefined || infix[0] <= strength) return left;
      this.#next();
      // `**` binds to the right, all others to the left
      const right = this.#expression(infix[1] === 'Pow' ? infix[0] - 1 : infix[0], depth + 1);
      left = { kind: 'call', name: infix[1], args: [left, right] };
    }
  }

  #operand(depth: number): SymTree {
    if (this.#take('-')) return { kind: 'call', name: 'Sub', args: [{ kind: 'number', value: 0 }, this.#expression(UNARY, depth + 1)] };
    if (this.#take('+')) return this.#expression(UNARY, depth + 1);
    if (this.#take('(')) {
      const inner = this.#expression(0, depth + 1);
      if (!this.#take(')')) this.#fail();
      return inner;
    }
    if (this.#token.kind === 'number') return { kind: 'number', value: Number(this.#next().text) };
    if (this.#token.kind !== 'name') return this.#fail();
    const name = this.#next().text.split('.').at(-1)!;
    if (!this.#take('(')) return { kind: 'symbol', name, positive: false };
    return name === 'Symbol' ? this.#symbol() : { kind: 'call', name, args: this.#args(depth) };
  }

  /** The rest of `Symbol('s0', positive=True, integer=True)`. */
  #symbol(): SymTree {
    if (this.#token.kind !== 'text') this.#fail();
    const name = this.#next().text;
    let positive = false;
    while (this.#take(',')) {
      const key = this.#next();
      if (key.kind !== 'name' || !this.#take('=')) this.#fail();
      const value = this.#next();
      if (key.text === 'positive' && value.text === 'True') positive = true;
    }
    if (!this.#take(')')) this.#fail();
    return { kind: 'symbol', name, positive };
  }

  #args(depth: number): readonly SymTree[] {
    const args: SymTree[] = [];
    if (this.#take(')')) return args;
    do args.push(this.#expression(0, depth + 1));
    while (this.#take(','));
    if (!this.#take(')')) this.#fail();
    return args;
  }
}
