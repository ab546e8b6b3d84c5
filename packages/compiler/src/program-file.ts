import {
  type AnyOp,
  byteLength,
  type ByteSource,
  Constant,
  constantText,
  contentKey,
  type Graph,
  numel,
  parseGraph,
  printGraph,
  QfuseError,
  type TensorType,
  typeText,
} from '@qfuse/ir';
import { readSafetensorsHeader, type SafetensorsItem, writeSafetensors } from './safetensors.js';

/** Version of the `.qfuse` file format. */
export const programFileVersion = 1;

/** How a program came about; kept in its file. */
export interface ProgramInfo {
  /** Name of the source file, without folders. */
  readonly source: string;
  /** The pipeline that was run, as text. */
  readonly pipeline: string;
  /** `name@version` of each plugin. */
  readonly plugins: readonly string[];
  /** Nodes by op name before the pipeline. */
  readonly before: Readonly<Record<string, number>>;
}

/** A program as it is in a `.qfuse` file. */
export interface ProgramFile {
  readonly graph: Graph;
  readonly info: ProgramInfo;
}

/**
 * The parts of a `.qfuse` file: a safetensors container whose metadata hold the program's text, how it came
 * about and checksums. Equal constants are stored once, under their content key; `i4` and `u4` as packed bytes.
 */
export function writeProgram(graph: Graph, info: ProgramInfo): Generator<Uint8Array> {
  const items = new Map<string, SafetensorsItem>();
  for (const { constant } of graph.constants) {
    // Small constants stand in the text.
    if (items.has(constant.key) || !constantText(constant).startsWith('#')) continue;
    const { dtype, shape } = constant.type;
    const packed = dtype === 'i4' || dtype === 'u4';
    items.set(constant.key, {
      name: constant.key,
      dtype: packed ? 'u8' : dtype,
      shape: packed ? [constant.byteLength] : (shape as readonly number[]),
      length: constant.byteLength,
      bytes: () => constant.bytes(),
    });
  }
  const program = printGraph(graph, { header: true, origins: true });
  const details = JSON.stringify(info);
  // Wider elements first: every tensor then lies at a multiple of its element size.
  const width = (item: SafetensorsItem): number => byteLength(item.dtype, 1);
  const sorted = [...items.values()].sort((a, b) => width(b) - width(a));
  return writeSafetensors(sorted, {
    format: 'qfuse',
    version: String(programFileVersion),
    program,
    info: details,
    checksum: contentKey(program, new TextEncoder().encode(details)),
  });
}

/** Whether the first bytes of a file look like safetensors: a plausible header length and `{`. */
export const looksLikeProgram = (head: Uint8Array): boolean =>
  head.length > 9 && head[8] === 0x7b && head[5] === 0 && head[6] === 0 && head[7] === 0;

/**
 * Reads a `.qfuse` file. Weights are read when they are used, and checked against their checksum then.
 * @param ops - finds the ops of the program
 * @throws QfuseError `qfuse-file/…` or `safetensors/damaged` for a damaged file or another version
 */
export function readProgram(source: ByteSource, ops: (name: string) => AnyOp | undefined): ProgramFile {
  const { metadata, entries } = readSafetensorsHeader((offset, length) => source.read(offset, length), source.size);
  const { format, version, program, info, checksum } = metadata;
  if (format !== 'qfuse' || program === undefined || info === undefined)
    throw new QfuseError('qfuse-file/format', 'this safetensors file holds no qfuse program', {
      help: 'programs are written by "qfuse compile"; tensors go to --inputs or --expect',
    });
  if (version === undefined)
    throw new QfuseError('qfuse-file/version', 'the program does not say in which version of the .qfuse format it is');
  if (version !== String(programFileVersion))
    throw new QfuseError(
      'qfuse-file/version',
      `the program is in version ${version} of the .qfuse format, this qfuse reads version ${programFileVersion}`,
    );
  if (checksum !== contentKey(program, new TextEncoder().encode(info)))
    throw new QfuseError('qfuse-file/checksum', "the program's text does not agree with its checksum: the file is damaged");
  const constants = (key: string, type: TensorType): Constant => {
    const entry = entries.get(key);
    if (entry === undefined)
      throw new QfuseError('qfuse-file/missing-constant', `the data of constant #${key} (${typeText(type)}) are not in the file`);
    const length = byteLength(type.dtype, numel(type) as number);
    const stored = type.dtype === 'i4' || type.dtype === 'u4' ? 'u8' : type.dtype;
    if (entry.length !== length || entry.dtype !== stored)
      throw new QfuseError(
        'qfuse-file/damaged',
        `constant #${key} has ${entry.length} bytes of ${entry.dtypeName}, expected ${length} for ${typeText(type)}`,
      );
    let checked = false;
    return Constant.lazy(
      type,
      'the .qfuse file',
      () => {
        const bytes = source.read(entry.offset, entry.length);
        if (!checked && contentKey(typeText(type), bytes) !== key)
          throw new QfuseError(
            'qfuse-file/checksum',
            `the data of constant #${key} (${typeText(type)}) do not agree with their checksum: the file is damaged`,
          );
        checked = true;
        return bytes;
      },
      key,
    );
  };
  const graph = parseGraph(program, { ops, constants });
  return { graph, info: parseInfo(info) };
}

function parseInfo(text: string): ProgramInfo {
  const info = JSON.parse(text) as Partial<ProgramInfo>;
  return { source: info.source ?? '', pipeline: info.pipeline ?? '', plugins: info.plugins ?? [], before: info.before ?? {} };
}

/** Reads every constant once, so that damage anywhere in the file shows. @throws QfuseError naming the first damaged constant */
export function checkConstants(graph: Graph): void {
  for (const { constant } of graph.constants) constant.bytes();
}
