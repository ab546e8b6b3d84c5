import { unzipSync } from 'fflate';
import { byteLength, countOf, decodeElements, encodeElements, type HostTensor, QfuseError } from '@qfuse/ir';
import { readNpy, writeNpy } from './npy.js';
import { readSafetensorsHeader, type SafetensorsItem, writeSafetensors } from './safetensors.js';

/** Uncompressed size of an `.npz` beyond which it is refused. */
const MAX_NPZ_BYTES = 2 ** 31;

/**
 * Reads named tensors from the bytes of a `.safetensors`, `.npz` or `.npy` file; the content decides which it is.
 * An `.npy` holds one tensor, which gets the name `in.0`.
 * @throws QfuseError when the file is damaged or of another kind
 */
export function readTensors(bytes: Uint8Array, fileName: string): Map<string, HostTensor> {
  try {
    if (bytes[0] === 0x93) return new Map([['in.0', readNpy(bytes)]]);
    if ((bytes[0] === 0x50 && bytes[1] === 0x4b) || fileName.endsWith('.npz')) return readNpz(bytes);
    return readSafetensors(bytes);
  } catch (cause) {
    if (cause instanceof QfuseError)
      throw new QfuseError(cause.code, `${fileName}: ${cause.message}`, {
        help: cause.help ?? 'tensors are read from .safetensors, .npz and .npy files',
        cause,
      });
    throw cause;
  }
}

function readSafetensors(bytes: Uint8Array): Map<string, HostTensor> {
  const { entries } = readSafetensorsHeader((offset, length) => bytes.subarray(offset, offset + length), bytes.length);
  const out = new Map<string, HostTensor>();
  for (const { name, dtype, dtypeName, shape, offset, length } of entries.values()) {
    if (dtype === undefined)
      throw new QfuseError('safetensors/dtype', `tensor "${name}" has the dtype ${dtypeName}, which qfuse does not have`);
    out.set(name, { dtype, shape, data: decodeElements(dtype, bytes.subarray(offset, offset + length), countOf(shape)) });
  }
  return out;
}

function readNpz(bytes: Uint8Array): Map<string, HostTensor> {
  let total = 0;
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes, {
      filter: (file) => {
        total += file.originalSize;
        if (total > MAX_NPZ_BYTES) throw new QfuseError('npz/size', `its arrays take more than ${MAX_NPZ_BYTES} bytes`);
        return file.name.endsWith('.npy');
      },
    });
  } catch (cause) {
    if (cause instanceof QfuseError) throw cause;
    throw new QfuseError('npz/damaged', `not a whole .npz archive: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  return new Map(Object.entries(files).map(([name, data]) => [name.slice(0, -4), readNpy(data)]));
}

/** The file formats of {@link writeTensors}, by file name ending. */
export function writeTensors(tensors: ReadonlyMap<string, HostTensor>, fileName: string): Uint8Array {
  if (fileName.endsWith('.npy')) {
    if (tensors.size !== 1)
      throw new QfuseError('npy/one-array', `an .npy file holds one tensor, there are ${tensors.size}`, { help: 'write .safetensors' });
    return writeNpy([...tensors.values()][0]!);
  }
  if (!fileName.endsWith('.safetensors')) throw new QfuseError('tensors/format', `"${fileName}" must end in .safetensors or .npy`);
  const items = [...tensors].map(([name, t]): SafetensorsItem => ({
    name,
    dtype: t.dtype,
    shape: t.shape,
    length: byteLength(t.dtype, t.data.length),
    bytes: () => encodeElements(t.dtype, t.data),
  }));
  const parts = [...writeSafetensors(items, {})];
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
