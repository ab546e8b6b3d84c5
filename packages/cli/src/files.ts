import { readFileSync } from 'node:fs';
import { readTensors, writeTensors } from '@qfuse/compiler';
import { writeAtomically } from '@qfuse/compiler/node';
import type { HostTensor } from '@qfuse/ir';

/** Reads a file as a whole. @throws an error of the file system that names `path`, also for a folder */
function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    // Node opens folders and fails when it reads them, without a name.
    if (error instanceof Error && 'syscall' in error) Object.assign(error, { path });
    throw error;
  }
}

/** Reads a text file. @throws as {@link readBytes} */
export const readText = (path: string): string => new TextDecoder().decode(readBytes(path));

/** Reads the tensors of a .safetensors, .npz or .npy file. */
export const readTensorFile = (path: string): Map<string, HostTensor> => readTensors(readBytes(path), path);

/** Writes tensors atomically; the name's ending chooses the format. */
export const writeTensorFile = (path: string, tensors: ReadonlyMap<string, HostTensor>): number =>
  writeAtomically(path, [writeTensors(tensors, path)]);
