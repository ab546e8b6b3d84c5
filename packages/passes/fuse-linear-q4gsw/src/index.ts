import { definePlugin, type Plugin } from '@qfuse/plugin';
import { fused } from '@qfuse/ops';
import { pass } from './pass.js';

export { weightOnly } from './rule.js';
export { pass };

/** The plugin that brings the pass `fuse-linear-q4gsw`. */
export default function fuseLinearQ4gsw(): Plugin {
  return definePlugin({
    name: '@qfuse/pass-fuse-linear-q4gsw',
    version: '0.1.0',
    api: 1,
    ops: [fused.LinearQ4gsw, fused.LinearQ8gsw],
    passes: [pass],
  });
}
