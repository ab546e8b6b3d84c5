import { definePlugin, type Plugin } from '@qfuse/plugin';
import { fused } from '@qfuse/ops';
import { pass } from './pass.js';

export { weightOnly } from './rule.js';
export { pass };

/** The plugin that brings the pass `fuse-linear-qcsnw`. */
export default function fuseLinearQcsnw(): Plugin {
  return definePlugin({
    name: '@qfuse/pass-fuse-linear-qcsnw',
    version: '0.1.0',
    api: 1,
    ops: [fused.LinearQcs4w, fused.LinearQcs8w],
    passes: [pass],
  });
}
