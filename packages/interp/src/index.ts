export { decomposition } from './decompose.js';
export { largestSum } from './largest-sum.js';
export { Evaluator, runGraph, type RunOptions, type RunResult } from './run.js';
export { bindSymbols, concreteAttrs, concreteType } from '@qfuse/ir';
