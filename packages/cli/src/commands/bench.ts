import type { Command } from 'commander';
import { sampleInputs } from '@qfuse/compiler';
import { readTensorFile } from '../files.js';
import { msText, say, sayJson } from '../print.js';
import { openRunner, type RunnerOptions } from '../runner.js';
import { compileModel, loadRegistry, openModel } from '../session.js';
import { pickInputs } from '../tensors.js';
import { command, type CommonOptions, positiveInteger, withDevice, withPipeline } from './shared.js';

interface BenchOptions extends CommonOptions, RunnerOptions {
  readonly inputs?: string;
  readonly runs: number;
}

/** `qfuse bench`: how long a model takes to load, compile and run. */
export const benchCommand = (): Command =>
  withDevice(
    withPipeline(
      command('bench', 'time a model: load, compile, first run, further runs', ['bench model.pt2', 'bench model.qfuse --runs 50 --json']),
    ),
  )
    .argument('<model>', 'a .pt2 or .qfuse file')
    .option('--inputs <file>', 'inputs (default: random)')
    .option('--runs <number>', 'runs to take the median of', positiveInteger, 20)
    .action(async (model: string, options: BenchOptions) => {
      const registry = await loadRegistry(options);
      const marks = [performance.now()];
      const opened = await openModel(model, registry);
      marks.push(performance.now());
      const { graph } = await compileModel(opened, model, registry, options);
      const runner = await openRunner(options, registry);
      try {
        const prepared = await runner.prepare(graph);
        marks.push(performance.now());
        const inputs =
          options.inputs === undefined ? sampleInputs(graph, 1) : pickInputs(graph, readTensorFile(options.inputs), options.inputs);
        await prepared.run(inputs);
        marks.push(performance.now());
        const times: number[] = [];
        for (let i = 0; i < options.runs; i++) {
          const start = performance.now();
          await prepared.run(inputs);
          times.push(performance.now() - start);
        }
        prepared.dispose();
        times.sort((a, b) => a - b);
        const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
        const ms = {
          load: marks[1]! - marks[0]!,
          compile: marks[2]! - marks[1]!,
          firstRun: marks[3]! - marks[2]!,
          median: at(0.5),
          p10: at(0.1),
          p90: at(0.9),
        };
        if (options.json === true) return sayJson({ adapter: runner.adapter, runs: options.runs, ms });
        say(
          `on ${runner.adapter}: load ${msText(ms.load)}, compile ${msText(ms.compile)}, first run ${msText(ms.firstRun)}, then ${msText(ms.median)} (10 % ${msText(ms.p10)}, 90 % ${msText(ms.p90)}, ${options.runs} runs)`,
        );
      } finally {
        runner.close();
      }
    });
