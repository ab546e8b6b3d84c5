import { describe, expect, test } from 'vitest';
import { checkLayers, layerOf, type Edge, type Package } from './rules.mjs';

/** A package that breaks no rule; a test plants one violation in it. */
function pkg(root: string, parts: Partial<Package> & { imports?: Record<string, string[]>; types?: string[] } = {}): Package {
  const folder = root.replace(/^.*\//, '');
  const name = root.startsWith('packages/passes/') ? `@qfuse/pass-${folder}` : `@qfuse/${folder}`;
  const files = Object.entries(parts.imports ?? {}).map(([file, specifiers]) => ({
    path: `${root}/src/${file}`,
    imports: specifiers.map((specifier) => ({ specifier, typeOnly: parts.types?.includes(specifier) ?? false })),
  }));
  return {
    name,
    root,
    buildConfig: '../../tsconfig.portable.json',
    files,
    ...parts,
    manifest: { exports: { '.': {} }, ...parts.manifest },
  };
}

const uses = (...names: string[]) => ({
  dependencies: Object.fromEntries(names.map((name) => [`@qfuse/${name}`, '^0.1.0'])),
});
const tests = (...names: string[]) => ({ devDependencies: uses(...names).dependencies });

/** The project graph that nx makes of what the packages declare. */
function edgesOf(packages: readonly Package[]): Edge[] {
  return packages.flatMap((from) => {
    const declared = Object.keys({ ...from.manifest.dependencies, ...from.manifest.devDependencies });
    return declared.map((target) => ({ source: from.name, target }));
  });
}

const check = (...packages: Package[]) => checkLayers(packages, edgesOf(packages));

describe('what is allowed', () => {
  test('every layer, imported the right way, has no finding', () => {
    const findings = check(
      pkg('packages/ir'),
      pkg('packages/ops', { manifest: uses('ir'), imports: { 'index.ts': ['@qfuse/ir', './define.js'] } }),
      pkg('packages/rewrite', {
        manifest: { ...uses('ir', 'ops'), ...tests('testing', 'interp') },
        imports: { 'driver.test.ts': ['vitest', 'fast-check', 'node:fs', '@qfuse/testing', '@qfuse/interp'] },
      }),
      pkg('packages/interp', { manifest: uses('ir', 'ops', 'rewrite') }),
      pkg('packages/plugin', { manifest: uses('ir', 'ops', 'rewrite') }),
      pkg('packages/passes/cse', {
        manifest: { ...uses('plugin', 'ops'), ...tests('testing') },
        imports: { 'sub/rules.ts': ['@qfuse/plugin', '../options.js'] },
      }),
      pkg('packages/import-pt2', { manifest: uses('plugin'), imports: { 'node.ts': ['node:fs'] } }),
      pkg('packages/backend-webgpu', { manifest: { ...uses('plugin', 'ops'), ...tests('device-node') } }),
      pkg('packages/compiler', { manifest: uses('ir', 'interp', 'import-pt2', 'pass-cse', 'backend-webgpu') }),
      pkg('packages/device-node', { imports: { 'index.ts': ['node:os', 'fs'] } }),
      pkg('packages/testing', { manifest: uses('plugin', 'interp', 'rewrite') }),
    );
    expect(findings).toEqual([]);
  });

  test('edges to packages from outside the workspace and to itself are not layers', () => {
    expect(
      checkLayers(
        [pkg('packages/ir')],
        [
          { source: '@qfuse/ir', target: 'npm:vitest' },
          { source: '@qfuse/ir', target: '@qfuse/ir' },
        ],
      ),
    ).toEqual([]);
  });

  test('a type of a third party that is only a devDependency', () => {
    expect(
      check(
        pkg('packages/pass-manager', {
          manifest: { devDependencies: { 'typed-emitter': '2.1.0' } },
          imports: { 'events.ts': ['typed-emitter'] },
          types: ['typed-emitter'],
        }),
      ),
    ).toEqual([]);
  });
});

describe('layers', () => {
  test.each([
    ['packages/ir', 'ops', 'packages/ops', 'layer ir may not import layer core'],
    ['packages/rewrite', 'plugin', 'packages/plugin', 'layer core may not import layer author'],
    ['packages/plugin', 'pass-cse', 'packages/passes/cse', 'layer author may not import layer plugin'],
    ['packages/passes/cse', 'rewrite', 'packages/rewrite', 'layer plugin may not import layer core'],
    ['packages/backend-webgpu', 'compiler', 'packages/compiler', 'layer plugin may not import layer app'],
    ['packages/testing', 'cli', 'packages/cli', 'layer test may not import layer app'],
    [
      'packages/ops',
      'rewrite',
      'packages/rewrite',
      'inside core only packages to the left may be imported (ops, rewrite, pass-manager, interp)',
    ],
    [
      'packages/rewrite',
      'interp',
      'packages/interp',
      'inside core only packages to the left may be imported (ops, rewrite, pass-manager, interp)',
    ],
    ['packages/compiler', 'testing', 'packages/testing', 'belongs into devDependencies, it is only for tests'],
    ['packages/passes/cse', 'testing', 'packages/testing', 'belongs into devDependencies, it is only for tests'],
    ['packages/passes/cse', 'pass-dce', 'packages/passes/dce', 'a plugin never imports a plugin; they meet through ops and properties'],
    ['packages/passes/cse', 'import-pt2', 'packages/import-pt2', 'a plugin never imports a plugin; they meet through ops and properties'],
  ])('%s may not depend on %s', (from, dependency, to, reason) => {
    const source = pkg(from, { manifest: uses(dependency) });
    expect(check(source, pkg(to))).toEqual([`${source.name} -> @qfuse/${dependency}: ${reason}`]);
  });

  test('a pass may not import a pass in its tests either', () => {
    const findings = check(
      pkg('packages/passes/cse', { manifest: tests('pass-dce'), imports: { 'cse.test.ts': ['@qfuse/pass-dce'] } }),
      pkg('packages/passes/dce'),
    );
    expect(findings).toEqual(['@qfuse/pass-cse -> @qfuse/pass-dce: a plugin never imports a plugin; they meet through ops and properties']);
  });

  test('a folder that no layer names is itself a finding', () => {
    expect(layerOf('packages/misc')).toBeUndefined();
    expect(check(pkg('packages/misc'))).toEqual(['packages/misc: belongs to no layer; name it in tools/layers/rules.mjs']);
  });
});

describe('imports', () => {
  const findings = (parts: Parameters<typeof pkg>[1], root = 'packages/ops') =>
    check(pkg(root, parts), pkg('packages/ir', { manifest: { exports: { '.': {}, './text': {} } } }));

  test('a workspace package that is not declared', () => {
    expect(findings({ imports: { 'index.ts': ['@qfuse/ir'] } })).toEqual([
      '@qfuse/ops -> @qfuse/ir: not declared in packages/ops/package.json',
      'packages/ops/src/index.ts: imports @qfuse/ir: not declared in packages/ops/package.json',
    ]);
  });

  test('a third-party package that is not declared, shipped or in a test', () => {
    expect(findings({ imports: { 'index.ts': ['left-pad'], 'index.test.ts': ['@scope/pad/sub'] } })).toEqual([
      'packages/ops/src/index.test.ts: imports @scope/pad/sub: not declared in packages/ops/package.json',
      'packages/ops/src/index.ts: imports left-pad: not declared in packages/ops/package.json',
    ]);
  });

  test('a devDependency in a shipped file, also when only its type is used', () => {
    const testing = pkg('packages/testing');
    const planted = pkg('packages/passes/cse', {
      manifest: tests('testing'),
      imports: { 'index.ts': ['@qfuse/testing'] },
      types: ['@qfuse/testing'],
    });
    expect(check(planted, testing)).toEqual([
      'packages/passes/cse/src/index.ts: imports @qfuse/testing: only a devDependency, but this file is shipped',
    ]);
    expect(findings({ manifest: { devDependencies: { pad: '1.0.0' } }, imports: { 'index.ts': ['pad'] } })).toEqual([
      'packages/ops/src/index.ts: imports pad: only a devDependency, but this file is shipped',
    ]);
  });

  test("another package's internals, by name and by path", () => {
    expect(
      findings({
        manifest: uses('ir'),
        imports: {
          'a.ts': ['@qfuse/ir/text'],
          'b.ts': ['@qfuse/ir/src/store.js'],
          'c.test.ts': ['../../ir/src/store.js'],
        },
      }),
    ).toEqual([
      'packages/ops/src/b.ts: imports @qfuse/ir/src/store.js: @qfuse/ir does not export it; its public entries are its exports',
      'packages/ops/src/c.test.ts: imports ../../ir/src/store.js: a relative import may not leave its package; import by package name',
    ]);
  });

  test('what is for tests may import like a test, and only tests may import it', () => {
    const manifest = { ...uses('ir'), ...tests('testing') };
    const imports = {
      'testing/device.ts': ['vitest', 'node:fs', '@qfuse/testing'],
      'test-support.ts': ['node:os'],
      'a.test.ts': ['./testing/device.js', './test-support.js', '../test/builder.js'],
      'index.ts': ['./testing/device.js', './test-support.js', '../test/builder.js'],
    };
    const reason = 'only tests may import what is for tests';
    expect(check(pkg('packages/ops', { manifest, imports }), pkg('packages/ir'), pkg('packages/testing'))).toEqual([
      `packages/ops/src/index.ts: imports ../test/builder.js: ${reason}`,
      `packages/ops/src/index.ts: imports ./test-support.js: ${reason}`,
      `packages/ops/src/index.ts: imports ./testing/device.js: ${reason}`,
    ]);
  });

  test.each(['node:fs', 'fs', 'fs/promises', 'node:test', 'buffer'])('a browser package that imports %s', (specifier) => {
    const reason = 'this package runs in browsers and may not use Node';
    expect(findings({ imports: { 'index.ts': [specifier], 'index.test.ts': [specifier] } })).toEqual([
      `packages/ops/src/index.ts: imports ${specifier}: ${reason}`,
    ]);
    expect(findings({ imports: { 'index.ts': [specifier] } }, 'packages/passes/cse')).toEqual([
      `packages/passes/cse/src/index.ts: imports ${specifier}: ${reason}`,
    ]);
    expect(findings({ imports: { 'index.ts': [specifier] } }, 'packages/device-node')).toEqual([]);
  });

  test('the entry "./node" of a browser package may use Node, and nothing else of it may use that entry', () => {
    const device = pkg('packages/device-node');
    const manifest = { ...uses('device-node'), exports: { '.': {}, './node': {} } };
    const compiler = pkg('packages/compiler', {
      manifest,
      imports: {
        'node.ts': ['node:fs', '@qfuse/device-node'],
        'node.test.ts': ['./node.js'],
        'index.ts': ['./node.js', '@qfuse/device-node'],
      },
    });
    const preset = pkg('packages/preset-webgpu', {
      manifest: uses('compiler'),
      imports: { 'index.ts': ['@qfuse/compiler', '@qfuse/compiler/node'] },
    });
    expect(check(device, compiler, preset)).toEqual([
      'packages/compiler/src/index.ts: imports ./node.js: this package runs in browsers; only users in Node import its entry "./node"',
      'packages/compiler/src/index.ts: imports @qfuse/device-node: this package runs in browsers, what it imports needs Node',
      'packages/preset-webgpu/src/index.ts: imports @qfuse/compiler/node: this package runs in browsers, what it imports needs Node',
    ]);
  });

  test('a browser package whose declarations are built with the types of Node', () => {
    expect(findings({ buildConfig: '../../tsconfig.build.json' })).toEqual([
      'packages/ops/tsconfig.build.json: has to extend tsconfig.portable.json, as this package runs in browsers',
    ]);
  });
});
