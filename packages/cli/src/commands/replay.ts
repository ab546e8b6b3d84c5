import type { Command } from 'commander';
import { compileGraph } from '@qfuse/compiler';
import { Constant, parseGraph } from '@qfuse/ir';
import { parseReproducer } from '@qfuse/pass-manager';
import { readText } from '../files.js';
import { say, sayJson } from '../print.js';
import { loadRegistry, openModel } from '../session.js';
import { command, type CommonOptions } from './shared.js';

interface ReplayOptions extends CommonOptions {
  readonly model?: string;
}

/** `qfuse replay`: runs what failed again, from the reproducer that the failure wrote. */
export const replayCommand = (): Command =>
  command('replay', 'run a reproducer again', ['replay qfuse-reproducer-1a2b3c4d.txt', 'replay reproducer.txt --model model.pt2'])
    .argument('<file>', 'a reproducer')
    .option('--model <file>', 'the model that it came from, for constants too large to be in the reproducer')
    .option('--config <file>', 'configuration file with plugins')
    .action(async (path: string, options: ReplayOptions) => {
      const registry = await loadRegistry(options);
      const reproducer = parseReproducer(readText(path));
      const known =
        options.model === undefined
          ? new Map<string, Constant>()
          : new Map((await openModel(options.model, registry)).graph.constants.map((c) => [c.constant.key, c.constant] as const));
      const graph = parseGraph(reproducer.graph, {
        ops: (name) => registry.ops.get(name),
        constants: (key, type) => {
          const bytes = reproducer.data.get(key);
          return bytes === undefined ? known.get(key) : Constant.of(type, bytes, 'the reproducer');
        },
      });
      const { report } = await compileGraph(graph, registry, { pipeline: reproducer.pipeline, verify: 'each' });
      const result = {
        ok: true,
        error: reproducer.error,
        pipeline: reproducer.pipeline,
        plugins: reproducer.plugins,
        nodes: graph.size,
        passes: report.passes.map((p) => p.pass),
      };
      if (options.json === true) return sayJson(result);
      say(`${result.passes.length} passes ran without the failure: ${reproducer.error}`);
    });
