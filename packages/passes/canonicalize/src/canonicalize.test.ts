import { testPass } from '@qfuse/testing';
import { expect, test } from 'vitest';
import canonicalize, { pass } from './index.js';
import { soils } from '../test/soil.js';

testPass(import.meta.url, canonicalize(), { soil: soils, plants: 30 });

test('every rule has a name of its own and says what it does', () => {
  const rules = pass.rules!;
  expect(new Set(rules.map((r) => r.name)).size).toBe(rules.length);
  for (const rule of rules) expect(rule.summary, rule.name).not.toBe('');
});
