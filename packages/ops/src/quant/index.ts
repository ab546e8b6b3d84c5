export { Dequantize, Quantize } from './quantize.js';
export { ChooseQparams } from './choose-qparams.js';
