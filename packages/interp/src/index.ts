export { decomposition, Evaluator } from './evaluate.js';
export { runGraph, type RunResult } from './run.js';
export { bindSymbols, concreteAttrs, concreteType } from '@qfuse/ir';
