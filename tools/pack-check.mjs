// `node tools/pack-check.mjs [--keep]`: qfuse as its users get it. Packs every package, installs the tarballs into an empty
// folder outside the workspace, and uses them from there. Exits 1 when a step fails; --keep leaves the folder for a look.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { packAll } from './pack.mjs';
import { workspaceRoot } from './workspace.mjs';

const scripts = join(workspaceRoot, 'tools', 'pack-check');
const fixtures = join(workspaceRoot, 'fixtures', 'pt2');
const folder = mkdtempSync(join(tmpdir(), 'qfuse-user-'));
// The workspace's own settings for npm and nx must not reach the user's folder.
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_(?!config_(userconfig|cache|registry)$)|^INIT_CWD$/.test(name)),
);

/**
 * @param {string} what
 * @param {string} command
 * @param {string[]} args
 */
function run(what, command, ...args) {
  const start = performance.now();
  execFileSync(command, args, { cwd: folder, env, stdio: ['ignore', 'inherit', 'inherit'], shell: process.platform === 'win32' });
  console.log(`ok: ${what} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}

try {
  const packages = packAll(workspaceRoot, join(folder, 'tarballs'));
  const dependencies = Object.fromEntries(packages.map(({ name, tarball }) => [name, `file:tarballs/${basename(tarball)}`]));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module', dependencies }, undefined, 2));
  for (const file of readdirSync(scripts)) copyFileSync(join(scripts, file), join(folder, file));

  run('install from tarballs', 'npm', 'install', '--no-audit', '--no-fund', '--prefer-offline');
  const entries = packages.flatMap(({ name, manifest }) =>
    Object.keys(manifest.exports)
      .filter((entry) => entry !== './package.json')
      .map((entry) => name + entry.slice(1)),
  );
  writeFileSync(join(folder, 'imports.mjs'), entries.map((entry) => `await import('${entry}');\n`).join(''));
  run(`import ${entries.length} entry points`, process.execPath, 'imports.mjs');

  writeFileSync(join(folder, 'types.mts'), entries.map((entry, index) => `export * as m${index} from '${entry}';\n`).join(''));
  for (const [module, resolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(typesConfig(module, resolution)));
    run(`types under ${resolution}`, process.execPath, join(workspaceRoot, 'node_modules', 'ts7', 'bin', 'tsc'), '-p', folder);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  if (process.argv.includes('--keep')) console.log(`kept: ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}

/**
 * A strict user, who also checks the declarations of what they install.
 *
 * @param {string | undefined} module
 * @param {string | undefined} moduleResolution
 */
function typesConfig(module, moduleResolution) {
  const compilerOptions = {
    module,
    moduleResolution,
    target: 'es2022',
    lib: ['es2023', 'dom'],
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
  };
  return { compilerOptions, files: ['types.mts', 'fuse-and-run.mts'] };
}
