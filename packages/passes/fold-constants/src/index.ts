import { definePlugin, type Plugin } from '@qfuse/plugin';
import { pass } from './pass.js';

export { pass };

/** Options of the pass `fold-constants`. */
export interface FoldConstantsOptions {
  /** Bytes that a folded result may be larger than the constants it replaces. */
  readonly limit?: number;
  /** Also folds `quant.dequantize`, which turns quantized weights into floats. */
  readonly dequantize?: boolean;
}

/** The plugin that brings the pass `fold-constants`. */
export default function foldConstants(options: FoldConstantsOptions = {}): Plugin {
  return definePlugin({ name: '@qfuse/pass-fold-constants', version: '0.1.0', api: 1, passes: [pass.with({ ...options })] });
}
