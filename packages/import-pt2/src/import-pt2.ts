import { type AnyOp, bufferSource, type ByteSource, type Diagnostic, Graph, type Importer } from '@qfuse/plugin';
import { allOps, opTable } from '@qfuse/ops';
import { openArchive } from './archive.js';
import { checkNames } from './check-names.js';
import { convertProgram } from './convert.js';
import { inlineRegions } from './inline-regions.js';

/** Options of {@link importPt2}. */
export interface ImportPt2Options {
  /** Which model, when the archive has several. */
  readonly model?: string | undefined;
  /**
   * The ops that operators import to, by name: `mylib.fma` is what `torch.ops.mylib.fma.default` becomes.
   * Default: those of `@qfuse/ops`.
   */
  readonly ops?: ReadonlyMap<string, AnyOp> | undefined;
  /** Takes remarks, e.g. `pt2/guard` about a guard of the file that is not checked. */
  readonly report?: ((diagnostic: Diagnostic) => void) | undefined;
}

/** Imports `.pt2` files; for plugins that read models. */
export const pt2Importer = Object.freeze<Importer>({
  name: 'pt2',
  extensions: ['.pt2'],
  // A zip whose first entry has the layout of torch's writer: a top folder, then data or models. Names begin at byte 30.
  sniff: (head: Uint8Array) =>
    isZip(head) && /^(?:[^/]+\/)?(?:data|models|archive_format|archive_version|byteorder|\.data|extra)\b/.test(firstName(head)),
  load: (source, { ops, report }) => importPt2(source, { ops, report }),
});

const isZip = (head: Uint8Array): boolean => head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4;
const firstName = (head: Uint8Array): string =>
  new TextDecoder().decode(head.subarray(30, 30 + ((head[26] ?? 0) | ((head[27] ?? 0) << 8))));

/**
 * Imports a `.pt2` archive of `torch.export.save`: training IR or Core ATen after `run_decompositions()`.
 *
 * The graph is functional: in-place operators, also through views, become new values, and changed buffers and
 * inputs become mutations. Sizes are dims, not nodes. Weights are read from `source` when they are used, which
 * must therefore stay readable and unchanged as long as the graph is used.
 * @param source - the file, or its bytes
 * @throws QfuseError `pt2/archive` for a damaged file, `pt2/version` for another format, `pt2/program` and `pt2/node`
 * for a program that contradicts itself, `pt2/unsupported-…` for what qfuse cannot run; operators all at once
 */
export function importPt2(source: ByteSource | Uint8Array, options: ImportPt2Options = {}): Graph {
  const opened = openArchive(source instanceof Uint8Array ? bufferSource(source) : source, options.model);
  const archive = { ...opened, program: inlineRegions(opened.program) };
  checkNames(archive.program);
  const graph = new Graph(/^[A-Za-z_]\w*$/.test(archive.model) ? archive.model : 'main');
  convertProgram(archive, graph, options.ops ?? opTable(allOps), options.report ?? (() => {}));
  return graph;
}
