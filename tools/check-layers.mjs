// `node tools/check-layers.mjs`: checks the layer rules over nx's project graph and the imports of every source file.
// Exits 1 when a rule is broken, with one line per violation.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createProjectGraphAsync } from '@nx/devkit';
import ts from 'typescript';
import { importsOf } from './imports.mjs';
import { checkLayers } from './layers/rules.mjs';
import { listPackages } from './workspace.mjs';

const root = process.cwd();

const graph = await createProjectGraphAsync({ exitOnError: true });
const edges = Object.values(graph.dependencies).flat();
const packages = listPackages(root).map(({ name, root: folder, manifest }) => ({
  name,
  root: folder,
  manifest,
  buildConfig: buildConfig(folder),
  files: sourceFiles(folder),
}));
const missing = packages.filter(({ name }) => !(name in graph.nodes)).map(({ root: folder }) => `${folder}: nx does not know this package`);
const findings = [...missing, ...checkLayers(packages, edges)];

for (const finding of findings) console.error(finding);
console.log(
  findings.length ? `layers: ${findings.length} violations` : `layers: ${packages.length} packages, ${edges.length} edges, all rules hold`,
);
process.exitCode = findings.length ? 1 : 0;

/** @param {string} folder */
function buildConfig(folder) {
  const file = join(root, folder, 'tsconfig.build.json');
  return existsSync(file) ? ts.readConfigFile(file, ts.sys.readFile).config?.extends : undefined;
}

/** @param {string} folder */
function sourceFiles(folder) {
  return ['src', 'test']
    .filter((part) => existsSync(join(root, folder, part)))
    .flatMap((part) =>
      readdirSync(join(root, folder, part), { recursive: true, encoding: 'utf8' }).map(
        (path) => `${folder}/${part}/${path.replaceAll('\\', '/')}`,
      ),
    )
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path, imports: importsOf(path, readFileSync(join(root, path), 'utf8')) }));
}
