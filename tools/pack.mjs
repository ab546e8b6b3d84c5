import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { listPackages } from './workspace.mjs';

/**
 * Packs every package of the workspace with one `npm pack`. The packages must be built.
 *
 * @param {string} root workspace root, absolute
 * @param {string} destination folder for the tarballs; made when missing
 * @returns {{ name: string, root: string, manifest: Record<string, any>, tarball: string, files: string[] }[]}
 * @throws {Error} when a package has no build
 */
export function packAll(root, destination) {
  const packages = listPackages(root).filter(({ manifest }) => !manifest.private);
  const unbuilt = packages.filter((pkg) => !existsSync(join(root, pkg.root, 'dist')));
  if (unbuilt.length) throw new Error(`not built: ${unbuilt.map(({ name }) => name).join(', ')}; run "npm run build" first`);
  mkdirSync(destination, { recursive: true });
  const args = [
    'pack',
    '--json',
    '--ignore-scripts',
    '--pack-destination',
    destination,
    ...packages.flatMap((pkg) => ['--workspace', pkg.name]),
  ];
  // A shell finds npm.cmd on Windows.
  const output = execFileSync('npm', args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  });
  const packed = JSON.parse(output);
  // npm 11 answers a list, npm 12 a record by package name.
  const entries = Array.isArray(packed) ? packed : Object.values(packed);
  return packages.map((pkg) => {
    const entry = entries.find(({ name }) => name === pkg.name);
    if (!entry) throw new Error(`npm pack made no tarball of ${pkg.name}`);
    return {
      ...pkg,
      tarball: join(destination, entry.filename),
      files: entry.files.map((/** @type {{ path: string }} */ { path }) => path),
    };
  });
}
