import type { Graph } from '@qfuse/ir';
import { pt2 } from '@qfuse/import-pt2';
import { allOps } from '@qfuse/ops';
import { quantizer } from '@qfuse/quantizer';
import {
  type CompilerEmitter,
  createPlan,
  createRegistry,
  definePlugin,
  parsePipeline,
  pipelineText,
  type PipelineReport,
  type Plan,
  type Plugin,
  type PluginInput,
  type Registry,
  runPlan,
  type RunPlanOptions,
} from '@qfuse/pass-manager';
import type { ProgramInfo } from './program-file.js';

/** The ops of `@qfuse/ops` as a plugin; every registry of this package has them. */
export const coreOps: Plugin = definePlugin({ name: '@qfuse/ops', version: '0.1.0', api: 1, ops: allOps });

/** The registry of the core ops, the importers, the recipes of quantization and `plugins`. @throws QfuseError `registry/…` */
export const createCompilerRegistry = (plugins: PluginInput): Registry => createRegistry([coreOps, pt2(), quantizer(), plugins]);

/** Options of {@link compileGraph}. */
export interface CompileOptions extends Pick<RunPlanOptions, 'verify' | 'target' | 'signal' | 'recordRules' | 'watch'> {
  readonly events?: CompilerEmitter | undefined;
  /** Pipeline text to run instead of all passes of the registry in planned order. */
  readonly pipeline?: string | undefined;
  /** Name of the source file, kept in the program. */
  readonly source?: string | undefined;
}

/** A compiled graph: the same object that was given, rewritten. */
export interface Compiled {
  readonly graph: Graph;
  readonly plan: Plan;
  readonly report: PipelineReport;
  readonly info: ProgramInfo;
}

/** Nodes of a graph by op name, sorted by name. */
export function histogram(graph: Graph): Record<string, number> {
  const counts = new Map<string, number>();
  for (let n = graph.ids.first; n >= 0; n = graph.ids.next(n)) {
    const { name } = graph.ids.op(n)!;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The plan of a registry's passes, or of a pipeline text. @throws QfuseError `plan/…`, `pipeline/…` */
export function planOf(registry: Registry, pipeline?: string): Plan {
  if (pipeline === undefined) return createPlan([...registry.passes.values()]);
  // A written pipeline is run as it is written; planning it as well shows what it lacks.
  const passes = parsePipeline(pipeline, (name) => registry.passes.get(name));
  createPlan(passes);
  return { passes, edges: [] };
}

/**
 * Runs the pipeline on a graph.
 * @throws QfuseError for a plan that cannot hold or a diagnostic of severity error; PassFailure (with a reproducer) for a defect of a pass
 */
export async function compileGraph(graph: Graph, registry: Registry, options: CompileOptions = {}): Promise<Compiled> {
  const plan = planOf(registry, options.pipeline);
  const before = histogram(graph);
  const report = await runPlan(graph, plan, { ...options, plugins: registry.plugins });
  const info = {
    source: options.source ?? graph.name,
    pipeline: pipelineText(plan.passes),
    plugins: registry.plugins.map((p) => `${p.name}@${p.version}`),
    before,
  };
  return { graph, plan, report, info };
}
