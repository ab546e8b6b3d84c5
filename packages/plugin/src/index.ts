/**
 * The one import of a pass author: graph, patterns, rules, passes and plugins. What is exported here is the stable
 * surface; everything else may change between versions.
 * @packageDocumentation
 */
export * from '@qfuse/ir';
export * from '@qfuse/rewrite';
export * from '@qfuse/pass-manager';
export { defineOp, opTable, type OpDefinition, type OpInit, type ReferenceContext, type DecomposeContext } from '@qfuse/ops';
