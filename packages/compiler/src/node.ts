/**
 * What the compiler needs of Node: files and a WebGPU device. The rest of the package runs in a browser too.
 * @packageDocumentation
 */
import { closeSync, fsyncSync, fstatSync, openSync, readSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type ByteSource, QfuseError } from '@qfuse/ir';

export { requestDevice } from '@qfuse/device-node';

/**
 * A file as random access bytes. Reads go to the file when they are asked for, so a model is never in memory as
 * a whole. The file stays open until the process ends.
 * @throws an error of the file system when it cannot be opened
 */
export function fileSource(path: string): ByteSource {
  const file = openSync(path, 'r');
  const stat = fstatSync(file);
  if (!stat.isFile()) throw new QfuseError('file', `${path}: is not a file`);
  return {
    size: stat.size,
    read: (offset, length) => {
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const count = readSync(file, bytes, done, length - done, offset + done);
        if (count === 0) throw new QfuseError('file', `${path}: ends at byte ${offset + done}, it was longer when it was opened`);
        done += count;
      }
      return bytes;
    },
  };
}

/**
 * Writes a file as a whole or not at all: into a new file beside it, which then takes its name. A link stays, and what it leads to is
 * written; what is no regular file, e.g. `/dev/stdout` or a pipe, is written as it is.
 * @throws QfuseError `file` for a folder; an error of the file system that names `path`
 */
export function writeAtomically(path: string, parts: Iterable<Uint8Array>): number {
  try {
    const known = statSync(path, { throwIfNoEntry: false });
    if (known?.isDirectory() === true || path === '') throw new QfuseError('file', `"${path}": is a folder, expected a file to write`);
    if (known !== undefined && !known.isFile()) return writeParts(path, parts, false);
    return replaceFile(known === undefined ? path : realpathSync(path), parts);
  } catch (error) {
    // The user knows the file that they asked for, not the one beside it.
    if (error instanceof Error && 'syscall' in error) Object.assign(error, { path });
    throw error;
  }
}

function replaceFile(path: string, parts: Iterable<Uint8Array>): number {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const size = writeParts(temporary, parts, true);
    renameSync(temporary, path);
    return size;
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function writeParts(path: string, parts: Iterable<Uint8Array>, durable: boolean): number {
  const file = openSync(path, 'w');
  try {
    let size = 0;
    for (const part of parts) {
      for (let at = 0; at < part.length;) at += writeSync(file, part, at, part.length - at);
      size += part.length;
    }
    if (durable) fsyncSync(file);
    return size;
  } finally {
    closeSync(file);
  }
}
