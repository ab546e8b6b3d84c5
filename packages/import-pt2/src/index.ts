export { openArchive, type Pt2Archive } from './archive.js';
