import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { driver, readDriver } from './index.js';

test('the driver is the ELF library for x86-64 that its record states', () => {
  const bytes = readDriver();
  expect(bytes.length).toBe(driver.bytes);
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(driver.sha256);
  expect(Buffer.from(bytes.subarray(0, 5)).toString('latin1')).toBe('\x7fELF\x02');
  expect(bytes[18]).toBe(0x3e);
});
