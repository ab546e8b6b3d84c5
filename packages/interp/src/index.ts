export { concreteAttrs, decomposition, Evaluator } from './evaluate.js';
export { bindSymbols, concreteType, runGraph, type RunResult } from './run.js';
