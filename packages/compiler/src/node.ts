/**
 * What the compiler needs of Node: files and a WebGPU device. The rest of the package runs in a browser too.
 * @packageDocumentation
 */
import { closeSync, fsyncSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
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

/** Writes a file as a whole or not at all: into a new file beside it, which then takes its name. */
export function writeAtomically(path: string, parts: Iterable<Uint8Array>): number {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  let size = 0;
  try {
    const file = openSync(temporary, 'w');
    try {
      for (const part of parts) for (let at = 0; at < part.length;) at += writeSync(file, part, at, part.length - at);
      fsyncSync(file);
      size = fstatSync(file).size;
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  return size;
}
