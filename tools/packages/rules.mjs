// What every published package has to have, as functions from facts to findings (the tests plant each violation).

/** Licences whose software may be used here. SPDX identifiers as npm records them. */
const licences = new Set([
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  '0BSD',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'CC-BY-4.0',
  'Unlicense',
  'Python-2.0',
]);

/** Fine as a part of vite and vitest, unmodified and only where tests run. */
const testOnly = /^lightningcss/;

/** Packages that state their licence in a file; read by a person. */
const readByHand = new Map([['spawndamnit', 'MIT']]);

/**
 * @param {Record<string, any>} manifest a package's package.json
 * @param {readonly string[]} files what its tarball holds
 * @returns {string[]} one line per problem
 */
export function checkManifest(manifest, files) {
  const findings = [];
  for (const field of ['description', 'license', 'repository', 'engines'])
    if (!manifest[field]) findings.push(`package.json has no "${field}"`);
  if (manifest.type !== 'module') findings.push('package.json must say "type": "module"');
  for (const [entry, target] of Object.entries(manifest.exports ?? {})) {
    if (entry === './package.json') continue;
    // The condition under which this workspace tests on sources has to come first, or it never matches.
    if (Object.keys(target)[0] !== '@qfuse/source') findings.push(`exports "${entry}" must begin with the condition "@qfuse/source"`);
    for (const path of Object.values(target))
      if (!files.includes(String(path).replace(/^\.\//, ''))) findings.push(`exports "${entry}" names ${path}, which is not packed`);
  }
  for (const path of Object.values(manifest.bin ?? {}))
    if (!files.includes(String(path).replace(/^\.\//, ''))) findings.push(`bin names ${path}, which is not packed`);
  if (!files.includes('LICENSE')) findings.push('LICENSE is not packed');
  findings.push(
    ...files
      .filter((path) => /\.(test|bench|test-d)\.[a-z.]+$|^(src|dist)\/(testing\/|test-support\.)/.test(path))
      .map((path) => `${path} is packed, but tests are not for users`),
  );
  for (const group of ['dependencies', 'devDependencies', 'optionalDependencies']) {
    for (const [name, range] of Object.entries(manifest[group] ?? {})) {
      const own = name.startsWith('@qfuse/');
      if (own ? !/^\^\d/.test(range) : !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(range))
        findings.push(`${group}: ${name} is "${range}", expected ${own ? 'a caret range' : 'an exact version'}`);
    }
  }
  return findings;
}

/**
 * What the declarations of a package name must come with it. TypeScript writes `import("…")` for types that it inferred,
 * also of packages that nobody imported: then the export needs a type annotation.
 *
 * @param {Record<string, any>} manifest
 * @param {readonly { path: string, specifiers: readonly string[] }[]} declarations the packed `.d.ts` files and their imports
 * @returns {string[]} one line per import that the user of the package may not have
 */
export function checkDeclarations(manifest, declarations) {
  const available = { ...manifest.dependencies, ...manifest.peerDependencies, [manifest.name]: '' };
  return declarations.flatMap(({ path, specifiers }) => {
    const names = specifiers
      .filter((one) => !one.startsWith('.') && !one.startsWith('node:'))
      .map((one) => one.split('/', one.startsWith('@') ? 2 : 1).join('/'));
    const missing = [...new Set(names)].filter((name) => !(name in available));
    return missing.map((name) => `${path} needs types of ${name}, which is not a dependency; annotate the export`);
  });
}

/**
 * @param {{ packages: Record<string, { license?: string, link?: boolean }> }} lockfile package-lock.json
 * @returns {string[]} one line per package whose licence is unknown or not allowed
 */
export function checkLicences(lockfile) {
  return Object.entries(lockfile.packages).flatMap(([path, entry]) => {
    const name = path.replace(/^.*node_modules\//, '');
    if (!path.includes('node_modules/') || entry.link) return [];
    const licence = readByHand.get(name) ?? entry.license ?? 'none stated';
    const alternatives = licence.replace(/[()]/g, '').split(' OR ');
    const fine = alternatives.some((one) =>
      one.split(' AND ').every((part) => licences.has(part) || (testOnly.test(name) && part === 'MPL-2.0')),
    );
    return fine ? [] : [`${name}: licence ${licence} is not on the list of tools/packages/rules.mjs`];
  });
}
