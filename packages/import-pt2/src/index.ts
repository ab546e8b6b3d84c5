export { openArchive, type Pt2Archive } from './archive.js';
export { importPt2, type ImportPt2Options } from './import-pt2.js';
