import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { canLoad, findVulkanLoader, glibcVersion, gpuDeviceFiles, mayHaveGpu, platformName } from './platform.js';

const folder = () => {
  const made = mkdtempSync(join(tmpdir(), 'qfuse-platform-test-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
};

describe.runIf(process.platform === 'linux')('on Linux', () => {
  test('a GPU shows by the files of its driver', () => {
    const dev = folder();
    expect(gpuDeviceFiles(dev)).toEqual([]);
    mkdirSync(join(dev, 'dri'));
    writeFileSync(join(dev, 'dri/card0'), '');
    expect(gpuDeviceFiles(dev)).toEqual([]);
    writeFileSync(join(dev, 'dri/renderD128'), '');
    writeFileSync(join(dev, 'nvidiactl'), '');
    expect(gpuDeviceFiles(dev)).toEqual([join(dev, 'nvidiactl'), join(dev, 'dri/renderD128')]);
  });

  test('a driver named in the environment is worth a try without such files', () => {
    for (const name of ['VK_DRIVER_FILES', 'VK_ADD_DRIVER_FILES', 'VK_ICD_FILENAMES'])
      expect(mayHaveGpu({ [name]: '/icd.json' })).toBe(true);
    expect(mayHaveGpu({ VK_DRIVER_FILES: '' })).toBe(gpuDeviceFiles().length > 0);
  });

  test('libraries are told apart that can and cannot be loaded', () => {
    expect(canLoad('libc.so.6')).toEqual({ ok: true, detail: 'libc.so.6 can be loaded' });
    const missing = canLoad('libqfuse-none.so.1');
    expect(missing.ok).toBe(false);
    expect(missing.detail).toMatch(/^libqfuse-none\.so\.1: cannot open shared object file/);
  });

  test('a Vulkan loader beside the library of Dawn is found without loading it', () => {
    const dawn = folder();
    const binaries = join(dawn, 'dist', `${process.platform}-${process.arch}`);
    mkdirSync(binaries, { recursive: true });
    writeFileSync(join(binaries, 'libvulkan.so.1'), '');
    expect(findVulkanLoader(dawn)).toEqual({ ok: true, detail: join(binaries, 'libvulkan.so.1') });
  });

  test('the C library', () => {
    expect(glibcVersion()).toMatch(/^2\.\d+$/);
    expect(platformName()).toBe(`linux-${process.arch}`);
  });
});
