import { type AnyOp, bufferSource, type ByteSource, Graph } from '@qfuse/ir';
import { allOps, opTable } from '@qfuse/ops';
import { openArchive } from './archive.js';
import { checkNames } from './check-names.js';
import { convertProgram } from './convert.js';

/** Options of {@link importPt2}. */
export interface ImportPt2Options {
  /** Which model, when the archive has several. */
  readonly model?: string | undefined;
  /** Ops beside those of `@qfuse/ops`: `mylib.fma` is what `torch.ops.mylib.fma.default` imports to. */
  readonly ops?: Iterable<AnyOp> | undefined;
  /** Is told what the graph does not express, e.g. a guard of the file that is not checked. */
  readonly onNote?: ((note: string) => void) | undefined;
}

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
  const archive = openArchive(source instanceof Uint8Array ? bufferSource(source) : source, options.model);
  checkNames(archive.program);
  const graph = new Graph(/^[A-Za-z_]\w*$/.test(archive.model) ? archive.model : 'main');
  convertProgram(archive, graph, opTable([...allOps, ...(options.ops ?? [])]), options.onNote ?? (() => {}));
  return graph;
}
