import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { NameTable, type Page } from './name-table.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
/** Weak references hold what they gave until the current job ends. */
const nextJob = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

interface Entry {
  readonly name: string;
  readonly scope: string;
  readonly page: Page<Entry>;
}

const table = (): NameTable<Entry> => new NameTable((name, scope, page) => Object.freeze({ name, scope, page }));

describe('a table of names', () => {
  it('makes one object for a name in a scope', () => {
    const names = table();
    const a = names.get('a', '');
    expect([a.name, a.scope, names.get('a', '') === a]).toEqual(['a', '', true]);
    expect(names.get('a', 'x')).not.toBe(a);
    expect(names.get('ab', 'c')).not.toBe(names.get('a', 'bc'));
    expect(names.get('', '')).not.toBe(names.get('', 'a'));
  });

  test('whatever the names are', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.string({ maxLength: 3 })), { maxLength: 300 }), (pairs) => {
        const names = table();
        const first = pairs.map(([name, scope]) => names.get(name, scope));
        first.forEach((entry, i) => expect([entry.name, entry.scope]).toEqual(pairs[i]));
        expect(pairs.every(([name, scope], i) => names.get(name, scope) === first[i])).toBe(true);
        expect(new Set(first).size).toBe(new Set(pairs.map((pair) => JSON.stringify(pair))).size);
      }),
    );
  });

  it('holds any number, in pages with numbers of their own', () => {
    const names = table();
    const entries = Array.from({ length: 100_000 }, (_, i) => names.get(`n${i}`, `s${i % 7}`));
    expect(entries.every((entry, i) => names.get(`n${i}`, `s${i % 7}`) === entry)).toBe(true);
    const pages = [...new Set(entries.map((entry) => entry.page))];
    expect(pages.flatMap((page) => page.objects)).toEqual(entries);
    expect(pages.map((page) => page.first)).toEqual(pages.map((_, i) => i * pages[0]!.objects.length));
    expect(names.capacity).toBe(2 ** 17);
  });

  it('lets go what nobody uses, and keeps what somebody does', async () => {
    const names = table();
    const kept: Entry[] = [];
    for (let round = 0; round < 30; round++) {
      for (let i = 0; i < 2000; i++) names.get(`${round} ${i}`, 'gone');
      if (round % 3 === 0) kept.push(names.get(`kept ${round}`, ''));
      await nextJob();
      collectGarbage();
    }
    // Of 60 000: those of a round, and a page for each that is kept.
    expect(names.capacity).toBeLessThanOrEqual(8192);
    kept.forEach((entry, i) => expect(names.get(`kept ${3 * i}`, '')).toBe(entry));
  });
});
