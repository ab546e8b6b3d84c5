import { definePlugin, type Plugin } from '@qfuse/plugin';
import { fused } from '@qfuse/ops';
import { pass } from './pass.js';

export { quantizedTable } from './rule.js';
export { pass };

/** The plugin that brings the pass `fuse-embedding-q4gsw`. */
export default function fuseEmbeddingQ4gsw(): Plugin {
  return definePlugin({
    name: '@qfuse/pass-fuse-embedding-q4gsw',
    version: '0.1.0',
    api: 1,
    ops: [fused.EmbeddingQ4csw, fused.EmbeddingQ4gsw, fused.EmbeddingQ8csw, fused.EmbeddingQ8gsw],
    passes: [pass],
  });
}
