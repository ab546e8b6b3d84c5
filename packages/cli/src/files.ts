import { readFileSync } from 'node:fs';
import { readTensors, writeTensors } from '@qfuse/compiler';
import { writeAtomically } from '@qfuse/compiler/node';
import type { HostTensor } from '@qfuse/ir';

/** Reads the tensors of a .safetensors, .npz or .npy file. */
export const readTensorFile = (path: string): Map<string, HostTensor> => readTensors(readFileSync(path), path);

/** Writes tensors atomically; the name's ending chooses the format. */
export const writeTensorFile = (path: string, tensors: ReadonlyMap<string, HostTensor>): number =>
  writeAtomically(path, [writeTensors(tensors, path)]);
