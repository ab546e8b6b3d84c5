import { definePlugin, type Plugin } from '@qfuse/plugin';
import { pass } from './pass.js';

export { chooseQparams } from './choose-qparams.js';
export { dequantizeRule } from './dequantize.js';
export { groups } from './groups.js';
export { quantizeRules } from './quantize.js';
export { pass };

/** The plugin that brings the pass `raise-qdq`. */
export default function raiseQdq(): Plugin {
  return definePlugin({ name: '@qfuse/pass-raise-qdq', version: '0.1.0', api: 1, passes: [pass] });
}
