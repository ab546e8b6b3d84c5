import { byteLength, type DType, QfuseError } from '@qfuse/ir';

/** One entry of a safetensors file. */
export interface SafetensorsEntry {
  readonly name: string;
  /** undefined for element types that qfuse has not (e.g. F8_E4M3). */
  readonly dtype: DType | undefined;
  readonly dtypeName: string;
  readonly shape: readonly number[];
  /** First byte, from the start of the file. */
  readonly offset: number;
  readonly length: number;
}

/** The header of a safetensors file. */
export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
}

const names: Partial<Record<DType, string>> = {
  f64: 'F64',
  f32: 'F32',
  f16: 'F16',
  bf16: 'BF16',
  i64: 'I64',
  i32: 'I32',
  i16: 'I16',
  i8: 'I8',
  u64: 'U64',
  u32: 'U32',
  u16: 'U16',
  u8: 'U8',
  bool: 'BOOL',
};
const dtypes = new Map(Object.entries(names).map(([dtype, name]) => [name, dtype as DType]));

/** Headers beyond this are refused, as the format's own reader does. */
const MAX_HEADER_BYTES = 100_000_000;

const damaged = (what: string): QfuseError => new QfuseError('safetensors/damaged', `not a whole safetensors file: ${what}`);

/**
 * Reads and checks the header: offsets must lie inside the file, follow each other without gaps, and agree with
 * dtype and shape.
 * @param size - size of the whole file in bytes
 * @throws QfuseError `safetensors/damaged`
 */
export function readSafetensorsHeader(read: (offset: number, length: number) => Uint8Array, size: number): SafetensorsHeader {
  if (size < 8) throw damaged(`it has ${size} bytes`);
  const head = read(0, 8);
  const length = Number(new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES || length > size - 8) throw damaged(`its header claims ${length} bytes, the file has ${size}`);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(read(8, length)));
  } catch (cause) {
    throw new QfuseError('safetensors/damaged', 'not a whole safetensors file: its header is not JSON', { cause });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw damaged('its header is not an object');
  const { __metadata__: metadata = {}, ...tensors } = json as Record<string, unknown>;
  if (typeof metadata !== 'object' || metadata === null || Object.values(metadata).some((v) => typeof v !== 'string'))
    throw damaged('its metadata are not strings');
  const start = 8 + length;
  const entries = Object.entries(tensors).map(([name, given]) => entry(name, given, start, size));
  let end = start;
  for (const e of [...entries].sort((a, b) => a.offset - b.offset || a.length - b.length)) {
    if (e.offset !== end) throw damaged(`tensor "${e.name}" starts at ${e.offset}, expected ${end}`);
    end += e.length;
  }
  if (end !== size) throw damaged(`its tensors end at ${end}, the file has ${size} bytes`);
  return { metadata: metadata as Record<string, string>, entries: new Map(entries.map((e) => [e.name, e])) };
}

function entry(name: string, given: unknown, start: number, size: number): SafetensorsEntry {
  const { dtype, shape, data_offsets: offsets } = (given ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  const counts = (v: unknown): v is number[] => Array.isArray(v) && v.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (typeof dtype !== 'string' || !counts(shape) || !counts(offsets) || offsets.length !== 2)
    throw damaged(`the entry of tensor "${name}" is not complete`);
  const [from, to] = offsets as [number, number];
  if (from > to || start + to > size) throw damaged(`tensor "${name}" lies at ${from} to ${to}, beyond the data`);
  const known = dtypes.get(dtype);
  const count = shape.reduce((a, b) => a * b, 1);
  if (known !== undefined && byteLength(known, count) !== to - from)
    throw damaged(`tensor "${name}" has ${to - from} bytes, expected ${byteLength(known, count)} for ${dtype}[${shape.join(', ')}]`);
  return { name, dtype: known, dtypeName: dtype, shape, offset: start + from, length: to - from };
}

/** A tensor to write; `bytes` is asked for when its turn comes, so that a writer can stream. */
export interface SafetensorsItem {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly length: number;
  readonly bytes: () => Uint8Array;
}

/** The parts of a safetensors file in order: header first, then each tensor's bytes. */
export function* writeSafetensors(items: readonly SafetensorsItem[], metadata: Readonly<Record<string, string>>): Generator<Uint8Array> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const { name, dtype, shape, length } of items) {
    header[name] = { dtype: names[dtype], shape, data_offsets: [offset, offset + length] };
    offset += length;
  }
  let text = JSON.stringify(header);
  let bytes = new TextEncoder().encode(text);
  // The data start at a multiple of 8, so that readers can look at them in place.
  if (bytes.length % 8 !== 0) {
    text += ' '.repeat(8 - (bytes.length % 8));
    bytes = new TextEncoder().encode(text);
  }
  const size = new Uint8Array(8);
  new DataView(size.buffer).setBigUint64(0, BigInt(bytes.length), true);
  yield size;
  yield bytes;
  for (const item of items) {
    const data = item.bytes();
    if (data.byteLength !== item.length)
      throw new Error(`tensor "${item.name}" has ${data.byteLength} bytes, ${item.length} were announced`);
    yield data;
  }
}
