import type { ByteSource } from '@qfuse/plugin';
import { archiveError, quote } from './errors.js';
import { INFLATED_ALLOWANCE, MAX_DIRECTORY_BYTES, MAX_ENTRIES, MAX_INFLATE_RATIO, MAX_NAME_BYTES } from './limits.js';

/** One file of a zip archive, as its central directory describes it. */
export interface ZipEntry {
  readonly name: string;
  readonly method: 'stored' | 'deflated';
  /** Bytes in the archive. */
  readonly compressedSize: number;
  /** Bytes of the content. */
  readonly size: number;
  readonly crc32: number;
  /** Offset of the local file header. */
  readonly offset: number;
  /** Where the next entry, or the central directory, begins: the data must end before. */
  readonly limit: number;
}

const END_SIZE = 22;
const END64_SIZE = 56;
const LOCATOR_SIZE = 20;
const CENTRAL_SIZE = 46;
/** Bytes of a local file header before its name. */
export const LOCAL_SIZE = 30;
const MAX_COMMENT = 0xffff;
const FULL16 = 0xffff;
const FULL32 = 0xffffffff;

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * `length` bytes of `source` from `offset`.
 * @throws QfuseError `pt2/archive` when the source ends before
 */
export function readExactly(source: ByteSource, offset: number, length: number, what: string): Uint8Array {
  if (offset < 0 || length < 0 || offset + length > source.size)
    throw archiveError(
      `the archive is truncated or damaged: ${what} is at bytes ${offset} to ${offset + length}, the file has ${source.size}`,
    );
  const bytes = source.read(offset, length);
  if (bytes.byteLength !== length) throw archiveError(`reading ${what} gave ${bytes.byteLength} bytes, expected ${length}`);
  return bytes;
}

function u64(v: DataView, at: number, what: string): number {
  const value = Number(v.getBigUint64(at, true));
  if (!Number.isSafeInteger(value)) throw archiveError(`the archive is damaged: ${what} is ${value}`);
  return value;
}

/** Offset of the end-of-central-directory record. */
function findEnd(source: ByteSource): number {
  if (source.size < END_SIZE) throw archiveError(`the file has ${source.size} bytes, too few for a .pt2 archive`);
  const length = Math.min(source.size, END_SIZE + MAX_COMMENT);
  const start = source.size - length;
  const tail = readExactly(source, start, length, 'the end of the zip');
  const v = view(tail);
  const found: number[] = [];
  // Only a record whose comment ends with the file counts: signatures inside data or comments do not match.
  for (let at = length - END_SIZE; at >= 0; at--)
    if (v.getUint32(at, true) === 0x06054b50 && at + END_SIZE + v.getUint16(at + 20, true) === length) found.push(start + at);
  if (found.length > 1)
    throw archiveError('the archive has two end records (one hides in the comment of the other): it cannot be read safely');
  const [only] = found;
  if (only === undefined) {
    const isZip = source.size >= 4 && view(source.read(0, 4)).getUint32(0, true) === 0x04034b50;
    throw archiveError(
      isZip ? 'the archive is truncated: its zip directory is missing' : 'the file is not a .pt2 archive: it is not a zip file',
    );
  }
  return only;
}

interface Directory {
  readonly entries: number;
  readonly offset: number;
  readonly size: number;
}

function readEnd(source: ByteSource): Directory {
  const end = findEnd(source);
  const v = view(readExactly(source, end, END_SIZE, 'the zip end record'));
  const disk = v.getUint16(4, true);
  const directoryDisk = v.getUint16(6, true);
  const here = v.getUint16(8, true);
  let entries = v.getUint16(10, true);
  let size = v.getUint32(12, true);
  let offset = v.getUint32(16, true);
  let stop = end;
  const severalDisks = archiveError(
    'the archive is one part of a multi-part zip',
    'join the parts, or save the program again with torch.export.save',
  );

  const locatorAt = end - LOCATOR_SIZE;
  const locator = locatorAt >= 0 ? view(readExactly(source, locatorAt, LOCATOR_SIZE, 'the zip64 locator')) : undefined;
  if (locator?.getUint32(0, true) === 0x07064b50) {
    if (locator.getUint32(4, true) !== 0 || locator.getUint32(16, true) > 1) throw severalDisks;
    stop = u64(locator, 8, 'the place of the zip64 end record');
    const r = view(readExactly(source, stop, END64_SIZE, 'the zip64 end record'));
    const length = u64(r, 4, 'the size of the zip64 end record');
    if (r.getUint32(0, true) !== 0x06064b50 || length < END64_SIZE - 12 || stop + 12 + length !== locatorAt)
      throw archiveError('the archive is damaged: its zip64 end record is not where the locator says');
    if (r.getUint32(16, true) !== 0 || r.getUint32(20, true) !== 0) throw severalDisks;
    const wide = {
      here: u64(r, 24, 'the entry count'),
      entries: u64(r, 32, 'the entry count'),
      size: u64(r, 40, 'the directory size'),
      offset: u64(r, 48, 'the directory offset'),
    };
    const agrees = (narrow: number, full: number, value: number): boolean => narrow === full || narrow === value;
    if (
      wide.here !== wide.entries ||
      !agrees(entries, FULL16, wide.entries) ||
      !agrees(size, FULL32, wide.size) ||
      !agrees(offset, FULL32, wide.offset)
    )
      throw archiveError('the archive is damaged: its zip and zip64 end records contradict each other');
    ({ entries, size, offset } = wide);
  } else {
    if (disk !== 0 || directoryDisk !== 0 || here !== entries) throw severalDisks;
    if (entries === FULL16 || size === FULL32 || offset === FULL32)
      throw archiveError('the archive is damaged: its zip64 end record is missing');
  }
  if (entries > MAX_ENTRIES) throw archiveError(`the archive has ${entries} entries, at most ${MAX_ENTRIES} are accepted`);
  if (size > MAX_DIRECTORY_BYTES) throw archiveError(`the zip directory has ${size} bytes, at most ${MAX_DIRECTORY_BYTES} are accepted`);
  if (offset + size !== stop)
    throw archiveError(`the archive is damaged: its zip directory takes bytes ${offset} to ${offset + size}, expected to end at ${stop}`);
  if (entries * CENTRAL_SIZE > size)
    throw archiveError(`the archive is damaged: ${entries} entries do not fit a zip directory of ${size} bytes`);
  return { entries, offset, size };
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Text of an entry name that is safe as a relative path. */
function safeName(bytes: Uint8Array): string {
  if (bytes.length === 0 || bytes.length > MAX_NAME_BYTES)
    throw archiveError(`an entry name has ${bytes.length} bytes, expected 1 to ${MAX_NAME_BYTES}`);
  let name: string;
  try {
    name = decoder.decode(bytes);
  } catch (cause) {
    throw archiveError('an entry name is not UTF-8', undefined, cause);
  }
  const parts = (name.endsWith('/') ? name.slice(0, -1) : name).split('/');
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (parts.some((p) => p === '' || p === '.' || p === '..') || /[\\\u0000-\u001f\u007f]|^[A-Za-z]:/.test(name))
    throw archiveError(`entry name ${quote(name)} is not a plain relative path: it could lead out of the archive`);
  return name;
}

/** Sizes and offset of an entry, from its zip64 extra field where the plain fields are full. */
function wideFields(
  extra: Uint8Array,
  name: string,
  size: number,
  compressedSize: number,
  offset: number,
  disk: number,
): [number, number, number] {
  const v = view(extra);
  let wide: DataView | undefined;
  for (let at = 0; at + 4 <= extra.length;) {
    const length = v.getUint16(at + 2, true);
    if (at + 4 + length > extra.length) throw archiveError(`entry ${quote(name)}: its extra fields are damaged`);
    if (v.getUint16(at, true) === 1) {
      if (wide !== undefined) throw archiveError(`entry ${quote(name)} has two zip64 fields`);
      wide = view(extra.subarray(at + 4, at + 4 + length));
    }
    at += 4 + length;
  }
  let at = 0;
  const next = (plain: number): number => {
    if (plain !== FULL32) return plain;
    if (wide === undefined || at + 8 > wide.byteLength) throw archiveError(`entry ${quote(name)}: its zip64 field is missing or too short`);
    at += 8;
    return u64(wide, at - 8, `a size of entry ${quote(name)}`);
  };
  const result: [number, number, number] = [next(size), next(compressedSize), next(offset)];
  const start = disk === FULL16 && wide !== undefined && at + 4 <= wide.byteLength ? wide.getUint32(at, true) : disk;
  if (start !== 0) throw archiveError(`entry ${quote(name)} begins in another part of a multi-part zip`);
  return result;
}

function readEntry(directory: Uint8Array, at: number): { readonly entry: Omit<ZipEntry, 'limit'>; readonly next: number } {
  const v = view(directory);
  if (at + CENTRAL_SIZE > directory.length || v.getUint32(at, true) !== 0x02014b50)
    throw archiveError(`the archive is damaged: its zip directory has no entry at byte ${at}`);
  const nameLength = v.getUint16(at + 28, true);
  const extraLength = v.getUint16(at + 30, true);
  const next = at + CENTRAL_SIZE + nameLength + extraLength + v.getUint16(at + 32, true);
  if (next > directory.length) throw archiveError(`the archive is damaged: the zip directory entry at byte ${at} is cut off`);
  const nameEnd = at + CENTRAL_SIZE + nameLength;
  const name = safeName(directory.subarray(at + CENTRAL_SIZE, nameEnd));
  const flags = v.getUint16(at + 8, true);
  // Bits 0, 6, 13: encryption in its three forms. Bit 5: a patch against another archive.
  if (flags & 0x2041) throw archiveError(`entry ${quote(name)} is encrypted`, 'save the program again without encryption');
  if (flags & 0x20) throw archiveError(`entry ${quote(name)} is a patch of another archive`);
  const kind = (v.getUint32(at + 38, true) >>> 28) & 0xf;
  // Unix file type in the upper bits of the external attributes: 0 none, 8 regular, 4 directory.
  if (kind !== 0 && kind !== 8 && kind !== 4)
    throw archiveError(`entry ${quote(name)} is a ${kind === 10 ? 'symbolic link' : 'special file'}, expected a regular file`);
  const code = v.getUint16(at + 10, true);
  if (code !== 0 && code !== 8)
    throw archiveError(`entry ${quote(name)} is compressed by method ${code}, expected stored (0) or deflated (8)`);
  const [size, compressedSize, offset] = wideFields(
    directory.subarray(nameEnd, nameEnd + extraLength),
    name,
    v.getUint32(at + 24, true),
    v.getUint32(at + 20, true),
    v.getUint32(at + 42, true),
    v.getUint16(at + 34, true),
  );
  if (code === 0 && size !== compressedSize)
    throw archiveError(`entry ${quote(name)} is stored with ${compressedSize} bytes but declares ${size}`);
  return {
    entry: { name, method: code === 0 ? 'stored' : 'deflated', compressedSize, size, crc32: v.getUint32(at + 16, true), offset },
    next,
  };
}

/**
 * The files of a zip archive by name; directories are left out.
 *
 * Only the central directory is read. It must be the one and only directory of the file and fill the space up to
 * the end record; names must be plain relative paths, each once; entries must not overlap.
 * @throws QfuseError `pt2/archive` for anything else, naming the entry
 */
export function readZipDirectory(source: ByteSource): ReadonlyMap<string, ZipEntry> {
  const end = readEnd(source);
  const directory = readExactly(source, end.offset, end.size, 'the zip directory');
  const all: Omit<ZipEntry, 'limit'>[] = [];
  const names = new Set<string>();
  let inflated = 0;
  let at = 0;
  for (let i = 0; i < end.entries; i++) {
    const { entry, next } = readEntry(directory, at);
    at = next;
    if (names.has(entry.name)) throw archiveError(`the archive has two entries named ${quote(entry.name)}`);
    names.add(entry.name);
    if (entry.method === 'deflated') inflated += entry.size;
    all.push(entry);
  }
  if (at !== end.size) throw archiveError(`the archive is damaged: its zip directory has ${end.size - at} bytes after the last entry`);
  const allowed = source.size * MAX_INFLATE_RATIO + INFLATED_ALLOWANCE;
  if (inflated > allowed)
    throw archiveError(`the archive of ${source.size} bytes would inflate to ${inflated}, at most ${allowed} are accepted (a zip bomb?)`);

  const result = new Map<string, ZipEntry>();
  const sorted = all.toSorted((a, b) => a.offset - b.offset);
  for (const [i, entry] of sorted.entries()) {
    const limit = sorted[i + 1]?.offset ?? end.offset;
    if (entry.offset + LOCAL_SIZE + entry.compressedSize > limit) {
      const other = sorted[i + 1];
      throw archiveError(
        `the archive is damaged: entry ${quote(entry.name)} overlaps ${other === undefined ? 'the zip directory' : quote(other.name)}`,
      );
    }
    if (!entry.name.endsWith('/')) result.set(entry.name, Object.freeze({ ...entry, limit }));
  }
  return result;
}
