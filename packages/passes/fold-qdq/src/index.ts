import { definePlugin, type Plugin } from '@qfuse/plugin';
import { pass } from './pass.js';

export { dropFakeQuantize, requantizeSame } from './rules.js';
export { pass };

/** Options of the pass `fold-qdq`. */
export interface FoldQdqOptions {
  /** Also folds `dequantize(quantize(x))` to `x`, which is not exact. */
  readonly lossy?: boolean;
}

/** The plugin that brings the pass `fold-qdq`. */
export default function foldQdq(options: FoldQdqOptions = {}): Plugin {
  return definePlugin({ name: '@qfuse/pass-fold-qdq', version: '0.1.0', api: 1, passes: [pass.with({ ...options })] });
}
