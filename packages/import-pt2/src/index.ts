export { openArchive, type Pt2Archive } from './archive.js';
export { importPt2, type ImportPt2Options, pt2Importer } from './import-pt2.js';
export { pt2 } from './plugin.js';
