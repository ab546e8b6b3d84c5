export { Dequantize, Quantize } from './quantize.js';
