export { defineDiagnostics, type Diagnostic, type Message, renderDiagnostic, type Severity } from './diagnostics.js';
export { type CompilerEmitter, type CompilerEvents, createEmitter, type Emitter, type EventMap } from './events.js';
export {
  PassFailure,
  type PassRecord,
  type PipelineReport,
  type RuleRecord,
  runPlan,
  type RunPlanOptions,
  type VerifyMode,
} from './manager.js';
export {
  type CodePassInit,
  definePass,
  type Pass,
  type PassContext,
  type PassOutcome,
  type Phase,
  phases,
  type RulePassInit,
} from './pass.js';
export { parsePipeline, pipelineText } from './pipeline.js';
export { createPlan, explainPlan, type Plan, type PlanEdge } from './plan.js';
export {
  type Config,
  defineConfig,
  definePlugin,
  flattenPlugins,
  type ImportContext,
  type Importer,
  type Kernel,
  override,
  type Plugin,
  pluginApi,
  type PluginInput,
  type Recipe,
} from './plugin.js';
export { type Analysis, AnalysisCache, defineAnalysis, defineProperty, type Property } from './property.js';
export { createRegistry, type Registry } from './registry.js';
export { captureGraph, parseReproducer, type Reproducer, reproducerText } from './reproducer.js';
