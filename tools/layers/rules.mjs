// The layer rules of this workspace as a function from facts to findings. What collects the facts is check-layers.mjs;
// keeping it apart lets the tests plant a violation of every rule without a workspace on disk.
import { builtinModules } from 'node:module';
import { posix } from 'node:path';

/**
 * @typedef {{ specifier: string, typeOnly: boolean }} Import
 * @typedef {{ path: string, imports: Import[] }} SourceFile `path` is relative to the workspace root
 * @typedef {{
 *   name: string,
 *   root: string,
 *   manifest: { dependencies?: Record<string, string>, devDependencies?: Record<string, string>, peerDependencies?: Record<string, string>, optionalDependencies?: Record<string, string>, exports?: Record<string, unknown> },
 *   buildConfig?: string,
 *   files: SourceFile[],
 * }} Package `buildConfig` is what its tsconfig.build.json extends
 * @typedef {{ source: string, target: string }} Edge one edge of the project graph, by package names
 * @typedef {'ir' | 'core' | 'author' | 'plugin' | 'app' | 'test'} Layer
 */

/** Core packages from left to right: each may import those to its left. */
const core = ['ops', 'rewrite', 'pass-manager', 'interp'];

/** Which layers a layer may import in what it ships. `core` here means all of core; order inside core is checked apart. */
const allowed = /** @type {Record<Layer, readonly Layer[]>} */ ({
  ir: [],
  core: ['ir', 'core'],
  author: ['ir', 'core'],
  plugin: ['author'],
  app: ['ir', 'core', 'author', 'plugin', 'app'],
  test: ['ir', 'core', 'author', 'plugin'],
});

/** Packages that need Node. Everything else runs in a browser as it is, but for its entry `./node`. */
const nodePackages = /^packages\/(device-node|swiftshader-[^/]+|cli|testing|create-[^/]+)$/;

/** Tests, and what only tests use: `src/testing/`, `src/test-support.ts`, `test/`. None of it is built or packed. */
const testFile = /\.(test|bench|test-d)\.ts$|\/src\/testing\/|\/src\/test-support\.ts$|^packages\/(passes\/)?[^/]+\/test\//;

/** The file behind the entry `./node` of a package that otherwise runs in browsers. */
const nodeEntry = /\/src\/node\.ts$/;

/**
 * @param {string} root a package's folder, relative to the workspace root
 * @returns {Layer | undefined} undefined when no rule places the folder in a layer
 */
export function layerOf(root) {
  if (root.startsWith('packages/passes/')) return 'plugin';
  const folder = posix.basename(root);
  if (folder === 'ir') return 'ir';
  if (core.includes(folder)) return 'core';
  if (folder === 'plugin') return 'author';
  if (folder.startsWith('import-') || folder === 'quantizer' || folder === 'backend-webgpu') return 'plugin';
  if (
    folder.startsWith('preset-') ||
    folder.startsWith('create-') ||
    folder.startsWith('swiftshader-') ||
    ['compiler', 'device-node', 'cli'].includes(folder)
  )
    return 'app';
  return folder === 'testing' ? 'test' : undefined;
}

/**
 * Checks every rule and collects every violation.
 *
 * @param {readonly Package[]} packages
 * @param {readonly Edge[]} edges the project graph; edges to anything outside `packages` are ignored
 * @returns {string[]} one line per violation, sorted; empty when all rules hold
 */
export function checkLayers(packages, edges) {
  const byName = new Map(packages.map((pkg) => [pkg.name, pkg]));
  const findings = packages
    .filter((pkg) => !layerOf(pkg.root))
    .map((pkg) => `${pkg.root}: belongs to no layer; name it in tools/layers/rules.mjs`);
  for (const { source, target } of [...edges, ...packages.flatMap((pkg) => importedEdges(pkg, byName))]) {
    const from = byName.get(source);
    const to = byName.get(target);
    if (from && to && from !== to) findings.push(...checkEdge(from, to));
  }
  for (const pkg of packages) {
    const portable = !nodePackages.test(pkg.root);
    if (portable && !pkg.buildConfig?.endsWith('tsconfig.portable.json'))
      findings.push(`${pkg.root}/tsconfig.build.json: has to extend tsconfig.portable.json, as this package runs in browsers`);
    for (const file of pkg.files) findings.push(...checkFile(pkg, file, byName, portable));
  }
  return [...new Set(findings)].sort();
}

/**
 * What the sources import, whether or not the project graph says so too.
 *
 * @param {Package} pkg
 * @param {ReadonlyMap<string, Package>} byName
 * @returns {Edge[]}
 */
function importedEdges(pkg, byName) {
  const names = new Set(pkg.files.flatMap(({ imports }) => imports.map(({ specifier }) => splitSpecifier(specifier)[0])));
  return [...names].filter((name) => byName.has(name)).map((target) => ({ source: pkg.name, target }));
}

/**
 * @param {Package} from
 * @param {Package} to
 * @returns {string[]}
 */
function checkEdge(from, to) {
  const shipped = to.name in shippedDependencies(from);
  if (!shipped && !(to.name in (from.manifest.devDependencies ?? {})))
    return [`${from.name} -> ${to.name}: not declared in ${from.root}/package.json`];
  const source = layerOf(from.root);
  const target = layerOf(to.root);
  if (!source || !target) return [];
  if (source === 'plugin' && target === 'plugin')
    return [`${from.name} -> ${to.name}: a plugin never imports a plugin; they meet through ops and properties`];
  // What only tests import ships to nobody, so it may lie above; how they import it is checked file by file.
  if (!shipped) return [];
  if (target === 'test') return [`${from.name} -> ${to.name}: belongs into devDependencies, it is only for tests`];
  if (source === 'plugin' && posix.basename(to.root) === 'ops') return [];
  if (!allowed[source].includes(target)) return [`${from.name} -> ${to.name}: layer ${source} may not import layer ${target}`];
  if (source === 'core' && target === 'core' && core.indexOf(posix.basename(to.root)) > core.indexOf(posix.basename(from.root)))
    return [`${from.name} -> ${to.name}: inside core only packages to the left may be imported (${core.join(', ')})`];
  return [];
}

/**
 * @param {Package} pkg
 * @param {SourceFile} file
 * @param {ReadonlyMap<string, Package>} byName
 * @param {boolean} portable
 * @returns {string[]}
 */
function checkFile(pkg, file, byName, portable) {
  const test = testFile.test(file.path);
  const browser = portable && !test && !nodeEntry.test(file.path);
  const shipped = shippedDependencies(pkg);
  const development = pkg.manifest.devDependencies ?? {};
  /** @type {string[]} */
  const findings = [];
  for (const { specifier, typeOnly } of file.imports) {
    const say = (/** @type {string} */ what) => findings.push(`${file.path}: imports ${specifier}: ${what}`);
    if (specifier.startsWith('.')) {
      const target = posix.join(posix.dirname(file.path), specifier);
      if (!target.startsWith(`${pkg.root}/`)) say('a relative import may not leave its package; import by package name');
      if (!test && testFile.test(target.replace(/\.js$/, '.ts'))) say('only tests may import what is for tests');
      if (browser && nodeEntry.test(target.replace(/\.js$/, '.ts')))
        say('this package runs in browsers; only users in Node import its entry "./node"');
      continue;
    }
    if (isBuiltin(specifier)) {
      if (browser) say('this package runs in browsers and may not use Node');
      continue;
    }
    const [name, path] = splitSpecifier(specifier);
    const target = byName.get(name);
    if (browser && target && (path === './node' || (nodePackages.test(target.root) && layerOf(target.root) !== 'test')))
      say('this package runs in browsers, what it imports needs Node');
    if (target && path !== '.' && !(path in (target.manifest.exports ?? {})))
      say(`${name} does not export it; its public entries are its exports`);
    if (name === pkg.name || name in shipped) continue;
    if (test) {
      // The test runner belongs to the workspace.
      if (!(name in development) && name !== 'vitest' && name !== 'fast-check') say(`not declared in ${pkg.root}/package.json`);
    } else if (name in development) {
      // Types of a third party may be inlined or erased, so only a value import needs the package at run time.
      if (target || !typeOnly) say('only a devDependency, but this file is shipped');
    } else say(`not declared in ${pkg.root}/package.json`);
  }
  return findings;
}

/** @param {Package} pkg */
function shippedDependencies({ manifest }) {
  return { ...manifest.optionalDependencies, ...manifest.peerDependencies, ...manifest.dependencies };
}

/** @param {string} specifier */
function isBuiltin(specifier) {
  return specifier.startsWith('node:') || builtinModules.includes(specifier);
}

/**
 * @param {string} specifier bare, such as `@qfuse/ir/text`
 * @returns {[name: string, path: string]} such as `['@qfuse/ir', './text']`
 */
function splitSpecifier(specifier) {
  const parts = specifier.split('/');
  const name = parts.splice(0, specifier.startsWith('@') ? 2 : 1).join('/');
  return [name, ['.', ...parts].join('/')];
}
