import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Version of the glibc that this process runs on; undefined on other systems and with musl. */
export function glibcVersion(): string | undefined {
  // Without this, the report looks up the names of all peers of open sockets.
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean };
  const { excludeNetwork } = report;
  try {
    report.excludeNetwork = true;
    const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
    return header?.glibcVersionRuntime;
  } finally {
    if (excludeNetwork !== undefined) report.excludeNetwork = excludeNetwork;
  }
}

/** e.g. `linux-x64`, `linux-x64-musl`, `darwin-arm64`. */
export function platformName(): string {
  const musl = process.platform === 'linux' && glibcVersion() === undefined;
  return `${process.platform}-${process.arch}${musl ? '-musl' : ''}`;
}

/**
 * Files that only a machine with a GPU has: NVIDIA's control device (a machine for computing may have no other), render
 * nodes of all vendors, Windows' GPU inside WSL, AMD's compute device. Always empty outside Linux.
 */
export function gpuDeviceFiles(root = '/dev'): string[] {
  if (process.platform !== 'linux') return [];
  const single = ['nvidiactl', 'dxg', 'kfd'].map((file) => join(root, file)).filter((file) => existsSync(file));
  try {
    const render = readdirSync(join(root, 'dri')).filter((file) => file.startsWith('renderD'));
    return [...single, ...render.map((file) => join(root, 'dri', file))];
  } catch {
    return single;
  }
}

/**
 * Whether looking for a GPU is worth while. Asking Dawn on a machine without one is slow, and Mesa's drivers then print
 * warnings. macOS and Windows always have a native adapter; on Linux the user may also name a driver.
 */
export function mayHaveGpu(env: NodeJS.ProcessEnv = process.env): boolean {
  if (process.platform !== 'linux') return true;
  const named = ['VK_DRIVER_FILES', 'VK_ADD_DRIVER_FILES', 'VK_ICD_FILENAMES'].some((name) => env[name]);
  return named || gpuDeviceFiles().length > 0;
}

/**
 * Whether the dynamic loader finds a shared library. It is loaded for that and released at once: Node refuses to keep a
 * library that is no addon, and its message tells the two cases apart.
 */
export function canLoad(library: string): { readonly ok: boolean; readonly detail: string } {
  try {
    process.dlopen({ exports: {} }, library);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_DLOPEN_DISABLED') return { ok: false, detail: message };
    if (!message.includes('did not self-register')) return { ok: false, detail: message.split('\n', 1)[0] ?? message };
  }
  return { ok: true, detail: `${library} can be loaded` };
}

/**
 * Whether Dawn will find a Vulkan loader: beside its own library, beside the executable of Node, or where the system
 * has its libraries. Dawn prints a warning when it does not, so this is asked first.
 *
 * @param dawn - folder of the package `webgpu`
 */
export function findVulkanLoader(dawn: string): { readonly ok: boolean; readonly detail: string } {
  const library = 'libvulkan.so.1';
  const beside = [join(dawn, 'dist', `${process.platform}-${process.arch}`), dirname(process.execPath)]
    .map((folder) => join(folder, library))
    .find((file) => existsSync(file));
  return beside ? { ok: true, detail: beside } : canLoad(library);
}
