import { type Constant, type Graph, printGraph, QfuseError } from '@qfuse/ir';
import type { Pass } from './pass.js';
import { pipelineText } from './pipeline.js';
import type { Plugin } from './plugin.js';

/** Constants up to this many bytes in all travel inside a reproducer; larger ones stay named by their key. */
const MAX_EMBEDDED_BYTES = 1 << 20;

/** What a reproducer file holds. */
export interface Reproducer {
  readonly error: string;
  /** The passes still to run, the failing one first, as pipeline text. */
  readonly pipeline: string;
  /** `name@version` of each plugin. */
  readonly plugins: readonly string[];
  /** The graph before the failing pass, in the text form. */
  readonly graph: string;
  /** Bytes of constants by key. */
  readonly data: ReadonlyMap<string, Uint8Array>;
}

const magic = '// qfuse reproducer 1';

/** A failing run as one text file: `qfuse replay FILE` runs it again. */
export function reproducerText(
  graphText: string,
  constants: readonly Constant[],
  rest: readonly Pass[],
  plugins: readonly Plugin[],
  error: unknown,
): string {
  const message = error instanceof Error ? error.message : String(error);
  const lines = [
    magic,
    `// error: ${message.split('\n')[0]}`,
    `// pipeline: ${pipelineText(rest)}`,
    `// plugins: ${plugins.map((p) => `${p.name}@${p.version}`).join(' ')}`,
  ];
  let room = MAX_EMBEDDED_BYTES;
  for (const c of [...constants].filter((x) => x.resolved).sort((a, b) => a.byteLength - b.byteLength)) {
    room -= c.byteLength;
    if (room < 0) break;
    lines.push(`// data: ${c.key} ${toBase64(c.bytes())}`);
  }
  return `${lines.join('\n')}\n${graphText}`;
}

/** The graph's text and its constants as they are now, kept in case the next pass fails. */
export const captureGraph = (graph: Graph): { readonly text: string; readonly constants: readonly Constant[] } => ({
  text: printGraph(graph, { header: true, origins: true }),
  constants: graph.constants.map((c) => c.constant),
});

/**
 * Reads what {@link reproducerText} wrote: the graph and the pass that failed on it.
 * @throws QfuseError `reproducer/format` when the text is not a reproducer
 */
export function parseReproducer(text: string): Reproducer {
  const lines = text.split('\n');
  if (lines[0]?.trim() !== magic)
    throw new QfuseError(
      'reproducer/format',
      `not a reproducer: the first line is ${JSON.stringify(lines[0]?.slice(0, 40))}, expected "${magic}"`,
    );
  const field = (name: string): string => lines.find((l) => l.startsWith(`// ${name}: `))?.slice(name.length + 5) ?? '';
  const data = new Map<string, Uint8Array>();
  for (const line of lines) {
    if (!line.startsWith('// data: ')) continue;
    const [key, base64] = line.slice(9).split(' ');
    data.set(key!, fromBase64(base64 ?? ''));
  }
  const body = lines.findIndex((l) => !l.startsWith('//'));
  return {
    error: field('error'),
    pipeline: field('pipeline'),
    plugins: field('plugins').split(' ').filter(Boolean),
    graph: lines.slice(body < 0 ? lines.length : body).join('\n'),
    data,
  };
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch (cause) {
    throw new QfuseError('reproducer/format', 'the data of a constant is not base64', { cause });
  }
}
