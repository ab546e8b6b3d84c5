import { describe, expect, test } from 'vitest';
import { checkDeclarations, checkLicences, checkManifest } from './rules.mjs';

const manifest = {
  description: 'text',
  license: 'MIT',
  repository: {},
  engines: {},
  type: 'module',
  exports: {
    '.': { '@qfuse/source': './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' },
    './package.json': './package.json',
  },
  dependencies: { '@qfuse/ir': '^0.1.0', fflate: '0.8.3' },
};
const files = ['package.json', 'LICENSE', 'src/index.ts', 'dist/index.js', 'dist/index.d.ts'];

describe('manifest', () => {
  test('a complete package has no finding', () => expect(checkManifest(manifest, files)).toEqual([]));

  test.each([
    ['a field is missing', { ...manifest, description: '' }, files, 'package.json has no "description"'],
    ['CommonJS', { ...manifest, type: 'commonjs' }, files, 'package.json must say "type": "module"'],
    [
      'an entry that is not packed',
      manifest,
      files.filter((path) => path !== 'dist/index.d.ts'),
      'exports "." names ./dist/index.d.ts, which is not packed',
    ],
    [
      'a command that is not packed',
      { ...manifest, bin: { qfuse: './bin/qfuse.js' } },
      files,
      'bin names ./bin/qfuse.js, which is not packed',
    ],
    [
      'the source condition is late',
      { ...manifest, exports: { '.': { default: './dist/index.js', '@qfuse/source': './src/index.ts' } } },
      files,
      'exports "." must begin with the condition "@qfuse/source"',
    ],
    ['no licence text', manifest, files.filter((path) => path !== 'LICENSE'), 'LICENSE is not packed'],
    ['a test is packed', manifest, [...files, 'src/index.test.ts'], 'src/index.test.ts is packed, but tests are not for users'],
    [
      'test support is packed',
      manifest,
      [...files, 'src/testing/device.ts'],
      'src/testing/device.ts is packed, but tests are not for users',
    ],
    [
      'a floating third party',
      { ...manifest, dependencies: { fflate: '^0.8.3' } },
      files,
      'dependencies: fflate is "^0.8.3", expected an exact version',
    ],
    [
      'a pinned package of ours',
      { ...manifest, dependencies: { '@qfuse/ir': '0.1.0' } },
      files,
      'dependencies: @qfuse/ir is "0.1.0", expected a caret range',
    ],
  ])('%s', (_name, planted, packed, finding) => expect(checkManifest(planted, packed)).toEqual([finding]));
});

test('declarations name dependencies only', () => {
  const check = (...specifiers: string[]) => checkDeclarations({ name: '@qfuse/ops', ...manifest }, [{ path: 'dist/a.d.ts', specifiers }]);
  expect(check('./b.js', '@qfuse/ir', '@qfuse/ir/text', 'fflate', 'node:fs', '@qfuse/ops')).toEqual([]);
  expect(check('@qfuse/rewrite', 'left-pad/sub', 'left-pad')).toEqual([
    'dist/a.d.ts needs types of @qfuse/rewrite, which is not a dependency; annotate the export',
    'dist/a.d.ts needs types of left-pad, which is not a dependency; annotate the export',
  ]);
});

describe('licences', () => {
  const check = (entry: object) => checkLicences({ packages: { '': {}, 'packages/ir': {}, 'node_modules/a/node_modules/@b/c': entry } });

  test('allowed ones, choices and conjunctions', () => {
    for (const license of ['MIT', '(MIT OR GPL-3.0)', 'MIT AND ISC']) expect(check({ license })).toEqual([]);
    expect(checkLicences({ packages: { 'node_modules/lightningcss-linux-x64-gnu': { license: 'MPL-2.0' } } })).toEqual([]);
    expect(check({ link: true })).toEqual([]);
  });

  test.each([
    [{ license: 'GPL-3.0' }, 'GPL-3.0'],
    [{ license: 'MPL-2.0' }, 'MPL-2.0'],
    [{ license: 'MIT AND GPL-3.0' }, 'MIT AND GPL-3.0'],
    [{}, 'none stated'],
  ])('%o is refused', (entry, licence) =>
    expect(check(entry)).toEqual([`@b/c: licence ${licence} is not on the list of tools/packages/rules.mjs`]),
  );
});
