import { definePlugin, type Plugin } from '@qfuse/plugin';
import { pass } from './pass.js';

export { pass };

/** The plugin that brings the pass `dce`. */
export default function dce(): Plugin {
  return definePlugin({ name: '@qfuse/pass-dce', version: '0.1.0', api: 1, passes: [pass] });
}
