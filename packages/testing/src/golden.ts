import { readdirSync, readFileSync, writeFileSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One case of a golden file. */
export interface GoldenCase {
  readonly file: string;
  /** Position in the file, from 0. */
  readonly index: number;
  /** The comment above the graph. */
  readonly name: string;
  /** Passes named by `// passes:`, or undefined for all of the plugin. */
  readonly passes: readonly string[] | undefined;
  readonly input: string;
  /** The graph after `// =>`, or undefined when it stays unchanged. */
  readonly output: string | undefined;
  /** The reason of `// => unchanged: "reason"`. */
  readonly unchanged: string | undefined;
}

const separator = /^\/\/ -----[ \t]*$/m;
const arrow = /^\/\/ =>(.*)$/m;

/** The golden files beside a test: `golden/` or `test/golden/`, searched upwards from the test to its package. */
export function goldenFiles(testUrl: string): readonly string[] {
  for (let folder = dirname(fileURLToPath(testUrl)); ; folder = dirname(folder)) {
    for (const place of [join(folder, 'golden'), join(folder, 'test', 'golden')])
      if (existsSync(place))
        return readdirSync(place)
          .filter((f) => f.endsWith('.qg'))
          .sort()
          .map((f) => join(place, f));
    if (existsSync(join(folder, 'package.json')) || dirname(folder) === folder) return [];
  }
}

/** The cases of a golden file. @throws Error when a case has no `// =>`, no graph or no name */
export function readGolden(file: string): readonly GoldenCase[] {
  return readFileSync(file, 'utf8')
    .split(separator)
    .map((text, index) => parseCase(file, index, text));
}

function parseCase(file: string, index: number, text: string): GoldenCase {
  const found = arrow.exec(text);
  if (found === null) throw new Error(`${file}: case ${index + 1} has no "// =>"`);
  const head = text.slice(0, found.index);
  const start = head.search(/^(?:qfuse\.graph|graph)\b/m);
  if (start < 0) throw new Error(`${file}: case ${index + 1} has no graph before its "// =>"`);
  const comments = head
    .slice(0, start)
    .split('\n')
    .filter((l) => l.startsWith('//'));
  const passes = comments.find((l) => l.startsWith('// passes:'));
  const name = comments
    .filter((l) => l !== passes)
    .map((l) => l.slice(2).trim())
    .join(' ');
  if (name === '') throw new Error(`${file}: case ${index + 1} has no name: write a comment above the graph`);
  const unchanged = /^\s*unchanged:\s*"((?:[^"\\]|\\.)*)"\s*$/.exec(found[1]!);
  return {
    file,
    index,
    name,
    passes: passes
      ?.slice('// passes:'.length)
      .split(',')
      .map((p) => p.trim()),
    input: head.slice(start),
    output: unchanged === null ? text.slice(found.index + found[0].length).trim() : undefined,
    unchanged: unchanged === null ? undefined : (JSON.parse(`"${unchanged[1]}"`) as string),
  };
}

/** Writes what stands after `// =>` of one case anew, and nothing else. */
export function updateGolden({ file, index }: GoldenCase, result: { readonly output: string } | { readonly unchanged: string }): void {
  const parts = readFileSync(file, 'utf8').split(separator);
  const text = parts[index]!;
  const { index: at } = arrow.exec(text)!;
  const tail = 'output' in result ? `// =>\n${result.output.trimEnd()}\n` : `// => unchanged: ${JSON.stringify(result.unchanged)}\n`;
  parts[index] = text.slice(0, at) + tail;
  writeFileSync(file, parts.join('// -----'));
}
