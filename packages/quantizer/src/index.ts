export type { Grid, Mapping, Observer, ObserverFactory, ObserverState, QParams, SpecGranularity } from './observer.js';
export * from './observers/index.js';
export {
  type AnySpec,
  type DerivedQuantizationSpec,
  edge,
  type Edge,
  type EdgeOrOutput,
  type FixedQParamsQuantizationSpec,
  output,
  type Output,
  type QuantizationConfig,
  type QuantizationSpec,
  type SharedQuantizationSpec,
  sharedWith,
} from './spec.js';
export { type AnnotationInit, Annotations, type QuantizationAnnotation } from './annotation.js';
export { composeQuantizers, defineQuantizer, type Quantizer } from './quantizer.js';
export { checkPatterns, moduleNameFilter, moduleOf, type NodeFilter } from './scopes.js';
export { bitsToRange, getSymmetricQuantizationConfig, type SymmetricOptions } from './configs/symmetric.js';
export { getXNNPACKQuantizationConfig, type XNNPACKOptions } from './configs/xnnpack.js';
export { getIntxQuantizationConfig, type IntxOptions } from './configs/intx.js';
export type { Annotator, OperatorType } from './annotators/annotator.js';
export { type QuantizationScopes } from './quantizers/scoped.js';
export { embeddingQuantizer, linearQuantizer } from './quantizers/weights.js';
export { xnnpackQuantizer } from './quantizers/xnnpack.js';
export { type CalibrationState, type ObserverGroup, prepare, type PreparedModel } from './prepare.js';
export { type Batch, calibrate, type CalibrateOptions, type RunGraph } from './calibrate.js';
export { convert } from './convert.js';
export { linearProducts } from './properties.js';
export { defineRecipe, type QuantizationRecipe, type RecipeInit } from './recipes/recipe.js';
export { type ParsedRecipe, parseRecipe } from './recipes/parse-recipe.js';
export { recipes } from './recipes/recipes.js';
export { quantizer, quantizer as default } from './plugin.js';
export { derivedBias } from './annotators/annotator.js';
export { compareLayers, type LayerReport, type QuantizationReport, type ValueReport, type WeightBytes } from './report/compare-layers.js';
