// `node tools/sync-versions.mjs [--check]`: plugin records carry the version of their package. `changeset version` changes
// package.json only; this writes the same version into the sources, or with --check exits 1 where they differ.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listPackages, workspaceRoot } from './workspace.mjs';

const check = process.argv.includes('--check');
for (const { name, root, manifest } of listPackages()) {
  const record = new RegExp(`(name: '${name}',\\s*version: ')([^']*)(')`, 'g');
  const src = join(workspaceRoot, root, 'src');
  for (const path of existsSync(src) ? readdirSync(src, { recursive: true, encoding: 'utf8' }) : []) {
    if (!path.endsWith('.ts') || path.endsWith('.test.ts')) continue;
    const text = readFileSync(join(src, path), 'utf8');
    const synced = text.replace(record, `$1${manifest.version}$3`);
    if (synced === text) continue;
    console.error(
      `${root}/src/${path}: ${check ? 'states another version than' : 'now states the version of'} ${root}/package.json, ${manifest.version}`,
    );
    if (check) process.exitCode = 1;
    else writeFileSync(join(src, path), synced);
  }
}
