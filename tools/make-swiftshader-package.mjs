// `node tools/make-swiftshader-package.mjs`: makes the data of packages/swiftshader-linux-x64 from the npm package
// @sparticuz/chromium, a devDependency pinned by the lockfile: the compressed driver and src/driver.ts, which states
// its origin and hash. Run it after changing that version. Takes about 20 s: brotli at its best level.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { workspaceRoot } from './workspace.mjs';

const library = 'libvk_swiftshader.so';
/** Folder of the package that this script writes into, absolute. */
export const packageFolder = join(workspaceRoot, 'packages/swiftshader-linux-x64');

/**
 * Takes the driver out of the installed @sparticuz/chromium.
 *
 * @returns {{ bytes: Buffer, origin: string }} `origin` is `name@version` of the package it comes from
 * @throws {Error} when the package is not installed or does not carry the driver
 */
export function driverFromChromium() {
  // The package does not export its package.json; its entry file lies in a subfolder of the same package.
  let folder = dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium'));
  while (!existsSync(join(folder, 'bin', 'swiftshader.tar.br'))) {
    if (dirname(folder) === folder) throw new Error('@sparticuz/chromium has no bin/swiftshader.tar.br');
    folder = dirname(folder);
  }
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const archive = brotliDecompressSync(readFileSync(join(folder, 'bin', 'swiftshader.tar.br')));
  const bytes = tarMember(archive, library);
  if (!bytes) throw new Error(`bin/swiftshader.tar.br of ${name}@${version} has no ${library}`);
  return { bytes, origin: `${name}@${version}` };
}

/**
 * The text of src/driver.ts, a function of the driver alone.
 *
 * @param {{ bytes: Buffer, origin: string }} driver
 */
export function driverModule({ bytes, origin }) {
  return `// Written by tools/make-swiftshader-package.mjs; do not edit.

/** What the driver is: \`origin\` is the npm package it was taken from, \`bytes\` and \`sha256\` are of the unpacked library. */
export const driver = {
  file: '${library}',
  origin: '${origin}',
  bytes: ${bytes.length},
  sha256: '${createHash('sha256').update(bytes).digest('hex')}',
} as const;
`;
}

/**
 * @param {Buffer} archive an uncompressed ustar archive
 * @param {string} wanted
 * @returns {Buffer | undefined} the contents of the file of that name
 */
function tarMember(archive, wanted) {
  const block = 512;
  for (let at = 0; at + block <= archive.length && archive[at] !== 0;) {
    const name = archive.toString('utf8', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(archive.toString('latin1', at + 124, at + 136), 8);
    if (name === wanted) return archive.subarray(at + block, at + block + size);
    at += block + Math.ceil(size / block) * block;
  }
  return undefined;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const driver = driverFromChromium();
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN, BROTLI_PARAM_SIZE_HINT } = constants;
  const packed = brotliCompressSync(driver.bytes, {
    params: { [BROTLI_PARAM_QUALITY]: 11, [BROTLI_PARAM_LGWIN]: 24, [BROTLI_PARAM_SIZE_HINT]: driver.bytes.length },
  });
  writeFileSync(join(packageFolder, `${library}.br`), packed);
  writeFileSync(join(packageFolder, 'src/driver.ts'), driverModule(driver));
  console.log(`${library} of ${driver.origin}: ${driver.bytes.length} bytes, ${packed.length} compressed`);
}
