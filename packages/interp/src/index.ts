export { decomposition } from './decompose.js';
export { Float32Evaluator, fma32 } from './float32.js';
export { holdsCodes, replay, type Replayed } from './replay.js';
export { Evaluator, runGraph, type RunOptions, type RunResult } from './run.js';
export { bindSymbols, concreteAttrs, concreteType } from '@qfuse/ir';
