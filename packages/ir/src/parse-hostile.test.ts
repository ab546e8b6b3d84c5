import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { graphs } from '../test/graphs.js';
import { ops } from '../test/ops.js';
import { parseGraph, printGraph, QfuseError } from './index.js';

/** The error of a text; undefined when it is read. Anything but a QfuseError with a position fails the test. */
function errorOf(text: string): QfuseError | undefined {
  try {
    parseGraph(text, { ops });
    return undefined;
  } catch (error) {
    if (!(error instanceof QfuseError)) throw new Error(`${String(error)} of:\n${text.slice(0, 200)}`, { cause: error });
    expect(error.message).toMatch(/^line \d+, column \d+: /);
    return error;
  }
}

const long = (piece: string, times: number): string => piece.repeat(times);
const node = (rest: string): string => `graph @g(%x: f32[s0, 2]) where s0 in [1, 9] {\n  ${rest}\n  return\n}`;
const constant = (rest: string): string => node(`%c = constant "c" : ${rest}`);

describe('ir/parse with line and column', () => {
  const texts: readonly [string, string, string][] = [
    ['an empty text', '', 'line 1, column 1: expected "graph", found the end'],
    ['no name', 'graph (', 'line 1, column 7: expected "@", found "("'],
    ['a broken string', 'graph @"abc', 'line 1, column 8: expected a quoted string, found "\\"abc"'],
    ['a bad escape', 'graph @"\\x"() { return }', 'line 1, column 8: expected a quoted string, found "\\"\\\\x\\"() { return }"'],
    ['text behind the end', 'graph @g() { return } graph', 'line 1, column 23: expected the end of the text, found "graph"'],
    [
      'an unknown op',
      node('%0 = t.unknown(%x)'),
      'line 2, column 8: expected an op that is known, "return" or "mutate", found "t.unknown(%x)"',
    ],
    ['an unknown value', node('%0 = t.neg(%y)'), 'line 2, column 14: expected a value that is defined above, found "%y)"'],
    ['a value of itself', node('%0 = t.neg(%0)'), 'line 2, column 14: expected a value that is defined above, found "%0)"'],
    [
      'a name twice',
      node('%0 = t.neg(%x)\n  %0 = t.neg(%x)'),
      'line 3, column 3: expected another name than %0, which is taken, found "%0 = t.neg(%x)"',
    ],
    ['a name twice in one line', node('%a, %a, %b = t.split(%x)'), 'line 2, column 3: expected another name than %a'],
    [
      'the name of an input again',
      'graph @g(%x: f32[], %x: f32[]) { return }',
      'line 1, column 32: two graph inputs or constants are called "x"',
    ],
    ['too few result names', node('%0 = t.split(%x)'), 'line 2, column 8: expected 3 result names for t.split, found "t.split(%x)"'],
    ['a result name too many', node('%0 = t.check(%x)'), 'line 2, column 8: expected 0 result names for t.check'],
    ['too many operands', node('%0 = t.neg(%x, %x)'), 'line 2, column 17: expected at most 1 operands of t.neg'],
    ['a list for a value', node('%0 = t.neg([%x])'), 'line 2, column 14: expected a value as operand "x" of t.neg'],
    ['a value for a list', node('%0 = t.concat(%x)'), 'line 2, column 17: expected a list as operand "items" of t.concat'],
    ['a list in a list', node('%0 = t.concat([[%x]])'), 'line 2, column 18: expected "%" and the name of a value'],
    [
      'an unknown attribute',
      node('%0 = t.other(%x) {axis = 1}'),
      'line 2, column 21: expected an attribute of t.other (int), each once, found "axis = 1}"',
    ],
    [
      'an attribute twice',
      node('%0 = t.other(%x) {int = 1, int = 2}'),
      'line 2, column 30: expected an attribute of t.other (int), each once',
    ],
    ['an attribute called __proto__', node('%0 = t.other(%x) {__proto__ = 1}'), 'line 2, column 21: expected an attribute of t.other'],
    ['no attribute in braces', node('%0 = t.other(%x) {}'), 'line 2, column 21: expected an attribute of t.other'],
    ['a fraction for an int', node('%0 = t.other(%x) {int = 1.5}'), 'line 2, column 27: expected a whole number below 2^53, found "1.5}"'],
    ['an int beyond 2^53', node('%0 = t.other(%x) {int = 9007199254740993}'), 'line 2, column 27: expected a whole number below 2^53'],
    [
      'a scalar beyond 64 bits',
      node('%0 = t.options(%x) {scalar = 18446744073709551616}'),
      'line 2, column 32: expected an integer of at most 64 bits',
    ],
    [
      'a scalar of a million digits',
      node(`%0 = t.options(%x) {scalar = ${long('9', 1e6)}}`),
      'line 2, column 32: expected an integer of at most 64 bits',
    ],
    ['a word for a bool', node('%0 = t.options(%x) {bool = yes}'), 'line 2, column 30: expected "true" or "false"'],
    [
      'a dim with a huge number',
      node('%0 = t.options(%x) {dim = 99999999999999999999}'),
      'line 2, column 29: expected a whole number below 2^53',
    ],
    [
      'dims that overflow together',
      node('%0 = t.options(%x) {dim = 9007199254740991*2}'),
      'line 2, column 47: a symbolic dim has a number beyond 2^53',
    ],
    ['a dim divided by 0', node('%0 = t.options(%x) {dim = mod(s0, 0)}'), 'line 2, column 39: a dim is divided by 0: mod(s0, 0)'],
    [
      'a deep dim in parentheses',
      node(`%0 = t.options(%x) {dim = ${long('(', 1e5)}`),
      'line 2, column 94: expected a dim that nests at most 64 deep',
    ],
    [
      'a deep negative dim',
      node(`%0 = t.options(%x) {dim = ${long('-', 1e5)}1}`),
      'line 2, column 94: expected a dim that nests at most 64 deep',
    ],
    ['a deep minimum', node(`%0 = t.options(%x) {dim = ${long('min(', 1e5)}`), 'expected a dim that nests at most 64 deep'],
    ['a product without end', node(`%0 = t.options(%x) {dim = ${long('(a + b + c + d + e + f + g + h)*', 1000)}1}`), 'a symbolic dim has '],
    [
      'a sum without end',
      node(`%0 = t.options(%x) {dim = ${Array.from({ length: 1e4 }, (_, i) => `a${i}`).join(' + ')}}`),
      'a symbolic dim has more than 1024 terms',
    ],
    ['a word that is no symbol', node('%0 = t.options(%x) {dim = a.b}'), 'expected a dim'],
    ['a reserved word as a symbol', 'graph @g(%x: f32[none]) { return }', 'line 1, column 22: "none" cannot name a symbolic dim'],
    ['an unknown dtype', 'graph @g(%x: f33[2]) { return }', 'line 1, column 14: expected a dtype, found "f33[2]) { return }"'],
    ['a negative size', 'graph @g(%x: f32[2, -1]) { return }', 'line 1, column 21: expected a size of at least 0, found "-1]) { return }"'],
    ['no end of a type', 'graph @g(%x: f32[2', 'line 1, column 19: expected "]", found the end'],
    [
      'facts that contradict',
      'graph @g() where s0 in [4, 2] { return }',
      'line 1, column 31: symbolic dim "s0" would have to be in [4, 2], which is empty',
    ],
    [
      'facts that are no numbers',
      'graph @g() where s0 in [nan, 2] { return }',
      'line 1, column 25: expected a whole number below 2^53, found "nan, 2] { return }"',
    ],
    [
      'a divisor of 0',
      'graph @g() where s0 in [0, 2] by 0 { return }',
      'line 1, column 35: symbolic dim "s0" is declared in [0, 2] by 0, expected whole numbers below 2^53',
    ],
    ['a fact without a name', 'graph @g() where in [0, 2] { return }', 'expected "in"'],
    [
      'a symbol in the type of a constant',
      constant('f32[s0] = splat<1.0>'),
      'line 2, column 30: expected a type without symbols before this place',
    ],
    ['too few elements', constant('i8[3] = dense<[1, 2]>'), 'line 2, column 31: expected 3 elements, found "dense<[1, 2]>"'],
    ['an element out of range', constant('i8[2] = dense<[1, 128]>'), 'line 2, column 31: expected integers from -128 to 127'],
    ['a fraction for an integer', constant('i8[2] = splat<1.5>'), 'line 2, column 31: expected integers from -128 to 127'],
    [
      'an i64 that is too large',
      constant('i64[1] = dense<[9223372036854775808]>'),
      'expected integers from -9223372036854775808 to 9223372036854775807',
    ],
    ['an integer of a million digits', constant(`u64[1] = dense<[${long('1', 1e6)}]>`), 'expected integers from 0 to 18446744073709551615'],
    ['odd bits', constant('i8[1] = bits<"0">'), 'line 2, column 31: expected pairs of hexadecimal digits'],
    ['too many bits', constant('i8[1] = bits<"0000">'), 'constant i8[1] (text) has 2 bytes, expected 1'],
    ['no key', constant('i8[1] = #'), 'expected the key of a constant'],
    ['something else for a constant', constant('i8[1] = 5'), 'expected "dense<[…]>", "splat<…>", "bits<…>" or "#key", found "5"'],
    ['more elements than there are numbers', constant('i8[9007199254740991, 3] = splat<1>'), 'a symbolic dim has a number beyond 2^53'],
    ['deep origins', node(`%0 = t.neg(%x) loc(${long('"a"[', 1e5)}`), 'expected an origin that nests at most 8 deep'],
    ['a header without a number', 'qfuse.graph one', 'line 1, column 13: expected a number, found "one"'],
    ['an end in the middle of a line', 'graph @g()\n', 'line 2, column 1: expected "{", found the end'],
    ['an end of the line', 'graph @g(%x\n: i8[]', 'line 2, column 7: expected ")", found the end'],
    ['a lone remark', '// nothing', 'line 1, column 11: expected "graph", found the end'],
  ];
  test.each(texts)('%s', (_, text, message) => {
    const error = errorOf(text);
    expect(error?.code).toBe('ir/parse');
    expect(error?.message).toContain(message);
  });
});

describe('other errors have a position too', () => {
  const texts: readonly [string, string, string][] = [
    ['ir/operands', node('%0 = t.add(%x)'), 'line 2, column 8: t.add at made by builder: operand "y" is missing'],
    ['ir/operands', node('%0 = t.pack(%x, [%x])'), 'line 2, column 8: t.pack at made by builder: operand "last" is missing'],
    [
      'ir/infer',
      node('%c = constant "c" : i8[] = dense<[1]>\n  %0 = t.add(%x, %c)'),
      'line 3, column 8: t.add at made by builder: dtypes f32 and i8 differ',
    ],
    [
      'ir/attr',
      node('%0 = t.options(%x) {dtype = f33}'),
      'line 2, column 8: t.options at made by builder: attribute "dtype": expected dtype, found "f33"',
    ],
    [
      'ir/attr',
      node('%0 = t.every.kind(%x)'),
      'line 2, column 8: t.every.kind at made by builder: attribute "int": expected int >= -8, found nothing',
    ],
    ['ir/attr', node('%0 = t.options(%x) {ints = [none]}'), 'attribute "ints": expected int, found nothing'],
  ];
  test.each(texts.map(([code, text, message]) => [code, text.split('\n').at(-3)!.trim(), message, text] as const))(
    '%s: %s',
    (code, _, message, text) => {
      const error = errorOf(text);
      expect(error?.code).toBe(code);
      expect(error?.message).toContain(message);
    },
  );
});

test('a text that ends anywhere is refused', () => {
  for (const graph of fc.sample(graphs, { numRuns: 12, seed: 3 })) {
    const text = printGraph(graph, { header: true, origins: true });
    for (let end = 0; end < text.length - 2; end += 1 + Math.floor(text.length / 300))
      if (errorOf(text.slice(0, end))?.code !== 'ir/parse') expect(text.slice(0, end)).toBe('');
  }
});

test('a text in which anything was changed is read or refused', () => {
  const pieces = fc.constantFrom(
    '',
    '"',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '<',
    '>',
    ',',
    '%',
    '#',
    '0',
    '-',
    '99999999999999999999',
    '1e999',
    'nan',
    'none',
    'return',
    '\\',
    '\n',
    '\u0000',
    '//',
    's0',
    'f32[',
    '= ',
    'loc(',
  );
  fc.assert(
    fc.property(graphs, fc.nat(), fc.nat(6), pieces, (graph, at, removed, piece) => {
      const text = printGraph(graph, { header: true, origins: true });
      const start = at % text.length;
      errorOf(text.slice(0, start) + piece + text.slice(start + removed));
    }),
    { numRuns: 700 },
  );
});

test('any other text is refused or, between statements, without effect', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => void expect(errorOf(text)?.code).toBe('ir/parse')));
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => void errorOf(node(text))));
});
