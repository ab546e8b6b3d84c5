// A Chromium for the browser tests on a machine that may have none: $CHROME_PATH, else the system's, else the one
// that the npm package @sparticuz/chromium carries (with SwiftShader and the NSS libraries it needs), unpacked once.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { workspaceRoot } from '../workspace.mjs';

const systemPaths = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

/** Flags under which headless Chromium offers WebGPU, the same adapter on every machine. */
export const chromiumArgs = ['--no-sandbox', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

/**
 * Says which Chromium the tests will use, without unpacking anything.
 *
 * @returns {{ executablePath: string, env: Record<string, string>, packaged?: string }} `packaged` is the folder of the
 *   archives, set when {@link prepareChromium} has to unpack them before the first launch
 */
export function locateChromium() {
  const wanted = process.env.CHROME_PATH;
  if (wanted) return { executablePath: wanted, env: {} };
  const system = systemPaths.find((path) => existsSync(path));
  if (system) return { executablePath: system, env: {} };
  let manifest;
  try {
    // The package does not export its package.json; its entry file does, and lies inside the same folder.
    manifest = findManifest(createRequire(import.meta.url).resolve('@sparticuz/chromium'));
  } catch {
    return { executablePath: '', env: {} };
  }
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  const folder = join(workspaceRoot, 'node_modules', '.cache', 'qfuse', `chromium-${version}`);
  return {
    executablePath: join(folder, 'chromium'),
    env: { LD_LIBRARY_PATH: join(folder, 'al2023', 'lib'), FONTCONFIG_PATH: join(folder, 'fonts') },
    packaged: join(dirname(manifest), 'bin'),
  };
}

/**
 * Makes sure that the Chromium of {@link locateChromium} can be started; unpacks the packaged one when needed.
 *
 * @throws {Error} when there is none, with what to do about it
 */
export function prepareChromium() {
  const { executablePath, packaged } = locateChromium();
  if (packaged && !existsSync(executablePath)) {
    if (process.platform !== 'linux' || process.arch !== 'x64')
      throw noBrowser(`the packaged Chromium is for linux-x64, this is ${process.platform}-${process.arch}`);
    unpack(packaged, dirname(executablePath));
  }
  if (!executablePath) throw noBrowser('neither a system Chromium nor the npm package @sparticuz/chromium was found');
  if (!existsSync(executablePath)) throw noBrowser(`CHROME_PATH names ${executablePath}, which does not exist`);
}

/** Vitest calls this once before the first browser test; an error here fails the run. */
export default function setup() {
  prepareChromium();
}

/** @param {string} what */
function noBrowser(what) {
  return new Error(
    `The browser tests have no browser: ${what}. Set CHROME_PATH to a Chromium, or set QFUSE_BROWSER=0 to leave these tests out.`,
  );
}

/** @param {string} entry */
function findManifest(entry) {
  let folder = dirname(entry);
  while (!existsSync(join(folder, 'package.json')) || !existsSync(join(folder, 'bin'))) {
    if (dirname(folder) === folder) throw new Error(`no package around ${entry}`);
    folder = dirname(folder);
  }
  return join(folder, 'package.json');
}

/**
 * @param {string} archives
 * @param {string} target
 */
function unpack(archives, target) {
  mkdirSync(dirname(target), { recursive: true });
  // Unpacked beside the target and renamed, so that a run that was cut short never leaves half a browser.
  const work = mkdtempSync(`${target}-`);
  try {
    writeFileSync(join(work, 'chromium'), brotliDecompressSync(readFileSync(join(archives, 'chromium.br'))));
    chmodSync(join(work, 'chromium'), 0o755);
    for (const [name, folder] of Object.entries({ swiftshader: '.', al2023: 'al2023', fonts: 'fonts' })) {
      const input = brotliDecompressSync(readFileSync(join(archives, `${name}.tar.br`)));
      mkdirSync(join(work, folder), { recursive: true });
      execFileSync('tar', ['xf', '-', '-C', join(work, folder)], { input });
    }
    renameSync(work, target);
  } catch (error) {
    // Another process may have been faster: then the target is complete and this copy is not needed.
    if (!existsSync(join(target, 'chromium'))) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
