import { type Dim, dimAdd, dimFloorDiv, dimMax, dimMin, dimMod, dimMul, dimSub, symbol } from './dims.js';
import { type DType, isDType } from './dtype.js';
import { QfuseError } from './error.js';
import { type TensorType, tensorType } from './types.js';

const isSpace = (c: number): boolean => c === 32 || c === 10 || c === 9 || c === 13;
const isWord = (c: number): boolean => (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= 48 && c <= 57) || c === 95 || c === 46;

/** Dims nest at most this deep in a text: enough for any real program, and a hostile text cannot exhaust the stack. */
const MAX_DIM_DEPTH = 64;

/** A position in a text, with the small readers that the text form is made of. Errors name line and column. */
export class Cursor {
  readonly text: string;
  at = 0;
  readonly #types = new Map<string, TensorType>();

  constructor(text: string) {
    this.text = text;
  }

  fail(expected: string): never {
    const before = this.text.slice(0, this.at);
    const line = before.split('\n').length;
    const column = this.at - before.lastIndexOf('\n');
    const rest = this.text.slice(this.at, this.at + 30).split('\n')[0]!;
    throw new QfuseError('ir/parse', `line ${line}, column ${column}: expected ${expected}, found ${rest === '' ? 'the end' : JSON.stringify(rest)}`);
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
    if (!this.text.startsWith(token, this.at)) return false;
    this.at += token.length;
    return true;
  }

  /** Consumes the word `token`, which must not go on as a longer word. */
  takeWord(token: string): boolean {
    this.skip();
    if (!this.text.startsWith(token, this.at) || isWord(this.text.charCodeAt(this.at + token.length))) return false;
    this.at += token.length;
    return true;
  }

  expect(token: string): void {
    if (!this.take(token)) this.fail(`"${token}"`);
  }

  /** Letters, digits, `_` and `.`; empty when there are none. */
  word(): string {
    this.skip();
    const start = this.at;
    while (isWord(this.text.charCodeAt(this.at))) this.at++;
    return this.text.slice(start, this.at);
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
    this.skip();
    if (this.text[this.at] === '"') return this.string();
    const word = this.word();
    return word === '' ? this.fail('a name') : word;
  }

  /** The text of a number (`-1`, `1.5`, `1e-5`, `inf`, `-inf`, `nan`), not converted. */
  numberText(): string {
    this.skip();
    const number = /-?(?:inf|nan|(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?))/y;
    number.lastIndex = this.at;
    const found = number.exec(this.text)?.[0];
    if (found === undefined) return this.fail('a number');
    this.at += found.length;
    return found;
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
    if (depth > MAX_DIM_DEPTH) this.fail(`a dim that nests at most ${MAX_DIM_DEPTH} deep`);
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
    if (this.take('-')) return dimMul(this.#dimFactor(depth + 1), -1);
    if (this.take('(')) {
      const inner = this.dim(depth + 1);
      this.expect(')');
      return inner;
    }
    const word = this.word();
    if (/^\d+$/.test(word)) {
      const value = Number(word);
      return Number.isSafeInteger(value) ? value : this.fail('an integer below 2^53');
    }
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

  /** A type such as `f32[s0, 64]`. */
  type(): TensorType {
    this.skip();
    const start = this.at;
    const close = this.text.indexOf(']', start);
    const known = close < 0 ? undefined : this.#types.get(this.text.slice(start, close + 1));
    if (known !== undefined) {
      this.at = close + 1;
      return known;
    }
    const dtype = this.word();
    if (!isDType(dtype)) {
      this.at = start;
      this.fail('a dtype');
    }
    const type = tensorType(dtype as DType, this.list('[', ']', () => this.dim()));
    this.#types.set(this.text.slice(start, this.at), type);
    return type;
  }
}
