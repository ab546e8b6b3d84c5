import { afterEach, describe, expect, test } from 'vitest';
import { loadFailure, loadNativeDawn, loadSwiftShaderDawn, locateDawn } from './dawn.js';

const { arch } = process;
afterEach(() => {
  Object.defineProperty(process, 'arch', { value: arch });
});

test('a platform without a binary is named, with those that have one', async () => {
  Object.defineProperty(process, 'arch', { value: 'riscv64' });
  const error = {
    name: 'QfuseError',
    code: 'device-node/unsupported-platform',
    message: expect.stringMatching(/no binary for \w+-riscv64; there are binaries for: .*linux-x64/),
  };
  expect(locateDawn).toThrow(expect.objectContaining(error));
  await expect(loadNativeDawn()).rejects.toMatchObject(error);
});

test('Dawn is loaded once', async () => {
  const [first, second] = [await loadNativeDawn(), await loadNativeDawn()];
  expect(first.globals).toBe(second.globals);
  expect(first.globals).toHaveProperty('GPUBufferUsage');
});

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('the copy on SwiftShader', () => {
  test('is another one than that on the drivers of the machine', async () => {
    const [machine, swiftShader] = [await loadNativeDawn(), await loadSwiftShaderDawn()];
    expect(swiftShader.folder).not.toBe(machine.folder);
    expect(swiftShader.globals['GPUDevice']).not.toBe(machine.globals['GPUDevice']);
  });

  test('needs a folder, and says of each why it does not do', async () => {
    await expect(loadSwiftShaderDawn(['/dev/null/a', '/proc/b'])).rejects.toMatchObject({
      code: 'device-node/no-cache-folder',
      message: expect.stringMatching(/\n {2}\/dev\/null\/a: ENOTDIR.*\n {2}\/proc\/b: ENOENT/),
      help: expect.stringContaining('XDG_CACHE_HOME'),
    });
  });
});

test.each([
  ["/lib/libm.so.6: version `GLIBC_2.34' not found (required by dawn.node)", 'linux-x64', /lacks GLIBC_2\.34.*Debian 12/],
  ["libstdc++.so.6: version `GLIBCXX_3.4.30' not found", 'linux-x64', /lacks GLIBCXX_3\.4\.30/],
  ['Error loading shared library ld-linux-x86-64.so.2: No such file', 'linux-x64-musl', /built for glibc.*musl/],
  ['libstdc++.so.6: cannot open shared object file', 'linux-x64', /libstdc\+\+6/],
  ['something else', 'darwin-arm64', /qfuse doctor/],
])('the loader says: %s', (message, platform, help) => {
  const error = loadFailure(new Error(message), platform);
  expect(error).toMatchObject({ code: 'device-node/dawn-failed', help: expect.stringMatching(help) });
  expect(error.message).toContain(message);
});

test('Node may forbid addons', () => {
  const cause = Object.assign(new Error('Cannot load native addon'), { code: 'ERR_DLOPEN_DISABLED' });
  expect(loadFailure(cause).help).toContain('--allow-addons');
});
