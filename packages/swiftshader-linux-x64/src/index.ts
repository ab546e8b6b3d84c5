import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import { driver } from './driver.js';

export { driver };

/** The compressed driver: beside `src` and beside `dist` alike. */
const packed = new URL('../libvk_swiftshader.so.br', import.meta.url);

/**
 * Decompresses the driver. Takes about 50 ms.
 *
 * @returns the bytes of `libvk_swiftshader.so`, an ELF library for x86-64 and glibc 2.17 or newer
 * @throws Error when the package is damaged: its file is missing, cut short, or not the one that {@link driver} states
 */
export function readDriver(): Uint8Array {
  const path = fileURLToPath(packed);
  let bytes: Uint8Array;
  try {
    bytes = brotliDecompressSync(readFileSync(path), { maxOutputLength: driver.bytes });
  } catch (cause) {
    throw new Error(`${path} cannot be read and decompressed; install @qfuse/swiftshader-linux-x64 again`, { cause });
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== driver.sha256)
    throw new Error(
      `${path} holds a library with SHA-256 ${sha256}, expected ${driver.sha256}; install @qfuse/swiftshader-linux-x64 again`,
    );
  return bytes;
}
