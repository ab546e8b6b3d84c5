import type { Command } from 'commander';
import { type Check, verifyCompilation } from '@qfuse/compiler';
import { exitCodes } from '../exit.js';
import { readTensorFile } from '../files.js';
import { mark, say, sayJson } from '../print.js';
import { openRunner, type RunnerOptions } from '../runner.js';
import { loadRegistry, openModel } from '../session.js';
import { runSteps } from '../tasks.js';
import { pickInputs } from '../tensors.js';
import { command, type CommonOptions, positiveInteger, withDevice, withPipeline } from './shared.js';

interface VerifyCommandOptions extends CommonOptions, RunnerOptions {
  readonly inputs?: string;
  readonly seed?: number;
}

/** `qfuse verify`: proves each rewrite and the whole program by running both sides. */
export const verifyCommand = (): Command =>
  withDevice(
    withPipeline(
      command('verify', "run each rewrite's two sides, and the whole model before and after, in the interpreter and on the device", [
        'verify model.pt2',
        'verify model.pt2 --device reference --seed 7',
        'verify model.pt2 --inputs in.safetensors --json',
      ]),
    ),
  )
    .argument('<model>', 'a .pt2 file')
    .option('--inputs <file>', 'inputs of the whole model (default: random)')
    .option('--seed <number>', 'seed of random inputs', positiveInteger)
    .action(async (model: string, options: VerifyCommandOptions) => {
      const registry = await loadRegistry(options);
      const opened = await openModel(model, registry);
      const inputs = options.inputs === undefined ? undefined : pickInputs(opened.graph, readTensorFile(options.inputs), options.inputs);
      const state: { checks: readonly Check[]; adapter: string } = { checks: [], adapter: 'reference interpreter' };
      await runSteps(
        state,
        [
          {
            title: 'verify',
            run: async (s, note) => {
              const runner = options.device === 'reference' ? undefined : await openRunner(options, registry);
              try {
                s.adapter = runner?.adapter ?? s.adapter;
                let count = 0;
                s.checks = await verifyCompilation(opened.graph, registry, {
                  pipeline: options.pipeline,
                  inputs,
                  seed: options.seed,
                  onCheck: () => note(`${++count} checks`),
                  device:
                    runner === undefined
                      ? undefined
                      : async (graph, given) => {
                          const prepared = await runner.prepare(graph);
                          try {
                            return await prepared.run(given);
                          } finally {
                            prepared.dispose();
                          }
                        },
                });
              } finally {
                runner?.close();
              }
            },
          },
        ],
        options.json === true,
      );
      const ok = state.checks.every((c) => c.ok);
      const wrong = state.checks.filter((c) => !c.ok && c.unsupported !== true).length;
      const unsupported = state.checks.filter((c) => c.unsupported === true).length;
      if (!ok) process.exitCode = wrong > 0 ? exitCodes.wrong : exitCodes.unsupported;
      if (options.json === true) return sayJson({ ok, adapter: state.adapter, checks: state.checks });
      for (const c of state.checks)
        if (!c.ok || c.kind === 'program' || c.problem !== '')
          say(
            c.unsupported === true
              ? `not run ${c.what}: ${c.problem}`
              : `${mark(c.ok)} ${c.what}, largest difference ${c.maxAbsError.toExponential(2)}${c.problem === '' ? '' : `: ${c.problem}`}`,
          );
      say(
        `${state.checks.filter((c) => c.kind === 'rewrite').length} rewrites and ${state.checks.filter((c) => c.kind === 'program').length} whole runs, ${wrong} wrong${unsupported === 0 ? '' : `, ${unsupported} not supported`}, on ${state.adapter}`,
      );
    });
