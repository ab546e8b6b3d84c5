export { Linear } from './linear.js';
export * from './view-scatter.js';
export * from './scalar-tensor-sym.js';
export * from './convolution.js';
