import type { Value } from '@qfuse/plugin';
import type { Call, Lowering } from './lowering.js';

/** Turns one call into nodes of the graph. */
export type Handler = (call: Call, lowering: Lowering) => void;

/** Defines result `index` of a call as a tensor of its own. */
export function defineFresh(call: Call, lowering: Lowering, value: Value, index = 0): void {
  const name = lowering.resultNames(call.node)[index];
  if (name === undefined) return;
  lowering.expectType(value, name, call.who);
  lowering.define(name, { ref: lowering.memory.fresh(value) });
}
