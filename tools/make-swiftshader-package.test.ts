import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { driverFromChromium, driverModule, packageFolder } from './make-swiftshader-package.mjs';

// Decompressed bytes are compared, as releases of Node carry releases of brotli that compress differently.
test('the files of the package are what the script makes of the pinned @sparticuz/chromium', () => {
  const driver = driverFromChromium();
  const checkedIn = brotliDecompressSync(readFileSync(join(packageFolder, 'libvk_swiftshader.so.br')));
  expect(checkedIn.equals(driver.bytes)).toBe(true);
  expect(readFileSync(join(packageFolder, 'src/driver.ts'), 'utf8')).toBe(driverModule(driver));
});

test('the driver comes from the version that the root pins', () => {
  const { devDependencies } = JSON.parse(readFileSync(join(packageFolder, '../../package.json'), 'utf8'));
  expect(driverFromChromium().origin).toBe(`@sparticuz/chromium@${devDependencies['@sparticuz/chromium']}`);
});
