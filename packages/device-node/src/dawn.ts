import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { QfuseError } from '@qfuse/ir';
import { cacheFolders } from './cache.js';
import { platformName } from './platform.js';
import { installSwiftShader } from './swiftshader.js';

/** One loaded copy of Dawn. */
export interface Dawn {
  /** Folder of the package `webgpu` that it was loaded from. */
  readonly folder: string;
  readonly create: (flags: readonly string[]) => GPU;
  /** The interface objects of WebGPU (`GPUBufferUsage`, `GPUDevice`, …) by name. */
  readonly globals: Readonly<Record<string, unknown>>;
}

/**
 * Finds the installed npm package `webgpu`.
 *
 * @throws QfuseError `device-node/dawn-missing` when it is not installed, `device-node/unsupported-platform` when it has
 *   no binary for this platform
 */
export function locateDawn(): { readonly folder: string; readonly version: string } {
  let manifest: string;
  try {
    manifest = createRequire(import.meta.url).resolve('webgpu/package.json');
  } catch (cause) {
    throw new QfuseError('device-node/dawn-missing', 'The npm package "webgpu" (Dawn) is not installed', {
      help: 'Install the dependencies of @qfuse/device-node again: npm ci.',
      cause,
    });
  }
  const folder = dirname(manifest);
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  const wanted = `${process.platform}-${process.platform === 'darwin' ? 'universal' : process.arch}`;
  if (!existsSync(join(folder, 'dist', wanted, 'dawn.node'))) {
    const available = existsSync(join(folder, 'dist')) ? readdirSync(join(folder, 'dist')).join(', ') : 'none';
    throw new QfuseError(
      'device-node/unsupported-platform',
      `WebGPU in Node has no binary for ${wanted}; there are binaries for: ${available}`,
      { help: 'Run on one of these platforms, or without a device: --device reference.' },
    );
  }
  return { folder, version };
}

/**
 * Loads the installed Dawn, which uses the machine's own drivers.
 *
 * @throws QfuseError as {@link locateDawn}, and `device-node/dawn-failed` when the binary cannot be loaded
 */
export async function loadNativeDawn(): Promise<Dawn> {
  return load(locateDawn().folder);
}

/**
 * Loads a private copy of Dawn on the embedded SwiftShader; unpacks it first where that was not done before.
 * Linux on x64 only.
 *
 * @param bases - folders to unpack into, the first that works is used
 * @throws QfuseError as {@link loadNativeDawn}, and `device-node/no-cache-folder` when no folder works
 */
export async function loadSwiftShaderDawn(bases: readonly string[] = cacheFolders()): Promise<Dawn> {
  const { folder, version } = locateDawn();
  const failures: unknown[] = [];
  for (const base of bases) {
    try {
      return await load(installSwiftShader(base, folder, version));
    } catch (error) {
      // Not writable, full, or mounted so that nothing in it may be executed: the next folder may do.
      failures.push(error);
    }
  }
  // If not even the installed Dawn loads, then the folders are not to blame, and its error says more.
  await load(folder);
  throw new QfuseError(
    'device-node/no-cache-folder',
    `The embedded SwiftShader could not be unpacked and loaded:\n${failures.map((error, i) => `  ${bases[i]}: ${messageOf(error)}`).join('\n')}`,
    {
      help: 'Set XDG_CACHE_HOME to a folder that this user can write to and run libraries from, with 30 MB free.',
      cause: failures[0],
    },
  );
}

/** Node itself loads a file once per process or thread, so a second call is cheap and gives the same objects. */
async function load(folder: string): Promise<Dawn> {
  let module: { create: (flags: string[]) => GPU; globals: Record<string, unknown> };
  try {
    module = await import(pathToFileURL(join(folder, 'index.js')).href);
  } catch (cause) {
    throw loadFailure(cause);
  }
  return { folder, create: (flags) => module.create([...flags]), globals: module.globals };
}

/** Turns what the loader of the operating system says into what to do about it. */
export function loadFailure(cause: unknown, platform: string = platformName()): QfuseError {
  const message = messageOf(cause);
  const glibc = /version [`']?(GLIBC(?:XX)?_[\d.]+)'? not found/.exec(message)?.[1];
  let help = 'Run "qfuse doctor" to see what is missing.';
  if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_DLOPEN_DISABLED')
    help = 'Node was started without the permission to load native addons; add --allow-addons.';
  else if (glibc) help = `The system is too old: it lacks ${glibc}. Debian 12, Ubuntu 22.04 or newer have it.`;
  else if (platform.endsWith('-musl'))
    help = 'WebGPU in Node is built for glibc; this system (Alpine?) has musl. Use an image with glibc, e.g. Debian.';
  else if (/libstdc\+\+|libgcc_s/.test(message)) help = 'Install the C++ runtime: the packages libstdc++6 and libgcc-s1.';
  return new QfuseError('device-node/dawn-failed', `WebGPU (Dawn) could not be loaded: ${message}`, { help, cause });
}

/** The message of anything that was thrown, also of an error that comes from another realm. */
export function messageOf(error: unknown): string {
  const message: unknown = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : String(error);
}
