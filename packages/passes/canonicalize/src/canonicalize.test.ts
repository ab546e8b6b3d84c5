import { createPlan, definePass, definePlugin } from '@qfuse/plugin';
import { testPass } from '@qfuse/testing';
import { expect, test } from 'vitest';
import canonicalize, { folded, pass } from './index.js';
import { soils } from '../test/soil.js';

// The second pass has the same rules.
testPass(import.meta.url, definePlugin({ ...canonicalize(), passes: [pass] }), { soil: soils, plants: 30 });

test('runs before constants are folded and after', () => {
  const other = (name: string) => definePass({ name, summary: name, phase: 'normalize', run: () => ({ changed: false }) });
  const plan = createPlan([other('cse'), ...canonicalize().passes!, definePass({ ...other('fold-constants'), after: ['canonicalize'] })]);
  expect(plan.passes.map((p) => p.name)).toEqual(['canonicalize', 'fold-constants', 'canonicalize-folded', 'cse']);
  expect(folded.rules).toBe(pass.rules);
});

test('every rule has a name of its own and says what it does', () => {
  const rules = pass.rules!;
  expect(new Set(rules.map((r) => r.name)).size).toBe(rules.length);
  for (const rule of rules) expect(rule.summary, rule.name).not.toBe('');
});
