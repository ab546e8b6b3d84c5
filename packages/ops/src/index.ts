export * from './define.js';
export * from './promotion.js';
export * from './shapes.js';
export {
  granularities,
  type Granularity,
  granularityAttrs,
  type GranularityAttrs,
  qparamsIndex,
  qparamsShape,
} from './quant/granularity.js';
export { type QuantizedWeight, quantizedWeight, readAsWeight, type WeightVerdict, weightValues } from './fused/quantized-weight.js';
export { biasInside, weightOnlyLinear } from './fused/weight-only-linear.js';
export {
  behindViews,
  zeroPointRange,
  type InputVerdict,
  isStaticInput,
  type QuantizedInput,
  quantizedInput,
  singleConstant,
} from './fused/quantized-input.js';
export { type BoundsVerdict, clampedAgain, clampedBounds, clampOps, limitsRange } from './fused/clamp-bounds.js';
export { type IntegerLinear, integerLinear, type IntegerLinearNodes, type IntegerLinearVerdict, viewedAs } from './fused/integer-linear.js';
export { arithmeticRounder } from './quant/rounders.js';
export * from './all.js';
