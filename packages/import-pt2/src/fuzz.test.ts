import { readFileSync } from 'node:fs';
import { bufferSource, Graph, QfuseError, verifyGraph } from '@qfuse/plugin';
import { describe, expect, it } from 'vitest';
import { archive, type Doc } from '../test/program-builder.js';
import { importPt2 } from './import-pt2.js';
import { ZipArchive } from './zip.js';

const fixture = (name: string): Uint8Array => readFileSync(new URL(`../../../fixtures/${name}`, import.meta.url));

/** A seeded source of numbers below `n` (Park and Miller's generator): a failing seed fails again. */
function random(seed: number): (n: number) => number {
  let state = seed + 1;
  return (n) => {
    state = (state * 48271) % 0x7fffffff;
    return Math.floor((state / 0x7fffffff) * n);
  };
}

/** `graph`, or the code of the QfuseError; anything else that is thrown fails the test. */
function outcome(bytes: Uint8Array): string {
  try {
    const graph = importPt2(bytes);
    for (const { constant } of graph.constants) constant.bytes();
    const [broken] = verifyGraph(graph);
    return broken === undefined && graph instanceof Graph ? 'graph' : `invalid graph: ${broken?.message}`;
  } catch (e) {
    if (e instanceof QfuseError && !e.message.includes('\n')) return e.code;
    throw e;
  }
}

const acceptable = /^(?:graph|(?:pt2|ir)\/[\w-]+)$/;

describe('a damaged archive', () => {
  const small = fixture('import/write_through_slice.pt2');

  it('is imported or refused in one line when bytes change', () => {
    const bad: string[] = [];
    for (let seed = 0; seed < 400; seed++) {
      const next = random(seed);
      const bytes = small.slice();
      for (let i = next(4); i >= 0; i--) bytes[next(bytes.length)] = next(256);
      const got = outcome(bytes);
      if (!acceptable.test(got)) bad.push(`seed ${seed}: ${got}`);
    }
    expect(bad).toEqual([]);
  });

  it('is refused wherever it is cut', () => {
    const next = random(7);
    for (let i = 0; i < 200; i++) expect(outcome(small.subarray(0, next(small.length)))).toBe('pt2/archive');
  });

  it('is refused when a part is missing or doubled', () => {
    for (let seed = 0; seed < 100; seed++) {
      const next = random(seed);
      const at = next(small.length);
      const length = 1 + next(200);
      const middle = small.subarray(at, at + length);
      const doubled = Uint8Array.from([...small.subarray(0, at), ...middle, ...middle, ...small.subarray(at + length)]);
      const cut = Uint8Array.from([...small.subarray(0, at), ...small.subarray(at + length)]);
      expect(outcome(doubled)).toMatch(acceptable);
      expect(outcome(cut)).toMatch(acceptable);
    }
  });
});

/** Every place in a document that holds a value, as the object and the key. */
function places(value: Doc, out: [Doc, string | number][] = []): [Doc, string | number][] {
  if (typeof value !== 'object' || value === null) return out;
  for (const key of Object.keys(value)) {
    out.push([value, key]);
    places(value[key], out);
  }
  return out;
}

describe('a forged program', () => {
  const odd: readonly Doc[] = [
    null,
    true,
    0,
    -1,
    1,
    2,
    7,
    99,
    2 ** 53,
    1e300,
    0.5,
    '',
    'x',
    'add',
    's0',
    "Symbol('s0', integer=True)",
    'Infinity',
    [],
    {},
    [1, 2],
    { as_int: 1 },
    { as_none: true },
    { as_tensor: { name: 'x' } },
    { as_expr: { expr_str: 'u0' } },
  ];

  it.each(['write_through_slice', 'buffer_mutation', 'two_symbols', 'odd_outputs', 'no_grad_region'])(
    '%s is imported or refused in one line',
    (name) => {
      const zip = new ZipArchive(bufferSource(fixture(`import/${name}.pt2`)));
      const files = [...zip.entries.keys()];
      const text = (end: string): string =>
        new TextDecoder().decode(
          zip.read(
            files.find((f) => f.endsWith(end))!,
            1 << 24,
          ),
        );
      const original = JSON.parse(text('models/model.json')) as Doc;
      const rest = Object.fromEntries(
        files.filter((f) => f.includes('/data/') && !f.endsWith('.pt')).map((f) => [f.slice(f.indexOf('/') + 1), zip.read(f, 1 << 24)]),
      );
      const bad: string[] = [];
      for (let seed = 0; seed < 250; seed++) {
        const next = random(seed * 31 + 5);
        const document = structuredClone(original);
        for (let i = next(3); i >= 0; i--) {
          const all = places(document);
          const [holder, key] = all[next(all.length)]!;
          const other = all[next(all.length)]!;
          const choice = next(4);
          if (choice === 0) delete holder[key];
          else holder[key] = choice === 1 ? structuredClone(other[0][other[1]]) : odd[next(odd.length)];
        }
        const bytes = archive({ document, change: rest });
        const got = outcome(bytes);
        if (!acceptable.test(got)) bad.push(`seed ${seed}: ${got}`);
      }
      expect(bad).toEqual([]);
    },
  );
});
