// The generators and the layer check on a copy of this workspace: what they write has to pass unedited what CI asks.
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { workspaceRoot } from './workspace.mjs';

const left = new Set(['.git', '.nx', 'node_modules', 'dist', 'coverage', 'fixtures']);
let copy: string;

beforeAll(() => {
  copy = realpathSync(mkdtempSync(join(tmpdir(), 'qfuse-generators-')));
  cpSync(workspaceRoot, copy, { recursive: true, filter: (path) => path === workspaceRoot || !left.has(basename(path)) });
  // Tools come from here; packages link back to the sources of this workspace, which the copy equals.
  symlinkSync(join(workspaceRoot, 'node_modules'), join(copy, 'node_modules'), 'dir');
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

const tool = (path: string, ...args: string[]): string => {
  const result = spawnSync(process.execPath, [join(workspaceRoot, 'node_modules', path), ...args], {
    cwd: copy,
    encoding: 'utf8',
    env: { ...process.env, CI: '1', NO_COLOR: '1', FORCE_COLOR: undefined, VITEST: undefined, NODE_ENV: undefined },
  });
  expect(result.status, `${path} ${args.join(' ')}\n${result.stdout}\n${result.stderr}`).toBe(0);
  return result.stdout;
};
const generate = (...args: string[]) => tool('nx/dist/bin/nx.js', 'g', ...args, '--no-interactive');

/** Lint, format, types and tests of one package of the copy. */
function expectClean(root: string, name: string, ...files: string[]) {
  tool('oxlint/bin/oxlint', '--deny-warnings', ...files);
  tool('oxfmt/bin/oxfmt', '--check', ...files);
  tool('ts7/bin/tsc', '-p', join(root, 'tsconfig.json'), '--noEmit');
  tool('ts7/bin/tsc', '-p', join(root, 'tsconfig.build.json'), '--outDir', join(copy, 'declarations'));
  return tool(
    'vitest/vitest.mjs',
    'run',
    '--config',
    'vitest.workspace.ts',
    '--project',
    name,
    ...files.filter((file) => file.endsWith('.test.ts')),
  );
}

describe('nx g @qfuse/tools:op', () => {
  test('writes an op that passes lint, types and its own tests', () => {
    generate('@qfuse/tools:op', 'aten.scale_by.Scalar', '--description', 'a planted op');
    const files = ['packages/ops/src/aten/scale-by-scalar.ts', 'packages/ops/src/aten/scale-by-scalar.test.ts'];
    expect(readFileSync(join(copy, files[0]!), 'utf8')).toContain("name: 'aten.scale_by.Scalar'");
    expect(expectClean('packages/ops', '@qfuse/ops', ...files)).toMatch(/Tests +\d+ passed/);
    expect(readFileSync(join(copy, '.changeset/op-aten-scale-by-scalar.md'), 'utf8')).toContain("'@qfuse/ops': minor");
  });

  test.each([
    ['unknown.op', 'does not match'],
    ['aten.scale_by.Scalar', 'already exists'],
    ['aten.relu', 'rectifiers.ts already defines aten.relu'],
  ])('refuses %s', (name, reason) => {
    expect(() =>
      execFileSync(
        process.execPath,
        [join(workspaceRoot, 'node_modules/nx/dist/bin/nx.js'), 'g', '@qfuse/tools:op', name, '--no-interactive'],
        { cwd: copy, encoding: 'utf8', stdio: 'pipe' },
      ),
    ).toThrow(reason);
  });
});

describe('nx g @qfuse/tools:pass', () => {
  test('writes a package that passes lint, types, layers and its own tests', () => {
    generate('@qfuse/tools:pass', 'fuse-planted', '--description', 'a planted pass');
    const root = 'packages/passes/fuse-planted';
    expect(JSON.parse(readFileSync(join(copy, root, 'package.json'), 'utf8'))).toMatchObject({
      name: '@qfuse/pass-fuse-planted',
      description: 'a planted pass',
    });
    for (const file of ['LICENSE', 'README.md', 'tsconfig.build.json', 'tsup.config.ts'])
      expect(existsSync(join(copy, root, file)), file).toBe(true);
    expect(expectClean(root, '@qfuse/pass-fuse-planted', root)).toMatch(/Tests +\d+ passed/);
    expect(checkLayers()).toEqual([0, expect.stringContaining('all rules hold')]);
  });
});

test('the layer check finds every violation that is planted in the workspace', () => {
  const plants = [
    [
      'packages/passes/cse/src/index.ts',
      "import '@qfuse/pass-dce';",
      '@qfuse/pass-cse -> @qfuse/pass-dce: not declared in packages/passes/cse/package.json',
    ],
    [
      'packages/ir/src/index.ts',
      "export { cpus } from 'node:os';",
      'packages/ir/src/index.ts: imports node:os: this package runs in browsers and may not use Node',
    ],
    [
      'packages/ops/src/index.ts',
      "import '../../ir/src/index.js';",
      'packages/ops/src/index.ts: imports ../../ir/src/index.js: a relative import may not leave its package; import by package name',
    ],
    [
      'packages/plugin/src/index.ts',
      "import '@qfuse/ir/src/store.js';",
      'packages/plugin/src/index.ts: imports @qfuse/ir/src/store.js: @qfuse/ir does not export it; its public entries are its exports',
    ],
    [
      'packages/rewrite/src/index.ts',
      "export type { Plugin } from '@qfuse/plugin';",
      'packages/rewrite/src/index.ts: imports @qfuse/plugin: not declared in packages/rewrite/package.json',
    ],
  ] as const;
  for (const [file, line] of plants) appendFileSync(join(copy, file), `${line}\n`);
  const [code, output] = checkLayers();
  expect(code).toBe(1);
  for (const [, , finding] of plants) expect(output.split('\n')).toContain(finding);
});

function checkLayers(): [code: number | null, output: string] {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['tools/check-layers.mjs'], { cwd: copy, encoding: 'utf8' });
  return [status, stdout + stderr];
}
