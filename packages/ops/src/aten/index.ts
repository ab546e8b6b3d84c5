export { Linear } from './linear.js';
export * from './view-scatter.js';
export * from './scalar-tensor-sym.js';
export * from './convolution.js';
export * from './max-pool.js';
export * from './avg-pool.js';
export * from './layer-norm.js';
export * from './group-norm.js';
