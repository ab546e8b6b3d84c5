import { definePass, type Pass } from '@qfuse/plugin';
import { identityRules } from './identities.js';
import { linearRules } from './linears.js';
import { normRules } from './norms.js';
import { permuteRules } from './permutes.js';
import { viewRules } from './views.js';

/**
 * Brings both dialects of torch programs (training IR and Core ATen) to one form: one spelling for views,
 * permutes, linears and norms, and no nodes that change nothing.
 *
 * Afterwards every product with a weight is `aten.linear` with the weight as `[N, K]`. Rules refuse whatever they
 * cannot prove: an unknown symbolic dim, another permutation, a bias that is none.
 */
export const pass: Pass = definePass({
  name: 'canonicalize',
  summary: 'brings every spelling of linears, views, permutes and norms to one',
  phase: 'normalize',
  rules: [...viewRules, ...permuteRules, ...identityRules, ...normRules, ...linearRules],
});
