import { definePlugin, type Plugin } from '@qfuse/plugin';
import { folded, pass } from './pass.js';

export { identityRules } from './identities.js';
export { linearRules } from './linears.js';
export { normRules } from './norms.js';
export { folded, pass };
export { permuteRules } from './permutes.js';
export { viewRules } from './views.js';

/** The plugin that brings the pass `canonicalize`, and `canonicalize-folded` for pipelines that fold constants. */
export default function canonicalize(): Plugin {
  return definePlugin({ name: '@qfuse/pass-canonicalize', version: '0.1.0', api: 1, passes: [pass, folded] });
}
