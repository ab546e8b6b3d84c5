import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the workspace root. */
export const workspaceRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** Folders that hold one package each. The `workspaces` field of the root package.json and `tools/nx` name the same two. */
export const packageParents = ['packages', 'packages/passes'];

/**
 * Every package of the workspace, in a stable order.
 *
 * @param {string} [root] workspace root, absolute
 * @returns {{ name: string, root: string, manifest: Record<string, any> }[]} `root` is relative to the workspace root
 */
export function listPackages(root = workspaceRoot) {
  const found = [];
  for (const parent of packageParents) {
    if (!existsSync(join(root, parent))) continue;
    for (const entry of readdirSync(join(root, parent), { withFileTypes: true })) {
      const folder = `${parent}/${entry.name}`;
      const file = join(root, folder, 'package.json');
      if (!entry.isDirectory() || !existsSync(file)) continue;
      const manifest = JSON.parse(readFileSync(file, 'utf8'));
      found.push({ name: manifest.name, root: folder, manifest });
    }
  }
  return found.sort((a, b) => (a.root < b.root ? -1 : 1));
}
