import { QfuseError } from '@qfuse/plugin';
import { MAX_QUOTED_CHARS } from './limits.js';

/** Foreign text in quotes, shortened, with control characters escaped: fit for one line of a message. */
export function quote(text: string): string {
  const short = text.length > MAX_QUOTED_CHARS ? `${text.slice(0, MAX_QUOTED_CHARS)}…` : text;
  // U+2028 and U+2029 and the C1 controls pass through JSON.stringify but break or hide lines in terminals.
  return JSON.stringify(short).replace(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The error `pt2/archive`: the zip container or its files are damaged or of an unknown form. */
export const archiveError = (message: string, help?: string, cause?: unknown): QfuseError =>
  new QfuseError('pt2/archive', message, { help, cause });

/** The error `pt2/program`: the JSON program is not a valid exported program. */
export const programError = (message: string, help?: string): QfuseError => new QfuseError('pt2/program', message, { help });

/** The error `pt2/version`: the file is of a version that this importer does not know. */
export const versionError = (message: string, help?: string): QfuseError => new QfuseError('pt2/version', message, { help });

/** The error `pt2/unsupported-<what>`: a valid file that uses what qfuse cannot run. */
export const unsupported = (what: string, message: string, help?: string): QfuseError =>
  new QfuseError(`pt2/unsupported-${what}`, message, { help });
