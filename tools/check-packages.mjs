// `node tools/check-packages.mjs`: what a user would get from the registry. Packs every package and checks the tarball:
// publint (entry points, formats), types resolution of ESM consumers, files that must be there, versions and licences.
// Exits 1 with one line per problem.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { checkDeclarations, checkLicences, checkManifest } from './packages/rules.mjs';
import { importsOf } from './imports.mjs';
import { packAll } from './pack.mjs';
import { workspaceRoot } from './workspace.mjs';

const destination = mkdtempSync(join(tmpdir(), 'qfuse-packages-'));
/** @type {string[]} */
const findings = [];
try {
  const packages = packAll(workspaceRoot, destination);
  for (const pkg of packages) {
    const data = readFileSync(pkg.tarball);
    const problems = [
      ...checkManifest(pkg.manifest, pkg.files),
      ...checkDeclarations(pkg.manifest, declarations(pkg)),
      ...(await lint(data, pkg.manifest)),
      ...(await resolveTypes(data)),
    ];
    findings.push(...problems.map((problem) => `${pkg.name}: ${problem}`));
  }
  findings.push(...checkLicences(JSON.parse(readFileSync(join(workspaceRoot, 'package-lock.json'), 'utf8'))));
  for (const finding of findings) console.error(finding);
  console.log(findings.length ? `packages: ${findings.length} problems` : `packages: ${packages.length} tarballs, no problems`);
} finally {
  rmSync(destination, { recursive: true, force: true });
}
process.exitCode = findings.length ? 1 : 0;

/**
 * The declarations that a user's compiler reads: those of the entries, and what they import from the same package.
 *
 * @param {{ root: string, manifest: Record<string, any> }} pkg
 */
function declarations({ root, manifest }) {
  const pending = Object.values(manifest.exports).flatMap((entry) => (entry.types ? [posix.normalize(entry.types)] : []));
  const seen = new Map();
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (seen.has(path)) continue;
    const folder = posix.dirname(path);
    const specifiers = importsOf(path, readFileSync(join(workspaceRoot, root, path), 'utf8')).map(({ specifier }) => specifier);
    seen.set(path, specifiers);
    pending.push(...specifiers.filter((one) => one.startsWith('.')).map((one) => posix.join(folder, one).replace(/\.js$/, '.d.ts')));
  }
  return [...seen].map(([path, specifiers]) => ({ path, specifiers }));
}

/**
 * @param {Buffer} data
 * @param {Record<string, unknown>} manifest
 */
async function lint(data, manifest) {
  const { messages } = await publint({ pack: { tarball: toArrayBuffer(data) }, strict: true });
  return messages.map((message) => formatMessage(message, manifest, { color: false }) ?? message.code);
}

/** @param {Buffer} data */
async function resolveTypes(data) {
  const result = await checkPackage(createPackageFromTarballData(new Uint8Array(data)));
  if (!result.types) return ['has no types'];
  // The packages are ESM only: what CommonJS and the resolution of before Node 16 see does not count.
  const problems = result.problems.filter(
    (problem) => !('resolutionKind' in problem && ['node10', 'node16-cjs'].includes(problem.resolutionKind)),
  );
  return problems.map((problem) => `types: ${problem.kind} ${'entrypoint' in problem ? problem.entrypoint : ''}`.trimEnd());
}

/** @param {Buffer} data */
function toArrayBuffer(data) {
  return /** @type {ArrayBuffer} */ (data.buffer).slice(data.byteOffset, data.byteOffset + data.byteLength);
}
