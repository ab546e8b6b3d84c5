import { bufferSource, type ByteSource, type Graph, parseGraph, QfuseError } from '@qfuse/ir';
import type { Diagnostic, Registry } from '@qfuse/pass-manager';
import { looksLikeProgram, type ProgramInfo, readProgram } from './program-file.js';

/** A program that was read from a file. */
export interface Model {
  readonly graph: Graph;
  /** What the file was: a `.qfuse` program, the text form of a graph, or the name of the importer that read it. */
  readonly format: 'qfuse' | 'text' | (string & {});
  /** How it was compiled, for a `.qfuse` program. */
  readonly info: ProgramInfo | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** First bytes that tell formats apart. */
const HEAD_BYTES = 1024;

/**
 * Reads a model; the content decides what it is, not the name.
 * @param name - file name for messages
 * @throws QfuseError when the file is damaged or in no known format
 */
export async function loadModel(source: ByteSource | Uint8Array, registry: Registry, name: string): Promise<Model> {
  const bytes = source instanceof Uint8Array ? bufferSource(source) : source;
  const head = bytes.read(0, Math.min(HEAD_BYTES, bytes.size));
  const diagnostics: Diagnostic[] = [];
  try {
    if (looksLikeProgram(head)) {
      const { graph, info } = readProgram(bytes, (op) => registry.ops.get(op));
      return { graph, format: 'qfuse', info, diagnostics };
    }
    if (looksLikeText(head)) {
      const text = new TextDecoder().decode(bytes.read(0, bytes.size));
      return { graph: parseGraph(text, { ops: (op) => registry.ops.get(op) }), format: 'text', info: undefined, diagnostics };
    }
    const importer =
      registry.importers.find((i) => i.sniff(head)) ?? registry.importers.find((i) => i.extensions.some((e) => name.endsWith(e)));
    if (importer === undefined) {
      const known = ['.qfuse', ...registry.importers.flatMap((i) => i.extensions)].join(', ');
      throw new QfuseError('load/format', bytes.size === 0 ? 'the file is empty' : 'the file is in no format that is known', {
        help: `models are read from ${known} files`,
      });
    }
    return {
      graph: await importer.load(bytes, { ops: registry.ops, report: (d) => diagnostics.push(d) }),
      format: importer.name,
      info: undefined,
      diagnostics,
    };
  } catch (cause) {
    if (cause instanceof QfuseError) throw new QfuseError(cause.code, `${name}: ${cause.message}`, { help: cause.help, cause });
    throw cause;
  }
}

const looksLikeText = (head: Uint8Array): boolean =>
  /^(\s|\/\/[^\n]*\n)*(qfuse\.graph|graph\s*@)/.test(new TextDecoder('latin1').decode(head));
