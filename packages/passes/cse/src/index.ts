import { definePlugin, type Plugin } from '@qfuse/plugin';
import { pass } from './pass.js';

export { pass };

/** The plugin that brings the pass `cse`. */
export default function cse(): Plugin {
  return definePlugin({ name: '@qfuse/pass-cse', version: '0.1.0', api: 1, passes: [pass] });
}
