import { type Graph, QfuseError } from '@qfuse/ir';
import { Float32Evaluator, runGraph } from '@qfuse/interp';
import { createPlan, type Registry, runPlan, type RunPlanOptions } from '@qfuse/pass-manager';
import {
  type Batch,
  calibrate,
  type CalibrationState,
  checkPatterns,
  convert,
  defineQuantizer,
  moduleNameFilter,
  parseRecipe,
  prepare,
  type PreparedModel,
  type Quantizer,
  type RunGraph,
} from '@qfuse/quantizer';

/** Options of {@link prepareGraph}. */
export interface PrepareOptions extends Pick<RunPlanOptions, 'events' | 'signal' | 'verify'> {
  /** `NAME` or `NAME:option=value,…` of a recipe of the registry, or a quantizer. */
  readonly recipe: string | Quantizer;
  /** Patterns of modules that stay float, e.g. `lm_head` or `blocks.*.attention`. */
  readonly exclude?: readonly string[] | undefined;
}

/** Options of {@link quantizeGraph}. */
export interface QuantizeOptions extends PrepareOptions {
  /** Calibration data: inputs of runs. Needed by recipes with static activations. */
  readonly batches?: Iterable<Batch> | AsyncIterable<Batch> | undefined;
  /** Runs calibration; default: the interpreter, with sums in the order of torch's kernels, so that scales are torch's. */
  readonly run?: RunGraph | undefined;
  /** What other processes saw, from `prepared.save()`. */
  readonly states?: readonly CalibrationState[] | undefined;
  /** Told after each batch how many were seen. */
  readonly onProgress?: ((batches: number) => void) | undefined;
}

/** A quantized program before it is fused, and what it was made from. */
export interface Quantized {
  /** The program with quantize and dequantize nodes; `compileGraph` fuses it. */
  readonly graph: Graph;
  readonly prepared: PreparedModel;
}

/**
 * Brings a float program to the form that quantizers look at (the passes of the phase `normalize`, in place) and places observers.
 * @throws QfuseError `quantizer/…` for a recipe, option or pattern that is not there, or a program that is compiled already
 */
export async function prepareGraph(graph: Graph, registry: Registry, options: PrepareOptions): Promise<PreparedModel> {
  const { recipe, exclude = [], ...rest } = options;
  const quantizer = typeof recipe === 'string' ? parseRecipe(recipe, registry.recipes).quantizer : recipe;
  const compiled = [...graph.nodes()].find((n) => n.op.name.startsWith('fused.'));
  if (compiled !== undefined)
    throw new QfuseError('quantizer/program', `the program has ${compiled.op.name}: it is compiled already`, {
      help: 'quantize the model that it was compiled from',
    });
  const passes = [...registry.passes.values()].filter((p) => p.phase === 'import' || p.phase === 'normalize');
  await runPlan(graph, createPlan(passes), { ...rest, plugins: registry.plugins });
  return prepare(graph, exclude.length === 0 ? quantizer : excluding(quantizer, exclude));
}

/**
 * Quantizes a float program in the words of PT2E: prepare, calibrate, convert. The given graph is normalized in place, the result is a new one.
 * @throws QfuseError `quantizer/not-calibrated` when the recipe needs data and there are none; as {@link prepareGraph}, `calibrate` and `convert`
 */
export async function quantizeGraph(graph: Graph, registry: Registry, options: QuantizeOptions): Promise<Quantized> {
  const { batches, run = interpreter(), states = [], onProgress, ...rest } = options;
  const prepared = await prepareGraph(graph, registry, rest);
  for (const state of states) prepared.merge(state);
  if (batches !== undefined && prepared.needsCalibration) await calibrate(prepared, run, batches, { onProgress, signal: rest.signal });
  return { graph: convert(prepared), prepared };
}

function interpreter(): RunGraph {
  const evaluator = new Float32Evaluator();
  return (graph, inputs) => runGraph(graph, inputs, evaluator).outputs;
}

/** A quantizer that leaves the modules of some patterns alone. */
function excluding(quantizer: Quantizer, patterns: readonly string[]): Quantizer {
  return defineQuantizer({
    ...quantizer,
    annotate: (annotations) => {
      checkPatterns(annotations.graph, patterns);
      const nodes = [...annotations.graph.nodes()];
      for (const pattern of patterns) annotations.mark(...nodes.filter(moduleNameFilter(pattern)));
      quantizer.annotate(annotations);
    },
  });
}
