export { applyRules, type Application, type DriverOptions, type Match, type Refusal, type RewriteReport } from './driver.js';
export { type Capture, compilePattern, type CompiledPattern, matchAt } from './match.js';
export { MatchState, type NearMiss } from './match-state.js';
export {
  absent,
  any,
  type CapturesOf,
  constant,
  each,
  list,
  type ListPattern,
  maybe,
  type MaybePattern,
  oneOf,
  type OneOfPattern,
  op,
  type OpPattern,
  type Passage,
  type Pattern,
  type ReadersPolicy,
  through,
  type ThroughPattern,
  type ValuePattern,
} from './pattern.js';
export { defineRule, type Numerics, type Replacement, type Rule, type RuleContext, type RuleInit } from './rule.js';
