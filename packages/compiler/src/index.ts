export { compareTensors, type Comparison, type Tolerance } from './compare.js';
export { compileGraph, type Compiled, type CompileOptions, coreOps, createCompilerRegistry, histogram, planOf } from './compile.js';
export { explainStays, type Stay } from './explain.js';
export { loadModel, type Model } from './model.js';
export { prepareGraph, type PrepareOptions, quantizeGraph, type Quantized, type QuantizeOptions } from './quantize.js';
export { readNpy, writeNpy } from './npy.js';
export { checkConstants, type ProgramFile, programFileVersion, type ProgramInfo, readProgram, writeProgram } from './program-file.js';
export {
  readSafetensorsHeader,
  type SafetensorsEntry,
  type SafetensorsHeader,
  type SafetensorsItem,
  writeSafetensors,
} from './safetensors.js';
export { randomSource, sampleBindings, sampleInputs, sampleTensor } from './sample.js';
export { copyGraph, type Cut, extractSubgraph } from './subgraph.js';
export { readTensors, writeTensors } from './tensor-files.js';
export { toleranceOf } from './tolerance.js';
export type { RunElsewhere } from './agreement.js';
export { type Check, deviceTolerance, verifyCompilation, type VerifyOptions } from './verify.js';
