import { MAX_JSON_CONTAINERS, MAX_JSON_DEPTH, MAX_JSON_VALUES, MAX_NUMBER_CHARS } from './limits.js';
import { programError } from './errors.js';

/** A JSON value. Integers beyond 2^53 are bigints; objects are Maps, so that no key (`__proto__`) is special. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | ReadonlyMap<string, Json>;

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
// oxlint-disable-next-line no-control-regex -- JSON strings hold no bare control characters
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/**
 * Parses strict JSON (RFC 8259).
 *
 * Own code because `JSON.parse` rounds 64-bit integers (`9223372036854775807` is a common slice bound), takes the
 * last of two equal keys, and is not bounded in depth.
 * @param what - names the text in messages
 * @throws QfuseError `pt2/program` with the position
 */
export function parseJson(text: string, what: string): Json {
  return new Parser(text, what).document();
}

class Parser {
  readonly #text: string;
  readonly #what: string;
  #at = 0;
  #containers = 0;
  #values = 0;

  constructor(text: string, what: string) {
    this.#text = text;
    this.#what = what;
  }

  document(): Json {
    const value = this.#value(0);
    this.#space();
    if (this.#at !== this.#text.length) this.#fail('the end');
    return value;
  }

  #fail(expected: string): never {
    const found = this.#at < this.#text.length ? JSON.stringify(this.#text.slice(this.#at, this.#at + 10)) : 'the end';
    throw programError(`${this.#what} is not valid JSON: at character ${this.#at} expected ${expected}, found ${found}`);
  }

  #space(): void {
    for (;;) {
      const c = this.#text.charCodeAt(this.#at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.#at++;
    }
  }

  #value(depth: number): Json {
    if (depth > MAX_JSON_DEPTH) throw programError(`${this.#what} nests deeper than ${MAX_JSON_DEPTH} levels`);
    if (++this.#values > MAX_JSON_VALUES) throw programError(`${this.#what} has more than ${MAX_JSON_VALUES} values`);
    this.#space();
    const first = this.#text[this.#at];
    if ((first === '{' || first === '[') && ++this.#containers > MAX_JSON_CONTAINERS)
      throw programError(`${this.#what} has more than ${MAX_JSON_CONTAINERS} lists and objects`);
    switch (first) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #word<T extends Json>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#fail('a value');
    this.#at += word.length;
    return value;
  }

  /** Steps over `c` if it is next, after white space. */
  #take(c: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== c) return false;
    this.#at++;
    return true;
  }

  #object(depth: number): ReadonlyMap<string, Json> {
    this.#at++;
    const out = new Map<string, Json>();
    if (this.#take('}')) return out;
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#fail('a key');
      const key = this.#string();
      if (out.has(key)) this.#fail(`keys only once, but ${JSON.stringify(key.slice(0, 40))} is repeated`);
      if (!this.#take(':')) this.#fail('":"');
      out.set(key, this.#value(depth + 1));
    } while (this.#take(','));
    if (!this.#take('}')) this.#fail('"," or "}"');
    return out;
  }

  #array(depth: number): readonly Json[] {
    this.#at++;
    const out: Json[] = [];
    if (this.#take(']')) return out;
    do out.push(this.#value(depth + 1));
    while (this.#take(','));
    if (!this.#take(']')) this.#fail('"," or "]"');
    return out;
  }

  #string(): string {
    this.#at++;
    let out = '';
    for (;;) {
      PLAIN.lastIndex = this.#at;
      const plain = PLAIN.exec(this.#text)![0];
      this.#at += plain.length;
      out += plain;
      const c = this.#text[this.#at];
      if (c === '"') {
        this.#at++;
        return out;
      }
      if (c !== '\\') this.#fail('the end of a string');
      const escape = this.#text[this.#at + 1] ?? '';
      if (escape === 'u') {
        const hex = this.#text.slice(this.#at + 2, this.#at + 6);
        if (!/^[0-9a-fA-F]{4}$/.test(hex)) this.#fail('four hex digits after "\\u"');
        out += String.fromCharCode(Number.parseInt(hex, 16));
        this.#at += 6;
      } else {
        const meaning = Object.hasOwn(ESCAPES, escape) ? ESCAPES[escape]! : this.#fail('an escape sequence');
        out += meaning;
        this.#at += 2;
      }
    }
  }

  #number(): number | bigint {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) this.#fail('a value');
    const [text, fraction, exponent] = match;
    if (text.length > MAX_NUMBER_CHARS) this.#fail(`a number of at most ${MAX_NUMBER_CHARS} characters`);
    this.#at += text.length;
    const value = Number(text);
    if (fraction !== undefined || exponent !== undefined || Number.isSafeInteger(value)) return value;
    return BigInt(text);
  }
}
