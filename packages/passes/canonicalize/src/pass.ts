import { definePass, type Pass, type Rule } from '@qfuse/plugin';
import { identityRules } from './identities.js';
import { linearRules } from './linears.js';
import { normRules } from './norms.js';
import { permuteRules } from './permutes.js';
import { scaleRules } from './scales.js';
import { viewRules } from './views.js';

const rules: readonly Rule[] = [...viewRules, ...permuteRules, ...identityRules, ...normRules, ...linearRules, ...scaleRules];

/**
 * Brings both dialects of torch programs (training IR and Core ATen) to one form: one spelling for views,
 * permutes, linears, norms and scales, and no nodes that change nothing.
 *
 * Afterwards every product with a weight is `aten.linear` with the weight as `[N, K]`. Rules refuse whatever they
 * cannot prove: an unknown symbolic dim, another permutation, a bias that is none.
 */
export const pass: Pass = definePass({
  name: 'canonicalize',
  summary: 'brings every spelling of linears, views, permutes and norms to one',
  phase: 'normalize',
  rules,
});

/**
 * The same rules once more: a weight or bias that is computed from constants is one only after these were folded. It cannot
 * run after folding alone, as folding would copy weights that are transposed here when they are read.
 */
export const folded: Pass = definePass({
  name: 'canonicalize-folded',
  summary: 'brings what folding made constant to the same form',
  phase: 'normalize',
  after: ['canonicalize', 'fold-constants'],
  before: ['cse'],
  rules,
});
