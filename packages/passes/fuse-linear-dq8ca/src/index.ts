import { definePlugin, type Plugin } from '@qfuse/plugin';
import { fused } from '@qfuse/ops';
import { pass } from './pass.js';

export { quantizeInF32 } from './arithmetic.js';
export { chooseAndQuantize, dynamicLinear, takeIntegers } from './rules.js';
export { pass };

/** The plugin that brings the pass `fuse-linear-dq8ca`. */
export default function fuseLinearDq8ca(): Plugin {
  return definePlugin({
    name: '@qfuse/pass-fuse-linear-dq8ca',
    version: '0.1.0',
    api: 1,
    ops: [fused.DynamicQuantize, fused.LinearDq8caQ4csw, fused.LinearDq8caQ4gsw, fused.LinearDq8caQ8csw, fused.LinearDq8caQ8gsw],
    passes: [pass],
  });
}
