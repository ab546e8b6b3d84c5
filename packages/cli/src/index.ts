export { createProgram, main } from './main.js';
export { exitCodes } from './exit.js';
