import type { Command } from 'commander';
import { histogram } from '@qfuse/compiler';
import { type Graph, printGraph, typeText } from '@qfuse/ir';
import { bytesText, say, sayJson, tableText } from '../print.js';
import { compileModel, loadRegistry, openModel } from '../session.js';
import { command, type CommonOptions, withPipeline } from './shared.js';

interface InspectOptions extends CommonOptions {
  readonly text?: boolean;
  readonly before?: boolean;
}

/** `qfuse inspect`: what is in a model, before and after the passes. */
export const inspectCommand = (): Command =>
  withPipeline(
    command('inspect', 'show what is in a model before and after the passes', [
      'inspect model.pt2',
      'inspect model.qfuse --json',
      'inspect model.pt2 --text --before',
    ]),
  )
    .argument('<model>', 'a .pt2 or .qfuse file')
    .option('--text', "print the graph's text form")
    .option('--before', 'with --text: as it was imported')
    .action(async (model: string, options: InspectOptions) => {
      const registry = await loadRegistry(options);
      const opened = await openModel(model, registry);
      if (options.text === true && options.before === true) return say(printGraph(opened.graph, { header: true }).trimEnd());
      const bytesBefore = constantBytes(opened.graph);
      const { graph, info } = await compileModel(opened, model, registry, options);
      if (options.text === true) return say(printGraph(graph, { header: true }).trimEnd());
      const after = histogram(graph);
      const signature = {
        inputs: graph.inputs.map((v) => ({ name: v.name, type: typeText(v.type) })),
        outputs: graph.outputs.map((v, i) => ({ name: `out.${i}`, type: typeText(v.type) })),
        mutated: graph.mutations.map((m) => m.target.name),
      };
      const dims = graph.env.symbols().map((name) => ({ name, ...graph.env.fact(name) }));
      const bytes = { before: bytesBefore, after: constantBytes(graph) };
      if (options.json === true)
        return sayJson({
          format: opened.format,
          histogram: { before: info.before, after },
          ...signature,
          dims,
          constants: graph.constants.length,
          bytes,
          pipeline: info.pipeline,
        });
      for (const { name, type } of signature.inputs) say(`input   ${name}: ${type}`);
      for (const { name, type } of signature.outputs) say(`output  ${name}: ${type}`);
      for (const { name, min, max } of dims) say(`dim     ${name}: ${min} to ${max}`);
      say(`weights ${bytesText(bytes.before)} before, ${bytesText(bytes.after)} after`);
      const ops = [...new Set([...Object.keys(info.before), ...Object.keys(after)])].sort();
      say(
        tableText(
          ['op', 'before', 'after'],
          ops.map((op) => [op, info.before[op] ?? 0, after[op] ?? 0]),
        ),
      );
    });

/** Bytes of the constants of a graph, each once. */
const constantBytes = (graph: Graph): number => [...new Set(graph.constants.map((c) => c.constant))].reduce((n, c) => n + c.byteLength, 0);
