import { expect, test } from 'vitest';
import { requestDevice } from './device.js';
import { warmUp } from './warm-up.js';

const seconds = 0.02;

test('keeps a GPU busy without a mistake', async () => {
  const opened = await requestDevice({ backend: 'null' });
  opened.device.pushErrorScope('validation');
  // What is not a software adapter is warmed up; the null backend stands in for a GPU.
  await warmUp({ ...opened, adapter: { ...opened.adapter, isSoftware: false } }, seconds);
  expect(await opened.device.popErrorScope()).toBeNull();
  opened.destroy();
});

test('does nothing on a software adapter', async () => {
  const opened = await requestDevice({ backend: 'null' });
  opened.destroy();
  await expect(warmUp(opened, seconds)).resolves.toBeUndefined();
});

test('fails when the device gets lost', async () => {
  const opened = await requestDevice({ backend: 'null' });
  const warming = warmUp({ ...opened, adapter: { ...opened.adapter, isSoftware: false } }, 60);
  opened.destroy();
  await expect(warming).rejects.toMatchObject({ code: 'device-node/device-lost' });
});
