import type { Command } from 'commander';
import { sampleInputs } from '@qfuse/compiler';
import type { Graph, HostTensor } from '@qfuse/ir';
import { exitCodes } from '../exit.js';
import { readTensorFile, writeTensorFile } from '../files.js';
import { mark, msText, say, sayJson, tableText } from '../print.js';
import { openRunner, type Runner, type RunnerOptions } from '../runner.js';
import { compileModel, loadRegistry, openModel } from '../session.js';
import { runSteps } from '../tasks.js';
import { compareOutputs, type OutputReport, pickInputs, reportOutputs } from '../tensors.js';
import { command, type CommonOptions, nonNegative, withDevice, withPipeline } from './shared.js';

interface RunOptions extends CommonOptions, RunnerOptions {
  readonly inputs?: string;
  readonly expect?: string;
  readonly output?: string;
  readonly atol?: number;
  readonly rtol?: number;
}

interface State {
  graph?: Graph;
  runner?: Runner;
  outputs?: readonly HostTensor[];
  ms: { load: number; compile: number; firstRun: number; run: number };
}

/** `qfuse run`: compiles a model if needed, runs it, and compares its outputs. */
export const runCommand = (): Command =>
  withDevice(
    withPipeline(
      command('run', 'run a model and compare its outputs with expected ones', [
        'run model.pt2 --inputs in.safetensors',
        'run model.qfuse --inputs case.safetensors --expect case.safetensors --json',
        'run model.pt2 --device reference --inputs x.npy --output y.safetensors',
      ]),
    ),
  )
    .argument('<model>', 'a .pt2 or .qfuse file')
    .option('--inputs <file>', '.safetensors, .npz or .npy; by input name, else in.0, in.1, … (default: random inputs)')
    .option('--expect <file>', 'expected outputs: out.0, out.1, …')
    .option('--output <file>', 'write the outputs to a .safetensors or .npy file')
    .option('--atol <number>', 'absolute tolerance (default: 1e-4 of the largest expected value)', nonNegative)
    .option('--rtol <number>', 'relative tolerance, as in numpy.allclose', nonNegative)
    .action(async (model: string, options: RunOptions) => {
      const registry = await loadRegistry(options);
      const state: State = { ms: { load: 0, compile: 0, firstRun: 0, run: 0 } };
      const given = options.inputs === undefined ? undefined : readTensorFile(options.inputs);
      const expected = options.expect === undefined ? undefined : readTensorFile(options.expect);
      const timed = async (name: keyof State['ms'], work: () => Promise<void>): Promise<void> => {
        const start = performance.now();
        await work();
        state.ms[name] += performance.now() - start;
      };
      let prepared: Awaited<ReturnType<Runner['prepare']>> | undefined;
      let opened: Awaited<ReturnType<typeof openModel>> | undefined;
      try {
        await runSteps(
          state,
          [
            { title: 'load', run: () => timed('load', async () => void (opened = await openModel(model, registry))) },
            {
              title: 'compile',
              run: () =>
                timed('compile', async () => {
                  state.graph = (await compileModel(opened!, model, registry, options)).graph;
                  state.runner = await openRunner(options, registry);
                  prepared = await state.runner.prepare(state.graph);
                }),
            },
            {
              title: 'run',
              run: async () => {
                const inputs = given === undefined ? sampleInputs(state.graph!, 1) : pickInputs(state.graph!, given, options.inputs!);
                await timed('firstRun', async () => void (state.outputs = await prepared!.run(inputs)));
                await timed('run', async () => void (await prepared!.run(inputs)));
              },
            },
          ],
          options.json === true,
        );
        const outputs =
          expected === undefined ? reportOutputs(state.outputs!) : compareOutputs(state.outputs!, expected, options.expect!, options);
        if (options.output !== undefined) writeTensorFile(options.output, new Map(state.outputs!.map((t, i) => [`out.${i}`, t])));
        const ok = outputs.every((o) => o.withinTolerance !== false);
        report(ok, state, outputs, options);
        if (!ok) process.exitCode = exitCodes.wrong;
      } finally {
        prepared?.dispose();
        state.runner?.close();
      }
    });

function report(ok: boolean, { runner, ms }: State, outputs: readonly OutputReport[], options: RunOptions): void {
  if (options.json === true) return sayJson({ ok, adapter: runner!.adapter, outputs, ms });
  const compared = options.expect !== undefined;
  const rows = outputs.map((o) => [
    o.name,
    `${o.dtype}[${o.shape.join(', ')}]`,
    ...(compared ? [o.maxAbsError!.toExponential(2), o.maxRelError!.toExponential(2), mark(o.withinTolerance!)] : []),
  ]);
  say(tableText(['output', 'type', ...(compared ? ['max abs error', 'max rel error', ''] : [])], rows));
  for (const o of outputs) if (o.problem !== undefined) say(`${o.name}: ${o.problem}`);
  say(
    `on ${runner!.adapter}; load ${msText(ms.load)}, compile ${msText(ms.compile)}, first run ${msText(ms.firstRun)}, run ${msText(ms.run)}`,
  );
}
