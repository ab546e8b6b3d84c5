// `node tools/pack-check.mjs [--keep]`: qfuse as its users get it. Packs every package, installs the tarballs into an empty
// folder outside the workspace, and uses them from there. Exits 1 when a step fails; --keep leaves the folder for a look.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import ts from 'typescript';
import { packAll } from './pack.mjs';
import { workspaceRoot } from './workspace.mjs';

/** Older than the library of the DOM that has WebGPU. */
const oldestTypeScript = '5.9.3';
const script = 'fuse-and-run';
/** A quantized model, and its inputs and outputs as torch computed them. */
const model = 'digits_mlp_qcs8w.pt2';
const data = 'digits_mlp_qcs8w.safetensors';
const source = readFileSync(join(workspaceRoot, 'tools', 'pack-check', `${script}.mts`), 'utf8');
const guides = ['docs/writing-passes.md', 'docs/writing-quantizers.md'];
const folder = mkdtempSync(join(tmpdir(), 'qfuse-user-'));
const tsc = join(workspaceRoot, 'node_modules', 'ts7', 'bin', 'tsc');
const oldestTsc = join(folder, 'node_modules', 'typescript', 'bin', 'tsc');
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
  const { devDependencies: used } = JSON.parse(readFileSync(join(workspaceRoot, 'package.json'), 'utf8'));
  const devDependencies = { '@types/node': used['@types/node'], typescript: oldestTypeScript, vitest: used.vitest };
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'user', private: true, type: 'module', dependencies, devDependencies }, undefined, 2),
  );
  for (const file of [model, data]) copyFileSync(join(workspaceRoot, 'fixtures', 'pt2', file), join(folder, file));
  writeFileSync(join(folder, `${script}.mts`), source);
  writeFileSync(join(folder, `${script}.mjs`), javaScript(source));

  run('install from tarballs', 'npm', 'install', '--no-audit', '--no-fund', '--prefer-offline');
  const entries = packages.flatMap(({ name, manifest }) =>
    Object.keys(manifest.exports)
      .filter((entry) => entry !== './package.json')
      .map((entry) => name + entry.slice(1)),
  );
  // The testing kit works inside vitest only; the pass of the guide below uses it there.
  const imports = entries.filter((entry) => entry !== '@qfuse/testing');
  writeFileSync(join(folder, 'imports.mjs'), imports.map((entry) => `await import('${entry}');\n`).join(''));
  run(`import ${imports.length} entry points`, process.execPath, 'imports.mjs');

  writeFileSync(join(folder, 'types.mts'), entries.map((entry, index) => `export * as m${index} from '${entry}';\n`).join(''));
  for (const [module, resolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(typesConfig(module, resolution)));
    run(`types under ${resolution}`, process.execPath, tsc, '-p', folder);
    run(`types under ${resolution}, TypeScript ${oldestTypeScript}`, process.execPath, oldestTsc, '-p', folder);
  }

  const tensors = ['--inputs', data, '--expect', data];
  run('a script of one pass and the backend', process.execPath, `${script}.mjs`, model, data);
  run('qfuse run, in the interpreter', 'npx', '--no', 'qfuse', 'run', model, ...tensors, '--device', 'reference');
  run('qfuse run, on WebGPU', 'npx', '--no', 'qfuse', 'run', model, ...tensors, '--adapter', 'software');
  run('qfuse compile', 'npx', '--no', 'qfuse', 'compile', model, '-o', 'model.qfuse');
  run('qfuse run of the compiled program', 'npx', '--no', 'qfuse', 'run', 'model.qfuse', ...tensors, '--adapter', 'software');

  for (const [to, from] of Object.entries({
    'digits.pt2': 'digits_mlp_qcs4w.float.pt2',
    'digits.safetensors': 'digits_mlp_qcs4w.safetensors',
  }))
    copyFileSync(join(workspaceRoot, 'fixtures', 'pt2', from), join(folder, to));
  const example = blocksOf('README.md').find(([path]) => path === 'example.mts')?.[1] ?? '';
  writeFileSync(join(folder, 'example.mjs'), javaScript(example));
  run('the example of the README', process.execPath, 'example.mjs');

  const files = writeGuides(join(folder, 'guide'));
  run(`tests of the packages that ${guides.join(' and ')} make (${files.length} files)`, 'npx', '--no', 'vitest', 'run', '--root', 'guide');
  for (const compiler of [tsc, oldestTsc]) run('their types', process.execPath, compiler, '-p', 'guide');
  run('qfuse with the pass', 'npx', '--no', 'qfuse', 'verify', model, '--adapter', 'software', '--config', 'guide/qfuse.config.ts');
  const recipe = ['--recipe', 'static-w4:observer=magnitude', '--config', 'guide/static-w4/qfuse.config.ts'];
  run('qfuse with the recipe', 'npx', '--no', 'qfuse', 'quantize', 'digits.pt2', ...recipe, '--calibrate', 'digits.safetensors');
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
    types: ['node'],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
  };
  return { compilerOptions, files: ['types.mts', 'fuse-and-run.mts'] };
}

/**
 * Writes the packages that the guides make: every code block whose line above is a file name.
 *
 * @param {string} target
 * @returns {string[]} the files, relative to `target`
 */
function writeGuides(target) {
  const blocks = guides.flatMap(blocksOf);
  for (const [path, text] of blocks) {
    mkdirSync(dirname(join(target, path)), { recursive: true });
    writeFileSync(join(target, path), text);
  }
  const settings = JSON.parse(readFileSync(join(target, 'tsconfig.json'), 'utf8'));
  writeFileSync(join(target, 'tsconfig.json'), JSON.stringify({ ...settings, include: ['**/*.ts'] }));
  writeFileSync(join(target, 'package.json'), JSON.stringify({ name: 'fuse-silu', private: true, type: 'module' }));
  return blocks.map(([path]) => path);
}

/**
 * The code blocks of a document whose line above is a file name.
 *
 * @param {string} document relative to the workspace
 * @returns {(readonly [path: string, text: string])[]}
 */
function blocksOf(document) {
  const text = readFileSync(join(workspaceRoot, document), 'utf8');
  return [...text.matchAll(/^`([\w./-]+)`\n+```\w*\n([\s\S]*?)^```$/gm)].map(([, path = '', block = '']) => [path, block]);
}

/** @param {string} text TypeScript */
function javaScript(text) {
  return ts.transpileModule(text, { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext } }).outputText;
}
