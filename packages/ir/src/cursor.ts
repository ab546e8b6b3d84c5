import { type Dim, dimAdd, dimFloorDiv, dimMax, dimMin, dimMod, dimMul, dimSub, symbol } from './dims.js';
import { isDType } from './dtype.js';
import { QfuseError } from './error.js';
import { type TensorType, tensorType } from './types.js';

const isSpace = (c: number): boolean => c === 32 || c === 10 || c === 9 || c === 13;
const isWord = (c: number): boolean => (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= 48 && c <= 57) || c === 95 || c === 46;

/** Text length up to which a type is remembered. */
const MAX_KNOWN_TYPE = 256;

const NUMBER = /-?(?:inf|nan|(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?))/y;

/** Dims nest at most this deep in a text: enough for any real program, and a hostile text cannot exhaust the stack. */
const MAX_DIM_DEPTH = 64;

/** Characters that a message shows of the place where it happened. */
const SHOWN = 30;

/** A position in a text, with the small readers that the text form is made of. Errors name line and column. */
export class Cursor {
  readonly text: string;
  at = 0;
  readonly #types = new Map<string, TensorType>();

  constructor(text: string) {
    this.text = text;
  }

  fail(expected: string): never {
    const rest = this.text.slice(this.at, this.at + SHOWN).split('\n')[0]!;
    const found = this.at >= this.text.length ? 'the end' : rest === '' ? 'the end of the line' : JSON.stringify(rest);
    throw new QfuseError('ir/parse', `${this.where()}: expected ${expected}, found ${found}`);
  }

  /** `line 3, column 7`, of the current place or of `at`. */
  where(at = this.at): string {
    const before = this.text.slice(0, at);
    return `line ${before.split('\n').length}, column ${at - before.lastIndexOf('\n')}`;
  }

  /** Skips white space and `//` comments. */
  skip(): void {
    const { text } = this;
    for (;;) {
      while (this.at < text.length && isSpace(text.charCodeAt(this.at))) this.at++;
      if (text.charCodeAt(this.at) !== 47 || text.charCodeAt(this.at + 1) !== 47) return;
      const end = text.indexOf('\n', this.at);
      this.at = end < 0 ? text.length : end;
    }
  }

  /** Whether `token` comes next; it is consumed when it does. */
  take(token: string): boolean {
    this.skip();
    if (this.text.charCodeAt(this.at) !== token.charCodeAt(0) || !this.text.startsWith(token, this.at)) return false;
    this.at += token.length;
    return true;
  }

  /** Consumes the word `token`, which must not go on as a longer word. */
  takeWord(token: string): boolean {
    this.skip();
    if (this.text.charCodeAt(this.at) !== token.charCodeAt(0)) return false;
    if (!this.text.startsWith(token, this.at) || isWord(this.text.charCodeAt(this.at + token.length))) return false;
    this.at += token.length;
    return true;
  }

  expect(token: string): void {
    if (!this.take(token)) this.fail(`"${token}"`);
  }

  /** The next character after white space, not consumed; empty at the end. */
  peek(): string {
    this.skip();
    return this.text.charAt(this.at);
  }

  /** Letters, digits, `_` and `.`; empty when there are none. */
  word(): string {
    this.skip();
    const { text } = this;
    const start = this.at;
    let end = start;
    while (isWord(text.charCodeAt(end))) end++;
    this.at = end;
    return text.slice(start, end);
  }

  /** A word that is a whole number as it is printed, below 10^9; -1 when something else comes next, which is not consumed. */
  index(): number {
    const { text } = this;
    let end = this.at;
    let value = 0;
    for (let c = text.charCodeAt(end); c >= 48 && c <= 57; c = text.charCodeAt(++end)) value = value * 10 + c - 48;
    const digits = end - this.at;
    const printed = digits === 1 || (digits > 1 && digits < 10 && text.charCodeAt(this.at) !== 48);
    if (!printed || isWord(text.charCodeAt(end))) return -1;
    this.at = end;
    return value;
  }

  /** A JSON string. */
  string(): string {
    this.skip();
    if (this.text[this.at] !== '"') this.fail('a quoted string');
    let end = this.at + 1;
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1;
    try {
      const value = JSON.parse(this.text.slice(this.at, end + 1)) as string;
      this.at = end + 1;
      return value;
    } catch {
      return this.fail('a quoted string');
    }
  }

  /** A word or a quoted string. */
  name(): string {
    if (this.peek() === '"') return this.string();
    const word = this.word();
    return word === '' ? this.fail('a name') : word;
  }

  /** The text of a number (`-1`, `1.5`, `1e-5`, `inf`, `-inf`, `nan`), not converted. */
  numberText(): string {
    this.skip();
    NUMBER.lastIndex = this.at;
    const found = NUMBER.exec(this.text)?.[0];
    if (found === undefined) return this.fail('a number');
    this.at += found.length;
    return found;
  }

  /** A whole number below 2^53. */
  integer(): number {
    const start = this.at;
    const text = this.numberText();
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value)) return value;
    this.at = start;
    return this.fail('a whole number below 2^53');
  }

  /** Elements between `open` and `close`, separated by commas. */
  list<T>(open: string, close: string, element: () => T): T[] {
    this.expect(open);
    const out: T[] = [];
    if (this.take(close)) return out;
    do out.push(element());
    while (this.take(','));
    this.expect(close);
    return out;
  }

  /** A dim expression: integers, symbols, `+ - *`, `floordiv(a, b)`, `mod`, `min`, `max`, parentheses. */
  dim(depth = 0): Dim {
    let sum = this.#dimTerm(depth);
    for (;;) {
      if (this.take('+')) sum = dimAdd(sum, this.#dimTerm(depth));
      else if (this.take('-')) sum = dimSub(sum, this.#dimTerm(depth));
      else return sum;
    }
  }

  #dimTerm(depth: number): Dim {
    let product = this.#dimFactor(depth);
    while (this.take('*')) product = dimMul(product, this.#dimFactor(depth));
    return product;
  }

  #dimFactor(depth: number): Dim {
    if (depth > MAX_DIM_DEPTH) this.fail(`a dim that nests at most ${MAX_DIM_DEPTH} deep`);
    if (this.take('-')) return dimMul(this.#dimFactor(depth + 1), -1);
    if (this.take('(')) {
      const inner = this.dim(depth + 1);
      this.expect(')');
      return inner;
    }
    const first = this.peek();
    if (first >= '0' && first <= '9') return this.integer();
    const word = this.word();
    const operations = { floordiv: dimFloorDiv, mod: dimMod, min: dimMin, max: dimMax } as const;
    if (Object.hasOwn(operations, word)) {
      this.expect('(');
      const a = this.dim(depth + 1);
      this.expect(',');
      const b = this.dim(depth + 1);
      this.expect(')');
      return operations[word as keyof typeof operations](a, b);
    }
    return /^[A-Za-z_]/.test(word) && !word.includes('.') ? symbol(word) : this.fail('a dim');
  }

  #size(): Dim {
    this.skip();
    const start = this.at;
    const d = this.dim();
    if (typeof d !== 'number' || d >= 0) return d;
    this.at = start;
    return this.fail('a size of at least 0');
  }

  /** A type such as `f32[s0, 64]`. */
  type(): TensorType {
    this.skip();
    const start = this.at;
    // Most types of a program are alike. A dim holds no "]", so the first one ends the type.
    const close = this.text.indexOf(']', start);
    const known = close < 0 || close - start > MAX_KNOWN_TYPE ? undefined : this.#types.get(this.text.slice(start, close + 1));
    if (known !== undefined) {
      this.at = close + 1;
      return known;
    }
    const dtype = this.word();
    if (!isDType(dtype)) {
      this.at = start;
      this.fail('a dtype');
    }
    const type = tensorType(
      dtype,
      this.list('[', ']', () => this.#size()),
    );
    this.#types.set(this.text.slice(start, this.at), type);
    return type;
  }
}
