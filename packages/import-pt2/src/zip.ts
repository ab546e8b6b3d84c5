import { type ByteSource, QfuseError } from '@qfuse/plugin';
import { Inflate } from 'fflate';
import { crc32 } from './crc32.js';
import { archiveError, quote } from './errors.js';
import { INFLATE_STEP } from './limits.js';
import { LOCAL_SIZE, readExactly, readZipDirectory, type ZipEntry } from './zip-directory.js';

export type { ZipEntry } from './zip-directory.js';

/** Bytes that are read at once while a checksum is computed. */
const CHECK_STEP = 2 ** 20;

/**
 * Random access to the files of a zip archive: stored files become slices of the source without a copy.
 * A file's CRC-32 is checked before its first byte is given out.
 *
 * Own code rather than a zip library, because none gives out slices of stored entries; DEFLATE itself is fflate's.
 */
export class ZipArchive {
  readonly entries: ReadonlyMap<string, ZipEntry>;
  readonly #source: ByteSource;
  readonly #checked = new Set<string>();
  readonly #inflated = new Map<string, WeakRef<Uint8Array>>();

  /** @throws QfuseError `pt2/archive` when the source is not a sound zip archive */
  constructor(source: ByteSource) {
    this.#source = source;
    this.entries = readZipDirectory(source);
  }

  /**
   * The content of a file. Must not be written to.
   * @throws QfuseError `pt2/archive` when it is missing, larger than `limit` bytes, or damaged
   */
  read(name: string, limit: number): Uint8Array {
    const entry = this.#entry(name);
    if (entry.size > limit) throw archiveError(`${quote(name)} has ${entry.size} bytes, at most ${limit} are accepted`);
    return this.slice(name, 0, entry.size);
  }

  /**
   * `length` bytes of a file from `offset`. Must not be written to.
   * @throws QfuseError `pt2/archive` when it is missing, too short or damaged
   */
  slice(name: string, offset: number, length: number): Uint8Array {
    const entry = this.#entry(name);
    if (offset < 0 || length < 0 || offset + length > entry.size)
      throw archiveError(`${quote(name)} has ${entry.size} bytes, bytes ${offset} to ${offset + length} were asked for`);
    if (entry.method === 'deflated') return this.#inflate(entry).subarray(offset, offset + length);
    const start = this.#dataStart(entry);
    if (!this.#checked.has(name)) {
      this.#check(entry, start);
      this.#checked.add(name);
    }
    return readExactly(this.#source, start + offset, length, quote(name));
  }

  #entry(name: string): ZipEntry {
    const entry = this.entries.get(name);
    if (entry === undefined) throw archiveError(`the archive has no file ${quote(name)}`);
    return entry;
  }

  /** Where the data of an entry begin; its local header must agree with the directory. */
  #dataStart(entry: ZipEntry): number {
    const header = readExactly(this.#source, entry.offset, LOCAL_SIZE, `the header of ${quote(entry.name)}`);
    const v = new DataView(header.buffer, header.byteOffset, header.byteLength);
    if (v.getUint32(0, true) !== 0x04034b50)
      throw archiveError(`the archive is damaged: no local header of ${quote(entry.name)} at byte ${entry.offset}`);
    const method = v.getUint16(8, true);
    const nameLength = v.getUint16(26, true);
    const name = readExactly(this.#source, entry.offset + LOCAL_SIZE, nameLength, `the header of ${quote(entry.name)}`);
    if (v.getUint16(6, true) & 0x2061 || method !== (entry.method === 'stored' ? 0 : 8) || new TextDecoder().decode(name) !== entry.name)
      throw archiveError(`the archive is damaged: the local header of ${quote(entry.name)} contradicts the zip directory`);
    const start = entry.offset + LOCAL_SIZE + nameLength + v.getUint16(28, true);
    if (start + entry.compressedSize > entry.limit)
      throw archiveError(`the archive is damaged: the data of ${quote(entry.name)} overlap what follows`);
    return start;
  }

  #check(entry: ZipEntry, start: number): void {
    let sum = 0;
    for (let at = 0; at < entry.size; at += CHECK_STEP)
      sum = crc32(readExactly(this.#source, start + at, Math.min(CHECK_STEP, entry.size - at), quote(entry.name)), sum);
    expectChecksum(entry, sum);
  }

  #inflate(entry: ZipEntry): Uint8Array {
    const known = this.#inflated.get(entry.name)?.deref();
    if (known !== undefined) return known;
    const start = this.#dataStart(entry);
    const out = new Uint8Array(entry.size);
    let filled = 0;
    const inflater = new Inflate((chunk) => {
      if (filled + chunk.length > out.length)
        throw archiveError(`${quote(entry.name)} inflates to more than the ${out.length} bytes that it declares (a zip bomb?)`);
      out.set(chunk, filled);
      filled += chunk.length;
    });
    try {
      let at = 0;
      do {
        const length = Math.min(INFLATE_STEP, entry.compressedSize - at);
        // A copy: the inflater keeps the end of a piece, and a source may use its buffer again.
        inflater.push(readExactly(this.#source, start + at, length, quote(entry.name)).slice(), at + length === entry.compressedSize);
        at += length;
      } while (at < entry.compressedSize);
    } catch (cause) {
      if (cause instanceof QfuseError) throw cause;
      throw archiveError(
        `the deflated data of ${quote(entry.name)} are damaged: ${cause instanceof Error ? cause.message : String(cause)}`,
        undefined,
        cause,
      );
    }
    if (filled !== out.length) throw archiveError(`${quote(entry.name)} inflates to ${filled} bytes, expected ${out.length}`);
    expectChecksum(entry, crc32(out));
    this.#inflated.set(entry.name, new WeakRef(out));
    return out;
  }
}

function expectChecksum(entry: ZipEntry, sum: number): void {
  if (sum !== entry.crc32)
    throw archiveError(
      `${quote(entry.name)} is damaged: its CRC-32 is ${sum.toString(16)}, expected ${entry.crc32.toString(16)}`,
      'copy or download the file again, or save the program again',
    );
}
