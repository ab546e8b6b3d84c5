import { definePlugin, type Plugin } from '@qfuse/plugin';
import { fused } from '@qfuse/ops';
import { pass } from './pass.js';

export { staticLinear } from './linear.js';
export { clampedResult, quantizedLinear } from './result.js';
export { pass };

/** The plugin that brings the pass `fuse-linear-q8ta`. */
export default function fuseLinearQ8ta(): Plugin {
  return definePlugin({
    name: '@qfuse/pass-fuse-linear-q8ta',
    version: '0.1.0',
    api: 1,
    ops: [fused.LinearQ8taQ4csw, fused.LinearQ8taQ4gsw, fused.LinearQ8taQ8csw, fused.LinearQ8taQ8gsw, fused.Q8taLinear],
    passes: [pass],
  });
}
