import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { QfuseError } from '@qfuse/ir';
import { adapterNames, normalizeName } from './adapters.js';
import { cacheFolders } from './cache.js';
import { loadNativeDawn, loadSwiftShaderDawn, locateDawn, messageOf, type Dawn } from './dawn.js';
import { requestDevice } from './device.js';
import { canLoad, findVulkanLoader, glibcVersion, gpuDeviceFiles, platformName } from './platform.js';
import { swiftShaderRunsHere } from './swiftshader.js';
import type { AdapterRecord } from './types.js';

/** What one step of {@link diagnose} looked for and found. */
export interface DiagnosisStep {
  /** Stable name: `node`, `platform`, `glibc`, `dawn`, `gpu-device`, `vulkan-loader`, `vulkan-drivers`, `libegl`, `native`, `swiftshader`, `device`. */
  readonly id: string;
  /** `ok`: there. `absent`: not there, and not needed. `failed`: not there, and this is why something does not work. */
  readonly status: 'ok' | 'absent' | 'failed';
  /** What was found, one line or a few. */
  readonly detail: string;
  /** What to do about it. */
  readonly help?: string;
}

/** The result of {@link diagnose}; plain data. */
export interface Diagnosis {
  /** A device can be opened with the default options. */
  readonly ok: boolean;
  readonly steps: readonly DiagnosisStep[];
  /** The adapter that the default options choose. */
  readonly adapter?: AdapterRecord;
}

/** Oldest release of Node that the packages support. */
const oldestNode = [20, 19] as const;
/** Dawn's binary for Linux is built against this one. */
const oldestGlibc = [2, 34] as const;

/**
 * Looks, step by step, for everything that a WebGPU device needs, and opens one. Never throws: what fails is a step.
 */
export async function diagnose(): Promise<Diagnosis> {
  const steps: DiagnosisStep[] = [nodeStep(), ...(process.platform === 'linux' ? [glibcStep()] : [])];
  let dawn: Dawn | undefined;
  try {
    steps.push({ id: 'platform', status: 'ok', detail: `${platformName()}, npm package webgpu ${locateDawn().version}` });
    dawn = await loadNativeDawn();
    steps.push({ id: 'dawn', status: 'ok', detail: dawn.folder });
  } catch (error) {
    steps.push(failure(error instanceof QfuseError && error.code !== 'device-node/dawn-failed' ? 'platform' : 'dawn', error));
  }
  if (dawn) {
    steps.push(...(await nativeSteps(dawn)));
    steps.push(await swiftShaderStep());
  }
  const outcome = await deviceStep();
  steps.push(outcome.step);
  return { ok: outcome.step.status === 'ok', steps, ...(outcome.adapter ? { adapter: outcome.adapter } : {}) };
}

function nodeStep(): DiagnosisStep {
  const fine = atLeast(process.versions.node, oldestNode);
  const help = `Install Node ${oldestNode.join('.')} or newer.`;
  return { id: 'node', status: fine ? 'ok' : 'failed', detail: `Node ${process.versions.node}`, ...(fine ? {} : { help }) };
}

function glibcStep(): DiagnosisStep {
  const version = glibcVersion();
  const fine = version !== undefined && atLeast(version, oldestGlibc);
  const help = `WebGPU in Node needs glibc ${oldestGlibc.join('.')} or newer: Debian 12, Ubuntu 22.04, or newer.`;
  const detail = version ? `glibc ${version}` : 'no glibc; this system has musl or another C library';
  return { id: 'glibc', status: fine ? 'ok' : 'failed', detail, ...(fine ? {} : { help }) };
}

async function nativeSteps(dawn: Dawn): Promise<DiagnosisStep[]> {
  if (process.platform !== 'linux') return [await nativeStep(dawn, true)];
  const files = gpuDeviceFiles();
  // Without a GPU, nothing of what a GPU needs is missing.
  const absent = files.length ? 'failed' : 'absent';
  const loader = findVulkanLoader(dawn.folder);
  const drivers = vulkanDrivers();
  const steps: DiagnosisStep[] = [
    {
      id: 'gpu-device',
      status: files.length ? 'ok' : 'absent',
      detail: files.length ? files.join(', ') : 'none of /dev/nvidiactl, /dev/dri/renderD*, /dev/dxg, /dev/kfd',
      ...(files.length ? {} : { help: 'In a container, pass the GPU through, e.g. docker run --gpus all.' }),
    },
    {
      id: 'vulkan-loader',
      status: loader.ok ? 'ok' : absent,
      detail: loader.detail,
      ...(loader.ok ? {} : { help: 'To use a GPU, install the Vulkan loader: the package libvulkan1.' }),
    },
    {
      id: 'vulkan-drivers',
      status: drivers.length ? 'ok' : absent,
      detail: drivers.join('\n') || 'no driver manifest in the folders vulkan/icd.d',
      ...(drivers.length
        ? {}
        : {
            help: 'To use a GPU, install its Vulkan driver; in a container with an NVIDIA GPU, set NVIDIA_DRIVER_CAPABILITIES=all.',
          }),
    },
  ];
  if (files.some((file) => file.endsWith('nvidiactl'))) {
    const egl = canLoad('libEGL.so.1');
    steps.push({
      id: 'libegl',
      status: egl.ok ? 'ok' : 'failed',
      detail: egl.detail,
      ...(egl.ok ? {} : { help: "NVIDIA's Vulkan driver needs libEGL even for computing: install the package libegl1." }),
    });
  }
  return [...steps, await nativeStep(dawn, loader.ok, absent)];
}

async function nativeStep(dawn: Dawn, loader: boolean, absent: 'absent' | 'failed' = 'absent'): Promise<DiagnosisStep> {
  const names = loader ? await adapterNames(dawn) : [];
  if (names.length) return { id: 'native', status: 'ok', detail: names.map(normalizeName).join(', ') };
  return { id: 'native', status: absent, detail: 'no adapter of the machine itself' };
}

async function swiftShaderStep(): Promise<DiagnosisStep> {
  const id = 'swiftshader';
  if (!swiftShaderRunsHere()) return { id, status: 'absent', detail: 'embedded for linux-x64 only' };
  try {
    const dawn = await loadSwiftShaderDawn();
    const names = (await adapterNames(dawn)).map(normalizeName);
    if (names.length) return { id, status: 'ok', detail: `${names.join(', ')} in ${dawn.folder}` };
    return { id, status: 'failed', detail: `Dawn finds no adapter in ${dawn.folder}` };
  } catch (error) {
    const step = failure(id, error);
    return { ...step, detail: `${step.detail}\nlooked in ${cacheFolders().join(', ')}` };
  }
}

async function deviceStep(): Promise<{ step: DiagnosisStep; adapter?: AdapterRecord }> {
  try {
    const { adapter, destroy, lost } = await requestDevice();
    destroy();
    await lost;
    const detail = `${adapter.name} (${adapter.origin}${adapter.isSoftware ? ', software' : ''}), ${adapter.driver}`;
    return { step: { id: 'device', status: 'ok', detail }, adapter };
  } catch (error) {
    return { step: failure('device', error) };
  }
}

/** The manifests of Vulkan drivers that the loader will read, each with the library it names. */
function vulkanDrivers(env: NodeJS.ProcessEnv = process.env): string[] {
  const named = env['VK_DRIVER_FILES'] ?? env['VK_ICD_FILENAMES'];
  const files = named ? named.split(delimiter) : manifestFolders(env).flatMap(manifestsIn);
  return files.map((file) => {
    try {
      const manifest = JSON.parse(readFileSync(file, 'utf8')) as { ICD?: { library_path?: string } };
      return `${file}: ${manifest.ICD?.library_path ?? 'names no library'}`;
    } catch (error) {
      return `${file}: ${messageOf(error)}`;
    }
  });
}

function manifestFolders(env: NodeJS.ProcessEnv): string[] {
  const list = (name: string, otherwise: string): string[] => (env[name] ?? otherwise).split(delimiter).filter(Boolean);
  const roots = [
    env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'),
    ...list('XDG_CONFIG_DIRS', '/etc/xdg'),
    '/etc',
    env['XDG_DATA_HOME'] ?? join(homedir(), '.local/share'),
    ...list('XDG_DATA_DIRS', '/usr/local/share:/usr/share'),
  ];
  return [...new Set(roots)].map((root) => join(root, 'vulkan/icd.d'));
}

function manifestsIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => join(folder, file));
}

function failure(id: string, error: unknown): DiagnosisStep {
  const help = error instanceof QfuseError ? error.help : undefined;
  return { id, status: 'failed', detail: messageOf(error), ...(help ? { help } : {}) };
}

function atLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a > major || (a === major && b >= minor);
}
