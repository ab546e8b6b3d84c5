// `node tools/sync-versions.mjs [--check]`: records such as `{ name: '@qfuse/ir', version: '0.1.0' }` in the sources state the
// version of that package. `changeset version` changes package.json only; this writes the same version into the sources,
// or with --check exits 1 where they differ.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listPackages, workspaceRoot } from './workspace.mjs';

const check = process.argv.includes('--check');
const packages = listPackages();
const versions = new Map(packages.map(({ name, manifest }) => [name, manifest.version]));
const record = /(name: '(@qfuse\/[a-z0-9-]+)',\s*version: ')[^']*(')/g;

for (const { root } of packages) {
  const src = join(workspaceRoot, root, 'src');
  for (const path of existsSync(src) ? readdirSync(src, { recursive: true, encoding: 'utf8' }) : []) {
    if (!path.endsWith('.ts') || path.endsWith('.test.ts')) continue;
    const text = readFileSync(join(src, path), 'utf8');
    const synced = text.replace(record, (all, head, name, tail) => (versions.has(name) ? head + versions.get(name) + tail : all));
    if (synced === text) continue;
    console.error(
      `${root}/src/${path}: ${check ? 'states a version that is not the one in its package.json' : 'states the new version now'}`,
    );
    if (check) process.exitCode = 1;
    else writeFileSync(join(src, path), synced);
  }
}
