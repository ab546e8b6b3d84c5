import { bufferSource, type ByteSource, QfuseError } from '@qfuse/plugin';
import { deflateSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { buildZip, type ZipFile, type ZipTricks } from '../test/zip-builder.js';
import { crc32 } from './crc32.js';
import { ZipArchive } from './zip.js';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const open = (files: readonly ZipFile[], tricks?: ZipTricks): ZipArchive => new ZipArchive(bufferSource(buildZip(files, tricks)));
const a: ZipFile = { name: 'm/a', data: 'hello' };
const b: ZipFile = { name: 'm/b', data: 'world'.repeat(1000), deflate: true };
const LIMIT = 1 << 20;

describe('crc32', () => {
  it('is the checksum of zip', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array(0))).toBe(0);
  });

  it('goes on in pieces of any length', () => {
    const data = Uint8Array.from({ length: 1000 }, (_, i) => (i * 37) & 255);
    for (const cut of [0, 1, 7, 8, 9, 500, 999]) expect(crc32(data.subarray(cut), crc32(data.subarray(0, cut)))).toBe(crc32(data));
  });
});

describe('ZipArchive', () => {
  it('reads stored and deflated files', () => {
    const zip = open([a, b, { name: 'm/empty', data: '' }, { name: 'm/dir/', data: '' }]);
    expect([...zip.entries.keys()]).toEqual(['m/a', 'm/b', 'm/empty']);
    expect(text(zip.read('m/a', LIMIT))).toBe('hello');
    expect(text(zip.read('m/b', LIMIT))).toBe('world'.repeat(1000));
    expect(zip.read('m/empty', LIMIT).length).toBe(0);
    expect(text(zip.slice('m/b', 5, 5))).toBe('world');
  });

  it('gives slices of stored files without a copy', () => {
    const bytes = buildZip([a, b]);
    const slice = new ZipArchive(bufferSource(bytes)).slice('m/a', 1, 3);
    expect(text(slice)).toBe('ell');
    expect(slice.buffer).toBe(bytes.buffer);
  });

  it('reads zip64 records', () => {
    expect(text(open([{ ...a, zip64: true }, b], { zip64: true }).read('m/a', LIMIT))).toBe('hello');
    expect(text(open([a], { zip64: true }).read('m/a', LIMIT))).toBe('hello');
  });

  it('reads only the directory until a file is asked for', () => {
    const bytes = buildZip([{ name: 'm/big', data: new Uint8Array(300_000) }, a]);
    const reads: number[] = [];
    const source: ByteSource = { size: bytes.length, read: (o, n) => (reads.push(n), bytes.subarray(o, o + n)) };
    expect(new ZipArchive(source).entries.size).toBe(2);
    expect(reads.reduce((x, y) => x + y)).toBeLessThan(70_000);
  });

  it('accepts a comment', () => expect(open([a], { comment: new TextEncoder().encode('hi') }).entries.size).toBe(1));

  it.each<[string, readonly ZipFile[], ZipTricks, RegExp]>([
    ['a traversing name', [{ name: '../etc/passwd', data: '' }], {}, /"\.\.\/etc\/passwd" is not a plain relative path/],
    ['a name that traverses inside', [{ name: 'm/../../x', data: '' }], {}, /not a plain relative path/],
    ['an absolute name', [{ name: '/etc/passwd', data: '' }], {}, /not a plain relative path/],
    ['a drive name', [{ name: 'C:x', data: '' }], {}, /not a plain relative path/],
    ['a backslash name', [{ name: 'm\\x', data: '' }], {}, /not a plain relative path/],
    ['a control character', [{ name: 'm/\u0000x', data: '' }], {}, /not a plain relative path/],
    ['an empty segment', [{ name: 'm//x', data: '' }], {}, /not a plain relative path/],
    ['an empty name', [{ name: '', data: '' }], {}, /an entry name has 0 bytes/],
    ['a long name', [{ name: 'x'.repeat(2000), data: '' }], {}, /an entry name has 2000 bytes, expected 1 to 1024/],
    ['two entries of one name', [a, a], {}, /two entries named "m\/a"/],
    ['overlapping entries', [a, { name: 'm/c', data: 'x', offset: 0 }], {}, /overlaps/],
    ['an entry over the directory', [{ ...a, size: 9999, compressedSize: 9999 }], {}, /"m\/a" overlaps the zip directory/],
    ['an encrypted entry', [{ ...a, flags: 1 }], {}, /"m\/a" is encrypted/],
    ['strong encryption', [{ ...a, flags: 0x2001 }], {}, /encrypted/],
    ['a symbolic link', [{ ...a, attributes: 0o120777 * 65536 }], {}, /symbolic link/],
    ['a device', [{ ...a, attributes: 0o060000 * 65536 }], {}, /special file/],
    ['another method', [{ ...a, method: 12 }], {}, /method 12, expected stored \(0\) or deflated \(8\)/],
    ['a stored size that differs', [{ ...a, size: 4 }], {}, /stored with 5 bytes but declares 4/],
    ['an entry on another disk', [{ ...a, disk: 1 }], {}, /multi-part/],
    ['a multi-part zip', [a], { disk: 1 }, /multi-part/],
    ['a wrong entry count', [a, b], { entries: 1 }, /bytes after the last entry/],
    ['too many entries', [a], { entries: 2 }, /do not fit|no entry/],
    ['bytes before the directory', [a], { directoryOffset: 3 }, /expected to end/],
    ['a directory beyond the file', [a], { directoryOffset: 0x7fffffff }, /expected to end/],
    ['data before the archive', [a], { prefix: new Uint8Array(10), directoryOffset: 40 }, /expected to end/],
    ['junk in the directory', [a], { junk: 10 }, /after the last entry/],
    ['a declared bomb', [{ ...b, size: 0x7fffffff }], {}, /zip bomb/],
    ['a missing zip64 field', [{ ...a, size: 0xffffffff, compressedSize: 0xffffffff }], {}, /zip64 field is missing/],
  ])('refuses %s', (_, files, tricks, message) => {
    expect(() => open(files, tricks)).toThrow(QfuseError);
    expect(() => open(files, tricks)).toThrow(message);
  });

  it('refuses an end record that hides in the comment of another', () => {
    const inner = buildZip([a]);
    expect(() => open([a], { comment: inner.subarray(inner.length - 22) })).toThrow(/two end records/);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /0 bytes, too few/],
    ['other bytes', new Uint8Array(100), /not a zip file/],
    ['a truncated file', buildZip([a, b]).subarray(0, 90), /truncated/],
  ])('refuses %s', (_, bytes, message) => expect(() => new ZipArchive(bufferSource(bytes))).toThrow(message));

  it.each<[string, ZipFile, RegExp]>([
    ['a wrong checksum', { ...a, crc: 1 }, /"m\/a" is damaged: its CRC-32 is [0-9a-f]+, expected 1/],
    ['a wrong checksum of deflated data', { ...b, crc: 1 }, /CRC-32/],
    ['another name in the local header', { ...a, localName: 'm/x' }, /local header of "m\/a" contradicts/],
    ['another method in the local header', { ...a, localMethod: 8 }, /contradicts/],
    ['a larger real size', { ...b, size: 100 }, /inflates to more than the 100 bytes/],
    ['a smaller real size', { ...b, size: 6000 }, /inflates to 5000 bytes, expected 6000/],
    [
      'data that are no DEFLATE',
      { name: 'm/b', data: new Uint8Array([7, 255, 255, 255]), method: 8, size: 10 },
      /deflated data of "m\/b" are damaged/,
    ],
    ['no data at all', { name: 'm/b', data: '', method: 8, size: 10 }, /inflates to 0 bytes, expected 10/],
    [
      'truncated DEFLATE',
      { name: 'm/b', data: deflateSync(new TextEncoder().encode('x'.repeat(9999))).subarray(0, 8), method: 8, size: 9999 },
      /inflates to|damaged/,
    ],
  ])('finds %s when the file is read', (_, file, message) => {
    const zip = open([file]);
    expect(() => zip.read(file.name, LIMIT)).toThrow(QfuseError);
    expect(() => zip.read(file.name, LIMIT)).toThrow(message);
  });

  it('refuses files beyond the limit of their kind, and missing ones', () => {
    const zip = open([a]);
    expect(() => zip.read('m/a', 4)).toThrow('"m/a" has 5 bytes, at most 4 are accepted');
    expect(() => zip.slice('m/a', 3, 3)).toThrow(/bytes 3 to 6 were asked for/);
    expect(() => zip.read('m/x', 4)).toThrow('the archive has no file "m/x"');
  });

  it('stops a bomb of many zeros early, in bounded memory', () => {
    const packed = deflateSync(new Uint8Array(40 << 20));
    const zip = open([{ name: 'm/bomb', data: packed, method: 8, size: 1000 }]);
    expect(() => zip.read('m/bomb', LIMIT)).toThrow(/zip bomb/);
  });

  it('reports a source that gives fewer bytes than it has', () => {
    const bytes = buildZip([a]);
    let short = false;
    const zip = new ZipArchive({ size: bytes.length, read: (o, n) => bytes.subarray(o, o + n - (short ? 1 : 0)) });
    short = true;
    expect(() => zip.read('m/a', LIMIT)).toThrow(/gave \d+ bytes, expected/);
  });
});
