export * from './linear-weight-only.js';
export * from './linear-integer.js';
export * from './embedding.js';
export * from './dynamic-quantize.js';
