import type { Command } from 'commander';
import { type Compiled, prepareGraph, writeProgram } from '@qfuse/compiler';
import { writeAtomically } from '@qfuse/compiler/node';
import { Float32Evaluator, runGraph } from '@qfuse/interp';
import { type Graph, printGraph, QfuseError } from '@qfuse/ir';
import {
  calibrate,
  type CalibrationState,
  compareLayers,
  convert,
  type PreparedModel,
  type QuantizationReport,
  type RunGraph,
} from '@qfuse/quantizer';
import { type Batches, splitBatches } from '../batches.js';
import { readTensorFile, readText } from '../files.js';
import { bytesText, say, sayJson, tableText } from '../print.js';
import { reportPage } from '../report-page.js';
import { openRunner, type Runner, type RunnerOptions } from '../runner.js';
import { compileModel, loadRegistry, openModel } from '../session.js';
import { runSteps, type Step } from '../tasks.js';
import { command, type CommonOptions, positiveInteger, withDevice, withPipeline } from './shared.js';

interface QuantizeOptions extends CommonOptions, RunnerOptions {
  readonly recipe: string;
  readonly calibrate?: readonly string[];
  readonly batchSize: number;
  readonly exclude?: readonly string[];
  readonly output?: string;
  readonly text?: string;
  readonly report?: string;
  readonly saveObservers?: string;
  readonly observers?: readonly string[];
}

interface State {
  graph?: Graph;
  prepared?: PreparedModel;
  batches?: readonly Batches[];
  quantized?: Graph;
  report?: QuantizationReport;
  compiled?: Compiled;
  bytes?: number;
}

/** Runs that the errors of the layers are measured on: more change little and take as long again. */
const REPORTED_RUNS = 8;

/** `qfuse quantize`: quantizes a float model and writes it as a fused program. */
export const quantizeCommand = (): Command =>
  withDevice(
    withPipeline(
      command('quantize', 'quantize a float model, fuse it and write it as a .qfuse program', [
        'quantize model.pt2 --recipe weight-only:bits=4',
        'quantize model.pt2 --recipe static-int8 --calibrate data.npz --report report.html',
        'quantize model.pt2 --recipe 8da4w:group=64 --exclude lm_head -o small.qfuse --text quantized.txt',
        'quantize model.pt2 --recipe static-int8 --calibrate part1.npz --save-observers part1.json',
        'quantize model.pt2 --recipe static-int8 --observers part1.json part2.json',
      ]),
    ),
  )
    .argument('<model>', 'a float .pt2 file')
    .requiredOption('--recipe <name[:options]>', 'how to quantize; "qfuse passes" lists the recipes and their options')
    .option('--calibrate <files...>', 'inputs to calibrate with: .safetensors, .npz or .npy; by input name, else in.0, in.1, …')
    .option('--batch-size <rows>', 'rows of a calibration run, where the model takes any number', positiveInteger, 32)
    .option('--exclude <patterns...>', 'modules that stay float, e.g. lm_head or "blocks.*.attention"')
    .option('-o, --output <file>', 'the program to write (default: the model with the ending .qfuse)')
    .option('--text <file>', 'also write the quantized graph, before it is fused')
    .option('--report <file>', 'write sizes and the error of each layer as an HTML page')
    .option('--save-observers <file>', 'write what calibration saw and stop: for calibration in several processes')
    .option('--observers <files...>', 'what other processes saw')
    .action(async (model: string, options: QuantizeOptions) => {
      const registry = await loadRegistry(options);
      const output = options.output ?? `${model.replace(/\.[^./\\]*$/, '')}.qfuse`;
      const state: State = {};
      const runner: { opened?: Runner } = {};
      // In the interpreter sums run in the order of torch's kernels, so that scales are torch's.
      const open = async (): Promise<RunGraph> => runOn((runner.opened ??= await openRunner(options, registry, new Float32Evaluator())));
      try {
        await runSteps(state, stepsFor(model, output, options, registry, open), options.json === true);
      } finally {
        runner.opened?.close();
      }
      if (options.saveObservers !== undefined) return reportObservers(options.saveObservers, state, options);
      summarize(model, output, state, options);
    });

/** Graphs that stay ready: calibration runs one many times, a comparison two in turn. */
const READY = 2;

/** Runs graphs one after another; the last ones stay ready. */
function runOn(runner: Runner): RunGraph {
  const ready = new Map<Graph, Awaited<ReturnType<Runner['prepare']>>>();
  return async (graph, inputs) => {
    let program = ready.get(graph);
    if (program === undefined) {
      for (const [oldest, { dispose }] of [...ready].slice(0, Math.max(0, ready.size + 1 - READY))) {
        dispose();
        ready.delete(oldest);
      }
      ready.set(graph, (program = await runner.prepare(graph)));
    }
    return await program.run(inputs);
  };
}

/**
 * Compares on the device. One that lacks ops of the program before it is fused may have all kernels of the fused one: then in the interpreter.
 */
async function compareAnywhere(
  compare: (run: RunGraph) => Promise<QuantizationReport>,
  open: () => Promise<RunGraph>,
): Promise<{ readonly report: QuantizationReport; readonly place: string }> {
  try {
    return { report: await compare(await open()), place: '' };
  } catch (error) {
    if (!(error instanceof QfuseError) || error.code !== 'webgpu/unsupported') throw error;
    const evaluator = new Float32Evaluator();
    const report = await compare((graph, inputs) => runGraph(graph, inputs, evaluator).outputs);
    return { report, place: ' in the interpreter, as the device has no kernels for the program before it is fused' };
  }
}

function stepsFor(
  model: string,
  output: string,
  options: QuantizeOptions,
  registry: Awaited<ReturnType<typeof loadRegistry>>,
  open: () => Promise<RunGraph>,
): readonly Step<State>[] {
  const steps: Step<State>[] = [
    {
      title: 'load',
      run: async (s, note) => {
        const opened = await openModel(model, registry);
        s.graph = opened.graph;
        note(`${opened.graph.size} nodes`);
      },
    },
    {
      title: 'prepare',
      run: async (s, note) => {
        s.prepared = await prepareGraph(s.graph!, registry, options);
        for (const path of options.observers ?? []) s.prepared.merge(readObservers(path));
        if (s.prepared.groups.length === 0)
          throw new QfuseError('quantizer/nothing', `recipe ${options.recipe} finds nothing to quantize in ${model}`, {
            help: 'take another recipe, or leave out --exclude',
          });
        s.batches = (options.calibrate ?? []).map((path) => splitBatches(s.prepared!.graph, readTensorFile(path), options.batchSize, path));
        note(`${s.prepared.groups.length} values to quantize`);
      },
    },
    {
      title: 'calibrate',
      run: async (s, note) => {
        const batches = s.batches!.flatMap((b) => b.list);
        if (!s.prepared!.needsCalibration) return note('needs no data');
        if (batches.length === 0) return note(s.prepared!.batches > 0 ? `${s.prepared!.batches} runs elsewhere` : 'no data');
        const onProgress = (done: number): void => note(progressText(done, batches.length));
        await calibrate(s.prepared!, await open(), batches, { onProgress });
        const left = s.batches!.reduce((n, b) => n + b.left, 0);
        note(`${batches.length} runs${left === 0 ? '' : `, ${left} rows left over`}`);
      },
    },
  ];
  if (options.saveObservers !== undefined)
    return [...steps, { title: 'write', run: (s) => void writeText(options.saveObservers!, JSON.stringify(s.prepared!.save())) }];
  return [
    ...steps,
    {
      title: 'convert',
      run: (s, note) => {
        s.quantized = convert(s.prepared!);
        if (options.text !== undefined) writeText(options.text, printGraph(s.quantized, { header: true, origins: true }));
        note(`${s.quantized.size} nodes`);
      },
    },
    {
      title: 'compare',
      run: async (s, note) => {
        const batches = s.batches!.flatMap((b) => b.list).slice(0, REPORTED_RUNS);
        const compare = (run: RunGraph): Promise<QuantizationReport> => compareLayers(s.prepared!.graph, s.quantized!, run, batches);
        if (batches.length === 0) {
          s.report = await compare(nothing);
          return note('no data, sizes only');
        }
        const { report, place } = await compareAnywhere(compare, open);
        s.report = report;
        note(`${batches.length} runs${place}`);
      },
    },
    {
      title: 'run passes',
      run: async (s, note) => {
        s.compiled = await compileModel({ graph: s.quantized!, format: 'pt2', info: undefined, diagnostics: [] }, model, registry, options);
        note(`${s.compiled.graph.size} nodes left`);
      },
    },
    {
      title: 'write',
      run: (s, note) => {
        s.bytes = writeAtomically(output, writeProgram(s.compiled!.graph, s.compiled!.info));
        if (options.report !== undefined) writeText(options.report, pageOf(model, s, options));
        note(`${output}, ${bytesText(s.bytes)}`);
      },
    },
  ];
}

const nothing: RunGraph = () => [];

const writeText = (path: string, text: string): number => writeAtomically(path, [new TextEncoder().encode(text)]);

/** @throws QfuseError `quantizer/state` for a file that `--save-observers` did not write */
function readObservers(path: string): CalibrationState {
  try {
    return JSON.parse(readText(path)) as CalibrationState;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new QfuseError('quantizer/state', `${path}: is not what --save-observers writes: ${cause.message}`, { cause });
  }
}

const BAR = 24;

/** A progress bar for the title of a step. */
function progressText(done: number, all: number): string {
  const filled = Math.round((done / all) * BAR);
  return `${'█'.repeat(filled)}${'░'.repeat(BAR - filled)} ${done}/${all} runs`;
}

const runsOf = ({ batches }: State): number =>
  Math.min(
    REPORTED_RUNS,
    batches!.reduce((n, b) => n + b.list.length, 0),
  );

function adviceOf(state: State): string {
  const { suggestion } = state.report!;
  if (suggestion === undefined || runsOf(state) === 0) return '';
  return `Most noise comes from ${suggestion.exclude} (${(100 * suggestion.share).toFixed(0)} %): leave it float with --exclude ${suggestion.exclude}.`;
}

const pageOf = (model: string, state: State, { recipe }: QuantizeOptions): string =>
  reportPage({
    model: model.replace(/^.*[\\/]/, ''),
    recipe,
    runs: runsOf(state),
    bytesBefore: state.report!.weightBytes.before,
    bytesAfter: state.report!.weightBytes.after,
    advice: adviceOf(state),
    layers: state.report!.layers.map((l) => ({ ...l, bytesBefore: l.weightBytes.before, bytesAfter: l.weightBytes.after })),
  });

function reportObservers(path: string, { prepared }: State, { json }: QuantizeOptions): void {
  if (json === true) return sayJson({ ok: true, observers: path, runs: prepared!.batches });
  say(`${path}: what ${prepared!.batches} runs showed`);
}

/** Layers that are shown on a terminal. */
const SHOWN = 10;

function summarize(model: string, output: string, state: State, options: QuantizeOptions): void {
  const { layers, weightBytes, outputs, suggestion } = state.report!;
  const runs = runsOf(state);
  if (options.json === true)
    return sayJson({
      ok: true,
      output,
      bytes: state.bytes,
      recipe: options.recipe,
      weightBytes,
      runs,
      layers: layers.map((l) => (runs === 0 ? { name: l.name, op: l.op, weightBytes: l.weightBytes } : l)),
      outputs: runs === 0 ? [] : outputs,
      suggestion: runs === 0 ? undefined : suggestion,
    });
  say(`weights of ${layers.length} layers: ${bytesText(weightBytes.before)} before, ${bytesText(weightBytes.after)} after`);
  if (runs === 0) return say(`without data the error of ${model} is not known: give some with --calibrate`);
  say(
    tableText(
      ['layer', 'SNR (dB)', 'cosine', 'before', 'after'],
      layers
        .slice(0, SHOWN)
        .map((l) => [l.name, l.snr.toFixed(1), l.cosine.toFixed(6), bytesText(l.weightBytes.before), bytesText(l.weightBytes.after)]),
    ),
  );
  if (layers.length > SHOWN) say(`${layers.length - SHOWN} layers with less error are not shown`);
  for (const [i, o] of outputs.entries()) say(`output ${i}: SNR ${o.snr.toFixed(1)} dB, cosine ${o.cosine.toFixed(6)}`);
  const advice = adviceOf(state);
  if (advice !== '') say(advice);
}
