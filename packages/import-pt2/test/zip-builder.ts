import { deflateSync } from 'fflate';
import { crc32 } from '../src/crc32.js';

/** One file of a zip to build; the optional fields make it wrong in one way. */
export interface ZipFile {
  readonly name: string;
  readonly data: Uint8Array | string;
  readonly deflate?: boolean;
  /** Stated instead of the true values. */
  readonly crc?: number;
  readonly size?: number;
  readonly compressedSize?: number;
  readonly offset?: number;
  readonly localName?: string;
  readonly localMethod?: number;
  readonly flags?: number;
  readonly method?: number;
  readonly attributes?: number;
  readonly disk?: number;
  readonly zip64?: boolean;
}

export interface ZipTricks {
  readonly comment?: Uint8Array;
  readonly prefix?: Uint8Array;
  readonly disk?: number;
  readonly entries?: number;
  readonly directorySize?: number;
  readonly directoryOffset?: number;
  readonly zip64?: boolean;
  /** Bytes after the last directory entry, counted as part of the directory. */
  readonly junk?: number;
}

const bytesOf = (data: Uint8Array | string): Uint8Array => (typeof data === 'string' ? new TextEncoder().encode(data) : data);

class Out {
  readonly parts: number[] = [];

  int(width: 2 | 4 | 8, value: number): this {
    let v = BigInt(value);
    for (let i = 0; i < width; i++, v >>= 8n) this.parts.push(Number(v & 0xffn));
    return this;
  }

  raw(bytes: Uint8Array): this {
    for (const b of bytes) this.parts.push(b);
    return this;
  }
}

/** A zip archive of `files`, in order. */
export function buildZip(files: readonly ZipFile[], tricks: ZipTricks = {}): Uint8Array {
  const out = new Out().raw(tricks.prefix ?? new Uint8Array(0));
  const directory = new Out();
  for (const f of files) {
    const content = bytesOf(f.data);
    const packed = f.deflate === true ? deflateSync(content) : content;
    const method = f.method ?? (f.deflate === true ? 8 : 0);
    const name = new TextEncoder().encode(f.name);
    const localName = new TextEncoder().encode(f.localName ?? f.name);
    const crc = f.crc ?? crc32(content);
    const size = f.size ?? content.length;
    const compressed = f.compressedSize ?? packed.length;
    const offset = f.offset ?? out.parts.length;
    out
      .int(4, 0x04034b50)
      .int(2, 45)
      .int(2, f.flags ?? 0x800)
      .int(2, f.localMethod ?? method)
      .int(4, 0);
    out
      .int(4, crc)
      .int(4, f.zip64 === true ? 0xffffffff : compressed)
      .int(4, f.zip64 === true ? 0xffffffff : size)
      .int(2, localName.length)
      .int(2, 0)
      .raw(localName)
      .raw(packed);
    const extra = new Out();
    if (f.zip64 === true) extra.int(2, 1).int(2, 24).int(8, size).int(8, compressed).int(8, offset);
    directory
      .int(4, 0x02014b50)
      .int(2, 0x031e)
      .int(2, 45)
      .int(2, f.flags ?? 0x800)
      .int(2, method)
      .int(4, 0)
      .int(4, crc);
    directory.int(4, f.zip64 === true ? 0xffffffff : compressed).int(4, f.zip64 === true ? 0xffffffff : size);
    directory
      .int(2, name.length)
      .int(2, extra.parts.length)
      .int(2, 0)
      .int(2, f.disk ?? 0)
      .int(2, 0)
      .int(4, f.attributes ?? 0);
    directory
      .int(4, f.zip64 === true ? 0xffffffff : offset)
      .raw(name)
      .raw(Uint8Array.from(extra.parts));
  }
  directory.raw(new Uint8Array(tricks.junk ?? 0));
  const at = tricks.directoryOffset ?? out.parts.length;
  const size = tricks.directorySize ?? directory.parts.length;
  const count = tricks.entries ?? files.length;
  out.raw(Uint8Array.from(directory.parts));
  const comment = tricks.comment ?? new Uint8Array(0);
  if (tricks.zip64 === true) {
    const end = out.parts.length;
    out.int(4, 0x06064b50).int(8, 44).int(2, 45).int(2, 45).int(4, 0).int(4, 0).int(8, count).int(8, count).int(8, size).int(8, at);
    out.int(4, 0x07064b50).int(4, 0).int(8, end).int(4, 1);
    out.int(4, 0x06054b50).int(2, 0).int(2, 0).int(2, 0xffff).int(2, 0xffff).int(4, 0xffffffff).int(4, 0xffffffff);
  } else
    out
      .int(4, 0x06054b50)
      .int(2, tricks.disk ?? 0)
      .int(2, tricks.disk ?? 0)
      .int(2, count)
      .int(2, count)
      .int(4, size)
      .int(4, at);
  return Uint8Array.from(out.int(2, comment.length).raw(comment).parts);
}
