import type { Command } from 'commander';
import { type Compiled, writeProgram } from '@qfuse/compiler';
import { writeAtomically } from '@qfuse/compiler/node';
import { printGraph } from '@qfuse/ir';
import { bytesText, say, sayJson } from '../print.js';
import { compileModel, loadRegistry, openModel } from '../session.js';
import { runSteps } from '../tasks.js';
import { command, type CommonOptions, withPipeline } from './shared.js';

interface CompileCommandOptions extends CommonOptions {
  readonly output?: string;
  readonly text?: string;
}

/** `qfuse compile`: runs the passes on a model and writes a `.qfuse` program. */
export const compileCommand = (): Command =>
  withPipeline(
    command('compile', 'fuse a model and write it as a .qfuse program', [
      'compile model.pt2',
      'compile model.pt2 -o build/model.qfuse',
      'compile model.pt2 --text model.txt',
    ]),
  )
    .argument('<model>', 'a .pt2 file')
    .option('-o, --output <file>', 'the program to write (default: the model with the ending .qfuse)')
    .option('--text <file>', "also write the fused graph's text form")
    .action(async (model: string, options: CompileCommandOptions) => {
      const output = options.output ?? `${model.replace(/\.[^./\\]*$/, '')}.qfuse`;
      const registry = await loadRegistry(options);
      const state: { compiled?: Compiled; size?: number } = {};
      const quiet = options.json === true;
      let opened: Awaited<ReturnType<typeof openModel>> | undefined;
      await runSteps(
        state,
        [
          {
            title: 'load',
            run: async (_, note) => {
              opened = await openModel(model, registry);
              note(`${opened.graph.size} nodes`);
            },
          },
          {
            title: 'run passes',
            run: async (s, note) => {
              s.compiled = await compileModel(opened!, model, registry, options);
              note(`${s.compiled.graph.size} nodes left`);
            },
          },
          {
            title: 'write',
            run: (s, note) => {
              s.size = writeAtomically(output, writeProgram(s.compiled!.graph, s.compiled!.info));
              if (options.text !== undefined)
                writeAtomically(options.text, [new TextEncoder().encode(printGraph(s.compiled!.graph, { header: true, origins: true }))]);
              note(`${output}, ${bytesText(s.size)}`);
            },
          },
        ],
        quiet,
      );
      const { report, info } = state.compiled!;
      const passes = report.passes.map((p) => ({
        pass: p.pass,
        ms: p.ms,
        changed: p.outcome.changed,
        nodesBefore: p.nodesBefore,
        nodesAfter: p.nodesAfter,
        stats: p.outcome.stats ?? {},
      }));
      if (quiet) return sayJson({ ok: true, output, bytes: state.size, pipeline: info.pipeline, passes });
      for (const p of passes) for (const [what, count] of Object.entries(p.stats)) if (count > 0) say(`  ${what}: ${count}`);
    });
