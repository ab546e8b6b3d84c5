/**
 * The WebGPU backend: chooses a WGSL kernel for each node of a graph, plans memory, and runs the graph on a `GPUDevice`.
 * Runs in browsers and in Node alike; `@qfuse/device-node` finds a device in Node.
 * @packageDocumentation
 */
export { compileProgram, type CompileOptions, planProgram, type PlanOptions } from './compile.js';
export {
  type Binding,
  type Cost,
  defineKernel,
  type Dispatch,
  type ErrorBound,
  exact,
  type KernelInit,
  type KernelSample,
  type Launch,
  oneRounding,
  type ParameterType,
  type SampleTensor,
  type Scratch,
  type Sizes,
  streamCost,
  type WebGPUKernel,
} from './kernel.js';
export { webgpuKernels } from './kernels/index.js';
export { type MemoryItem, type MemoryPlan, type Placement, planMemory } from './memory-plan.js';
export { packedFormat, type PackedFormat, packWeight } from './packing.js';
export { describePlan, type PlannedDispatch, type ProgramPlan } from './plan.js';
export type { Timing } from './profile.js';
export type { RunOptions, WebGPUProgram, WebGPURunResult } from './program.js';
export { createKernelRegistry, type KernelRegistry, type Selection } from './registry.js';
export { deviceConstant, type Layout, layoutOf, type ScalarType, storageBytes } from './storage.js';
export {
  type Accuracy,
  createTarget,
  portableTarget,
  probeLanguageFeatures,
  type SubgroupMatrix,
  type TargetLimits,
  type TargetOptions,
  type WebGPUTarget,
  withLimits,
} from './target.js';
export { bindValue, loadFunction, storeWords, wordsFor } from './wgsl/elements.js';
export { type Access, broadcastIndexing, type Indexing, indexing, rowMajor } from './wgsl/indexing.js';
export { mapDispatch, type MapInit } from './wgsl/map.js';
export { mathFor } from './wgsl/math.js';
export { f32Literal, groupsFor, shader, type ShaderInit } from './wgsl/shader.js';
