import { definePlugin } from '@qfuse/plugin';
import { testPass } from '@qfuse/testing';
import { expect, test } from 'vitest';
import { presetWebGPU } from './index.js';

// Goldens of several passes together, which no pass can have: passes do not know each other.
testPass(import.meta.url, definePlugin({ name: 'none', version: '0.0.0', api: 1 }), { with: presetWebGPU() });

test('brings each pass once', () => {
  const names = presetWebGPU().flatMap((p) => (p.passes ?? []).map(({ name }) => name));
  expect(new Set(names).size).toBe(names.length);
});
