import { expect, test } from 'vitest';
import { diagnose } from './diagnose.js';
import { listAdapters } from './select.js';

test.runIf(process.platform === 'linux' && process.arch === 'x64')('every step of the way to a device is told', async () => {
  const diagnosis = await diagnose();
  const status = Object.fromEntries(diagnosis.steps.map(({ id, status: outcome }) => [id, outcome]));
  expect(status).toMatchObject({ node: 'ok', glibc: 'ok', platform: 'ok', dawn: 'ok', swiftshader: 'ok', device: 'ok' });
  expect(Object.keys(status)).toEqual(expect.arrayContaining(['gpu-device', 'vulkan-loader', 'vulkan-drivers', 'native']));
  expect(diagnosis.ok).toBe(true);
  expect(diagnosis.adapter?.limits['maxBufferSize']).toBeGreaterThan(0);
  expect(JSON.parse(JSON.stringify(diagnosis))).toEqual(diagnosis);
});

test('what is missing comes with what to do', async () => {
  const { steps } = await diagnose();
  const missing = steps.filter(({ id, status }) => status !== 'ok' && /^(gpu|vulkan|libegl)/.test(id));
  expect(missing.filter(({ help }) => !help?.endsWith('.'))).toEqual([]);
});

test('a machine without a GPU lacks nothing', async () => {
  const { steps } = await diagnose();
  const gpu = steps.find(({ id }) => id === 'gpu-device')?.status === 'ok';
  expect(gpu ? [] : steps.filter(({ status }) => status === 'failed')).toEqual([]);
});

test.runIf(process.platform === 'linux' && process.arch === 'x64')('the embedded adapter is listed', async () => {
  const origins = (await listAdapters()).map(({ origin }) => origin);
  expect(origins.filter((origin) => origin === 'swiftshader')).toHaveLength(1);
});
