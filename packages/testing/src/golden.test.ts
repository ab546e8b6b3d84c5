import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { goldenFiles, readGolden, updateGolden } from './golden.js';

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'golden-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const graph = (name: string): string => `graph @${name}(%x: f32[2]) {\n  return %x\n}\n`;
const text = `// a rewrite
// in two lines
${graph('a')}// =>
${graph('b')}// -----
// passes: cse, dce
// a refusal
${graph('c')}// => unchanged: "its name is \\"x\\""
// -----
// new
qfuse.graph 1
${graph('d')}// =>
`;

function fileOf(contents: string, name = 'case.qg'): string {
  const file = join(folder, name);
  writeFileSync(file, contents);
  return file;
}

describe('readGolden', () => {
  test('reads names, passes, graphs and reasons', () => {
    const [first, second, third, ...rest] = readGolden(fileOf(text));
    expect(rest).toEqual([]);
    expect(first).toMatchObject({
      index: 0,
      name: 'a rewrite in two lines',
      passes: undefined,
      output: graph('b').trim(),
      unchanged: undefined,
    });
    expect(first!.input.trim()).toBe(graph('a').trim());
    expect(second).toMatchObject({ index: 1, name: 'a refusal', passes: ['cse', 'dce'], unchanged: 'its name is "x"', output: undefined });
    expect(third!.input).toMatch(/^qfuse\.graph 1/);
    expect(third).toMatchObject({ name: 'new', output: '' });
  });

  test.each([
    ['without an arrow', `// a\n${graph('a')}`, 'case 1 has no "// =>"'],
    ['without a name', `${graph('a')}// =>\n`, 'case 1 has no name: write a comment above the graph'],
    ['without a graph', '// a\n// =>\n', 'case 1 has no graph before its "// =>"'],
    ['without a name, but with passes', `// passes: dce\n${graph('a')}// =>\n`, 'case 1 has no name'],
    ['in the second place', `${text}// -----\n// a\n${graph('a')}`, 'case 4 has no "// =>"'],
  ])('names the file and a case %s', (_, contents, message) => {
    const file = fileOf(contents);
    expect(() => readGolden(file)).toThrow(`${file}: ${message}`);
  });
});

describe('updateGolden', () => {
  test('writes the result of one case and nothing else', () => {
    const file = fileOf(text);
    updateGolden(readGolden(file)[2]!, { output: graph('e') });
    expect(readFileSync(file, 'utf8')).toBe(`${text}${graph('e')}`);
  });
  test('turns a rewrite into a refusal and back', () => {
    const file = fileOf(text);
    updateGolden(readGolden(file)[0]!, { unchanged: 'a "reason"' });
    expect(readFileSync(file, 'utf8')).toBe(text.replace(`// =>\n${graph('b')}`, '// => unchanged: "a \\"reason\\""\n'));
    updateGolden(readGolden(file)[0]!, { output: graph('b') });
    expect(readFileSync(file, 'utf8')).toBe(text);
  });
  test('updating all cases one after the other keeps the file as it is', () => {
    const file = fileOf(text);
    for (const c of readGolden(file)) updateGolden(c, c.unchanged === undefined ? { output: c.output! } : { unchanged: c.unchanged });
    expect(readFileSync(file, 'utf8').trimEnd()).toBe(text.trimEnd());
  });
});

describe('goldenFiles', () => {
  const testUrl = (...path: string[]): string => pathToFileURL(join(folder, ...path)).href;

  test('finds the files of a package, sorted', () => {
    mkdirSync(join(folder, 'pass', 'src', 'deep'), { recursive: true });
    mkdirSync(join(folder, 'pass', 'test', 'golden'), { recursive: true });
    writeFileSync(join(folder, 'pass', 'package.json'), '{}');
    for (const name of ['b.qg', 'a.qg', 'notes.md']) writeFileSync(join(folder, 'pass', 'test', 'golden', name), '');
    const names = goldenFiles(testUrl('pass', 'src', 'deep', 'x.test.ts')).map((f) => f.slice(join(folder, 'pass', 'test').length + 1));
    expect(names).toEqual([join('golden', 'a.qg'), join('golden', 'b.qg')]);
  });
  test('does not look beyond the package', () => {
    mkdirSync(join(folder, 'other', 'inner', 'src'), { recursive: true });
    mkdirSync(join(folder, 'other', 'golden'), { recursive: true });
    writeFileSync(join(folder, 'other', 'golden', 'a.qg'), '');
    writeFileSync(join(folder, 'other', 'inner', 'package.json'), '{}');
    expect(goldenFiles(testUrl('other', 'inner', 'src', 'x.test.ts'))).toEqual([]);
  });
});
