import type { OpDefinition } from './define.js';
import * as aten from './aten/index.js';
import * as fused from './fused/index.js';
import * as quant from './quant/index.js';

export { aten, fused, quant };

/** Every op of this package. */
export const allOps: readonly OpDefinition[] = Object.freeze(
  [aten, quant, fused].flatMap((dialect) => Object.values(dialect) as OpDefinition[]),
);
