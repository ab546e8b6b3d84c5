export { Linear } from './linear.js';
