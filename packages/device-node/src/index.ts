export { requestDevice, usefulFeatures } from './device.js';
export { diagnose, type DiagnosisStep, type Diagnosis } from './diagnose.js';
export { listAdapters } from './select.js';
export type { AdapterRecord, DeviceLoss, DeviceOptions, NodeDevice, Origin, SubgroupMatrixConfig } from './types.js';
export { warmUp } from './warm-up.js';
