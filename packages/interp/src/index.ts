export { decomposition } from './decompose.js';
export { Evaluator, runGraph, type RunOptions, type RunResult } from './run.js';
export { bindSymbols, concreteAttrs, concreteType } from '@qfuse/ir';
