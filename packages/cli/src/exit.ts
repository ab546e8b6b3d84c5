import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { contentKey, QfuseError } from '@qfuse/ir';
import { PassFailure } from '@qfuse/pass-manager';

/** Exit codes of the command. */
export const exitCodes = Object.freeze({
  fine: 0,
  /** Numbers outside the tolerance, or a verification that failed. */
  wrong: 1,
  /** Bad usage, or a bad file. */
  usage: 2,
  /** Something that qfuse does not support; all of it is listed. */
  unsupported: 3,
  /** A defect of qfuse or of a plugin; a reproducer was written. */
  defect: 4,
});

/** How a failed command ends. */
export interface Failure {
  readonly exitCode: number;
  readonly code: string;
  readonly message: string;
  readonly help: string | undefined;
  readonly reproducer: string | undefined;
}

const isUnsupported = (code: string): boolean => /(^|\/)unsupported/.test(code) || code === 'interp/no-reference';

/**
 * Sorts an error into an exit code; for a defect a reproducer is written into the current folder (or the folder
 * for temporary files when that cannot be written).
 */
export function failureOf(error: unknown, command: readonly string[]): Failure {
  if (error instanceof PassFailure) {
    // What a pass reports in the user's words is the user's matter, also when it comes through the manager.
    const { cause } = error;
    if (cause instanceof QfuseError && isUnsupported(cause.code)) return failureOf(cause, command);
    return {
      exitCode: exitCodes.defect,
      code: 'defect/pass',
      message: error.message,
      help: 'replay it with "qfuse replay", and report it with that file',
      reproducer: writeReproducer(error.reproducer),
    };
  }
  if (error instanceof QfuseError)
    return {
      exitCode: isUnsupported(error.code) ? exitCodes.unsupported : exitCodes.usage,
      code: error.code,
      message: error.message,
      help: error.help,
      reproducer: undefined,
    };
  const file = fileProblem(error);
  if (file !== undefined) return { exitCode: exitCodes.usage, code: 'file', message: file, help: undefined, reproducer: undefined };
  const text = `// qfuse crash report\n// command: qfuse ${command.join(' ')}\n// node: ${process.version} on ${process.platform}-${process.arch}\n${stackOf(error)}\n`;
  const message = `this should not have happened: ${error instanceof Error ? error.message : String(error)}`;
  return { exitCode: exitCodes.defect, code: 'defect/crash', message, help: 'report it with that file', reproducer: writeReproducer(text) };
}

/** Where an error was thrown, and what caused it. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\ncaused by ${stackOf(error.cause)}`;
}

/** A clear line for the errors of the file system, undefined for anything else. */
function fileProblem(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('syscall' in error)) return undefined;
  const { code, path } = error as NodeJS.ErrnoException;
  const known: Record<string, string> = {
    ENOENT: 'does not exist',
    EACCES: 'may not be read or written',
    EISDIR: 'is a folder, expected a file',
    ENOSPC: 'does not fit on the disk',
    EROFS: 'lies on a read-only disk',
    ENOTDIR: 'has a file where a folder is expected',
  };
  return path === undefined ? undefined : `${path}: ${known[code ?? ''] ?? error.message}`;
}

function writeReproducer(text: string): string | undefined {
  const name = `qfuse-reproducer-${contentKey('reproducer', new TextEncoder().encode(text)).slice(0, 8)}.txt`;
  for (const folder of [process.cwd(), tmpdir()]) {
    try {
      const path = resolve(join(folder, name));
      writeFileSync(path, text);
      return path;
    } catch {
      // the next folder
    }
  }
  return undefined;
}
