export { LinearQcs4w, LinearQcs8w } from './linear-qcsnw.js';
