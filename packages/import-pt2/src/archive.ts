import { type ByteSource, byteLength, Constant, dtypeInfo, tensorType } from '@qfuse/plugin';
import { decodePayloads, decodeProgram } from './decode-program.js';
import { dtypeOf } from './dtypes.js';
import { archiveError, programError, quote, unsupported, versionError } from './errors.js';
import { type Json, parseJson } from './json.js';
import { MAX_CONFIG_BYTES, MAX_EXPANDED_BYTES, MAX_PROGRAM_BYTES, MAX_WORD_BYTES } from './limits.js';
import type { PayloadMeta, Program, Sym, TensorMeta } from './schema.js';
import { countOf, gather, isContiguous, spanOf, type Strided } from './strided.js';
import { ZipArchive } from './zip.js';

/** `TensorMeta.layout` of dense tensors. */
const STRIDED_LAYOUT = 7;

const SAVE_AGAIN = 'save the program again with torch.export.save of a current torch';

/** A `.pt2` archive: its program and, on demand, its tensors. */
export interface Pt2Archive {
  /** Name of the model in the archive, e.g. `model`. */
  readonly model: string;
  readonly program: Program;
  /**
   * A parameter, buffer or tensor constant by its qualified name. Tensors with one storage and one layout (tied
   * weights) are one Constant. Nothing is read before its bytes are asked for; pickles are never unpickled.
   * @throws QfuseError naming the tensor when it is missing, pickled, sparse, outside its storage or of a dtype that qfuse does not have
   */
  tensor(name: string): Constant;
  /** Which storage a tensor lies in: equal text means shared memory. Undefined for a tensor that is not there. */
  storage(name: string): string | undefined;
}

/**
 * Opens a `.pt2` archive.
 * @param model - which model, when the archive has several
 * @throws QfuseError `pt2/archive`, `pt2/version`, `pt2/program`
 */
export function openArchive(source: ByteSource, model?: string): Pt2Archive {
  const zip = new ZipArchive(source);
  const files = new Files(zip);
  const name = pickModel(files, model);
  const path = `models/${name}.json`;
  const program = decodeProgram(files.json(path, MAX_PROGRAM_BYTES), path);
  const payloads = readPayloads(files, name);
  const made = new Map<string, Constant>();
  return {
    model: name,
    program,
    tensor: (fqn) => {
      const payload = payloads.get(fqn);
      if (payload === undefined) throw archiveError(`the program uses tensor ${quote(fqn)}, which is not in the archive`);
      return tensorOf(files, payload, fqn, made);
    },
    storage: (fqn) => {
      const payload = payloads.get(fqn);
      return payload === undefined ? undefined : payload.folder + payload.meta.pathName;
    },
  };
}

/** The files under the archive's top folder. */
class Files {
  readonly zip: ZipArchive;
  /** Names without the top folder. */
  readonly names: readonly string[];
  readonly #prefix: string;

  constructor(zip: ZipArchive) {
    this.zip = zip;
    const all = [...zip.entries.keys()];
    const marks = all.filter((n) => /^(?:[^/]+\/)?archive_format$/.test(n));
    if (marks.length !== 1) throw marks.length > 1 ? archiveError('the zip holds several .pt2 archives') : notAnArchive(all);
    this.#prefix = marks[0]!.slice(0, -'archive_format'.length);
    this.names = all.filter((n) => n.startsWith(this.#prefix)).map((n) => n.slice(this.#prefix.length));
    const format = this.#word('archive_format');
    if (format !== 'pt2') throw versionError(`the archive has format ${quote(format)}, expected "pt2"`);
    const version = this.has('archive_version') ? this.#word('archive_version') : '0';
    if (version !== '0')
      throw versionError(`the archive has version ${quote(version)}, expected "0"`, 'use a newer qfuse, or save with an older torch');
    const order = this.has('byteorder') ? this.#word('byteorder') : 'little';
    if (order !== 'little')
      throw unsupported(
        'byteorder',
        `the archive's byte order is ${quote(order)}, expected "little"`,
        'save the program again on a little-endian machine',
      );
  }

  has(name: string): boolean {
    return this.zip.entries.has(this.#prefix + name);
  }

  size(name: string): number | undefined {
    return this.zip.entries.get(this.#prefix + name)?.size;
  }

  slice(name: string, offset: number, length: number): Uint8Array {
    return this.zip.slice(this.#prefix + name, offset, length);
  }

  json(name: string, limit: number): Json {
    return parseJson(this.#text(name, limit), name);
  }

  #word(name: string): string {
    return this.#text(name, MAX_WORD_BYTES).trim();
  }

  #text(name: string, limit: number): string {
    const bytes = this.zip.read(this.#prefix + name, limit);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch (cause) {
      throw archiveError(`${quote(name)} is not UTF-8 text`, undefined, cause);
    }
  }
}

/** What else a zip without `archive_format` may be. */
function notAnArchive(names: readonly string[]) {
  if (names.some((n) => n.endsWith('serialized_exported_program.json')))
    return versionError('the file is of the older .pt2 layout, whose weights are Python pickles, which qfuse never loads', SAVE_AGAIN);
  if (names.some((n) => n.endsWith('/data.pkl') || n === 'data.pkl'))
    return archiveError(
      'the file is a pickle made by torch.save or torch.jit.save, not a .pt2 program',
      'export the model with torch.export.export and save it with torch.export.save',
    );
  return archiveError('the zip is not a .pt2 archive: it has no file "archive_format"');
}

function pickModel(files: Files, wanted: string | undefined): string {
  const models = files.names.flatMap((n) => /^models\/([^/]+)\.json$/.exec(n)?.[1] ?? []);
  const listed = models.map((m) => quote(m)).join(', ');
  if (wanted !== undefined) {
    if (models.includes(wanted)) return wanted;
    throw archiveError(`the archive has no model ${quote(wanted)}; it has ${listed === '' ? 'none' : listed}`);
  }
  const [only, ...others] = models;
  if (only === undefined)
    throw files.names.some((n) => n.startsWith('data/aotinductor/'))
      ? archiveError('the archive holds code compiled by AOTInductor and no program', SAVE_AGAIN)
      : archiveError('the archive has no program: no file "models/<name>.json"');
  if (others.length > 0) throw archiveError(`the archive has several models: ${listed}`, 'name one with the option "model"');
  return only;
}

interface Payload {
  readonly folder: string;
  readonly meta: PayloadMeta;
}

function readPayloads(files: Files, model: string): ReadonlyMap<string, Payload> {
  const out = new Map<string, Payload>();
  for (const kind of ['weights', 'constants']) {
    const folder = `data/${kind}/`;
    const config = `${folder}${model}_${kind}_config.json`;
    if (files.has(`${folder}${model}.pt`))
      throw versionError(`the archive's ${kind} are one Python pickle (${folder}${model}.pt), which qfuse never loads`, SAVE_AGAIN);
    if (!files.has(config)) throw archiveError(`the archive has no file ${quote(config)}`);
    for (const [name, meta] of decodePayloads(files.json(config, MAX_CONFIG_BYTES), config)) {
      if (out.has(name)) throw programError(`tensor ${quote(name)} is both a weight and a constant of the archive`);
      out.set(name, { folder, meta });
    }
  }
  return out;
}

const numbers = (sizes: readonly Sym<number>[], what: string): readonly number[] =>
  sizes.map((s) =>
    typeof s === 'number' && s >= 0
      ? s
      : reject(`${what} holds ${typeof s === 'number' ? s : quote(s.expr)}, expected numbers of at least 0`),
  );

function reject(message: string): never {
  throw programError(message);
}

/** The numbers of a stored tensor's layout, all of them checked against each other. */
function layoutOf(meta: TensorMeta, what: string): Strided {
  if (meta.layout !== STRIDED_LAYOUT)
    throw unsupported('layout', `${what} is sparse or of another layout (${meta.layout}), expected a dense tensor`);
  const layout = {
    sizes: numbers(meta.sizes, `sizes of ${what}`),
    strides: numbers(meta.strides, `strides of ${what}`),
    offset: numbers([meta.storageOffset], `storage offset of ${what}`)[0]!,
  };
  if (layout.sizes.length !== layout.strides.length)
    reject(`${what} has ${layout.sizes.length} sizes and ${layout.strides.length} strides`);
  if (![countOf(layout.sizes), spanOf(layout), layout.offset + spanOf(layout)].every((n) => Number.isSafeInteger(n)))
    reject(`${what} has impossible sizes [${layout.sizes.join(', ')}]`);
  return layout;
}

function tensorOf(files: Files, { folder, meta }: Payload, fqn: string, made: Map<string, Constant>): Constant {
  const what = `tensor ${quote(fqn)}`;
  const path = folder + meta.pathName;
  if (!/^(?:weight|tensor)_\d+$/.test(meta.pathName) && files.size(path) === undefined)
    throw archiveError(`${what} is in ${quote(meta.pathName)}, which is not a file of the archive`);
  if (meta.usePickle || meta.tensorMeta === undefined)
    throw unsupported(
      'pickle',
      `${what} is stored as a Python pickle (a tensor subclass or a custom object), which qfuse never loads`,
      'turn it into plain tensors before export',
    );
  const dtype = dtypeOf(meta.tensorMeta.dtype, what);
  const layout = layoutOf(meta.tensorMeta, what);
  const width = dtypeInfo(dtype).bits / 8;
  const stored = files.size(path);
  if (stored === undefined) throw archiveError(`${what} is in ${quote(path)}, which the archive does not have`);
  const count = countOf(layout.sizes);
  if (stored === 0 && count > 0)
    throw archiveError(`${what} has no data in the archive`, 'it was exported with fake tensors: export with real weights');
  const needed = (layout.offset + spanOf(layout)) * width;
  if (needed > stored && count > 0) throw archiveError(`${what} reaches to byte ${needed} of ${quote(path)}, which has ${stored}`);
  const bytes = byteLength(dtype, count);
  if (bytes > stored && bytes > MAX_EXPANDED_BYTES)
    throw archiveError(`${what} repeats ${stored} stored bytes to ${bytes}, at most ${MAX_EXPANDED_BYTES} are accepted`);

  const key = [path, dtype, layout.offset, ...layout.sizes, 'by', ...layout.strides].join(' ');
  const known = made.get(key);
  if (known !== undefined) return known;
  const start = layout.offset * width;
  const produce = isContiguous(layout)
    ? () => files.slice(path, start, bytes)
    : () => gather(files.slice(path, start, spanOf(layout) * width), layout, width);
  const constant = Constant.lazy(tensorType(dtype, layout.sizes), `${fqn} (${path})`, count === 0 ? () => new Uint8Array(0) : produce);
  made.set(key, constant);
  return constant;
}
