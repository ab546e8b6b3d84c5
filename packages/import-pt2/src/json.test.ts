import { QfuseError } from '@qfuse/plugin';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Json, parseJson } from './json.js';

const parse = (text: string): Json => parseJson(text, 'file.json');

/** Back to plain objects and doubles. */
const plain = (value: Json): unknown =>
  typeof value === 'bigint'
    ? Number(value)
    : value instanceof Map
      ? Object.fromEntries([...value].map(([k, v]) => [k, plain(v as Json)]))
      : Array.isArray(value)
        ? value.map((v) => plain(v as Json))
        : value;

describe('parseJson', () => {
  it('agrees with JSON.parse on what JSON.stringify writes', () => {
    const property = fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(undefined, 2), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      fc.pre(!text.includes('__proto__'));
      expect(plain(parse(text))).toEqual(JSON.parse(text));
    });
    expect(() => fc.assert(property, { numRuns: 200 })).not.toThrow();
  });

  it('never throws anything but a QfuseError on other text', () => {
    const code = (text: string): string => {
      try {
        parse(text);
        return 'none';
      } catch (e) {
        return e instanceof QfuseError ? e.code : String(e);
      }
    };
    const property = fc.property(fc.string(), fc.constantFrom('', '{"a": [1, ', '[true, "'), (text, before) =>
      ['none', 'pt2/program'].includes(code(before + text)),
    );
    expect(() => fc.assert(property, { numRuns: 200 })).not.toThrow();
  });

  it('keeps 64-bit integers exact', () => {
    expect(parse('[9223372036854775807, -9223372036854775808, 9007199254740991, 1.0, 1e3]')).toEqual([
      9223372036854775807n,
      -9223372036854775808n,
      9007199254740991,
      1,
      1000,
    ]);
  });

  it('treats no key as special', () => {
    const value = parse('{"__proto__": 1, "constructor": 2}') as ReadonlyMap<string, Json>;
    expect([...value]).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
    ]);
  });

  it('reads escapes', () => expect(parse(String.raw`"\"\\\/\b\f\n\r\tA\ud83d\ude00"`)).toBe('"\\/\b\f\n\r\tA😀'));

  it.each([
    ['', /expected a value, found the end/],
    ['{', /expected a key/],
    ['{"a" 1}', /expected ":"/],
    ['{"a": 1, "a": 2}', /"a" is repeated/],
    ['[1 2]', /expected "," or "\]"/],
    ['[1,]', /expected a value/],
    ['01', /expected the end/],
    ['+1', /expected a value/],
    ['NaN', /expected a value/],
    ['"a', /end of a string/],
    ['"\n"', /end of a string/],
    [String.raw`"\x"`, /escape sequence/],
    [String.raw`"\u12g4"`, /four hex digits/],
    ['trueth', /expected the end/],
    ['tru', /expected a value/],
    ['1'.repeat(100), /at most 64 characters/],
  ])('refuses %j', (text, message) => expect(() => parse(text)).toThrow(message));

  it('refuses more lists and objects than memory can hold', () =>
    expect(() => parse(`[${'{},'.repeat(2_000_001)}`)).toThrow(/more than 2000000 lists and objects/));

  it('refuses nesting without using up the stack', () => {
    expect(() => parse('['.repeat(1_000_000))).toThrow(/deeper than 200 levels/);
    expect(() => parse('{"a":'.repeat(1_000_000))).toThrow(/deeper than 200 levels/);
    expect(parse(`${'['.repeat(150)}${']'.repeat(150)}`)).toBeTruthy();
  });
});
