import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../../docs/${path}`, import.meta.url)), 'utf8');

// The table of docs/defects.md says which test shows what: every one of them must exist under the name that it gives.
const rows = read('defects.md')
  .split('\n')
  .filter((line) => /^\| W\d+ /.test(line));

test('every defect has tests', () => {
  expect(rows.length).toBeGreaterThanOrEqual(36);
  expect(rows.filter((row) => !row.includes('](../'))).toEqual([]);
});

test.each(rows.map((row) => [/W\d+/.exec(row)![0], row] as const))('%s', (_, row) => {
  for (const [, path, title] of row.matchAll(/\]\((\.\.\/[^)]+)\)(?: “([^”]+)”)?/g))
    expect(read(path!), `${path} has "${title}"`).toContain(title ?? '');
});
