import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { driver, readDriver } from '@qfuse/swiftshader-linux-x64';
import { installOnce } from './cache.js';

/** Whether the embedded driver can run here: it is built for one platform. */
export function swiftShaderRunsHere(platform = process.platform, arch = process.arch): boolean {
  return platform === 'linux' && arch === 'x64';
}

/**
 * Makes a private copy of the npm package `webgpu` whose Vulkan is the embedded SwiftShader.
 *
 * Dawn looks for `libvulkan.so.1` first in the folder that its own library lies in (the real one, so a link does not
 * do, and two links to one file would be one library to the loader). A copy with SwiftShader under that name beside it
 * needs no Vulkan loader, no driver manifest and no environment variable, works in worker threads, and leaves the
 * machine's own Vulkan untouched: both can be used in one process, in any order. It costs 27 MB of disk.
 *
 * @param base - folder to install into, see `cacheFolders`
 * @param webgpu - folder of the installed package
 * @param version - version of that package
 * @returns folder of the copy
 * @throws Error when it can neither be found intact nor be written
 */
export function installSwiftShader(base: string, webgpu: string, version: string): string {
  const binaries = join('dist', `${process.platform}-${process.arch}`);
  const copied = ['package.json', 'index.js', join(binaries, 'dawn.node')];
  const loader = join(binaries, 'libvulkan.so.1');
  // Test runners and bundlers leave alone what lies below a folder of this name.
  const place = join('node_modules', 'webgpu');
  const sizes = new Map(copied.map((file) => [file, statSync(join(webgpu, file)).size]));

  const isIntact = (folder: string): boolean => {
    try {
      return (
        copied.every((file) => statSync(join(folder, place, file)).size === sizes.get(file)) &&
        sha256(readFileSync(join(folder, place, loader))) === driver.sha256
      );
    } catch {
      return false;
    }
  };
  const write = (folder: string): void => {
    mkdirSync(join(folder, place, binaries), { recursive: true });
    for (const file of copied) copyFileSync(join(webgpu, file), join(folder, place, file));
    writeFileSync(join(folder, place, loader), readDriver(), { mode: 0o755 });
  };
  const name = `swiftshader-${driver.sha256.slice(0, 12)}-webgpu-${version}`;
  return join(installOnce(base, name, isIntact, write), place);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
