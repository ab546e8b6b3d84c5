import { definePlugin, type Plugin } from '@qfuse/plugin';
import { pass } from './pass.js';

export { identityRules } from './identities.js';
export { linearRules } from './linears.js';
export { normRules } from './norms.js';
export { pass };
export { permuteRules } from './permutes.js';
export { viewRules } from './views.js';

/** The plugin that brings the pass `canonicalize`. */
export default function canonicalize(): Plugin {
  return definePlugin({ name: '@qfuse/pass-canonicalize', version: '0.1.0', api: 1, passes: [pass] });
}
