import { describeOrigin, evaluateDim, type Graph, type HostTensor, QfuseError, type Value } from '@qfuse/ir';
import { Evaluator, runGraph } from '@qfuse/interp';
import type { Registry } from '@qfuse/pass-manager';
import type { Numerics, Rule } from '@qfuse/rewrite';
import { compareTensors, type Comparison } from './compare.js';
import { compileGraph, type CompileOptions } from './compile.js';
import { randomSource, sampleBindings, sampleTensor } from './sample.js';
import { copyGraph, extractSubgraph } from './subgraph.js';
import { toleranceOf } from './tolerance.js';

/** One thing that was checked. */
export interface Check {
  /** `rewrite`: the two sides of one applied rule; `program`: the whole graph before and after. */
  readonly kind: 'rewrite' | 'program';
  /** Rule and place, or how the program was run. */
  readonly what: string;
  readonly ok: boolean;
  /** Largest difference over the outputs. */
  readonly maxAbsError: number;
  /** What differs or why it could not be run; empty when it is fine. */
  readonly problem: string;
}

/** Runs a graph somewhere else than in the interpreter. */
export type RunElsewhere = (graph: Graph, inputs: readonly HostTensor[]) => Promise<readonly HostTensor[]>;

/** Options of {@link verifyCompilation}. */
export interface VerifyOptions extends Pick<CompileOptions, 'pipeline' | 'signal' | 'source'> {
  /** Inputs for the whole program; default: random ones. */
  readonly inputs?: readonly HostTensor[] | undefined;
  /** Also runs the whole program here, e.g. on a WebGPU device. */
  readonly device?: RunElsewhere | undefined;
  readonly seed?: number | undefined;
  readonly onCheck?: ((check: Check) => void) | undefined;
}

/** What the device may differ from the interpreter by, as a part of the largest result. */
export const deviceTolerance: Numerics = { relative: 1e-4 };

/**
 * Compiles a graph and proves it: both sides of each rewrite, and the whole program before and after, run in the
 * interpreter on the same inputs; the whole program also on a device when one is given.
 * @returns the checks in order; the graph is compiled afterwards
 */
export async function verifyCompilation(graph: Graph, registry: Registry, options: VerifyOptions = {}): Promise<readonly Check[]> {
  const checks: Check[] = [];
  const seed = options.seed ?? 1;
  const note = (check: Check): void => {
    checks.push(check);
    options.onCheck?.(check);
  };
  const original = copyGraph(graph);
  const inputs = options.inputs ?? sampleFor(original, original.inputs, seed);
  let pending:
    | { readonly rule: Rule; readonly before: ReturnType<typeof extractSubgraph>; readonly at: string; readonly read: readonly boolean[] }
    | undefined;
  const watch: CompileOptions['watch'] = {
    onMatch: ({ rule, root, inner }) => {
      const feeders = inner
        .flatMap((n) => n.operands)
        .filter((v): v is Value => v !== undefined && (v.producer === undefined || !inner.includes(v.producer)));
      // What nobody reads need not be there afterwards.
      const read = root.results.map((r) => r.useCount > 0);
      pending = {
        rule,
        read,
        before: extractSubgraph(graph, { outputs: root.results.filter((_, i) => read[i]), inputs: [...new Set(feeders)] }),
        at: describeOrigin(root.origin),
      };
    },
    onApply: ({ rule, results }) => {
      const { before, at, read } = pending!;
      const outputs = results.filter((v, i): v is Value => v !== undefined && read[i] === true);
      note(checkRewrite(rule, at, before, extractSubgraph(graph, { outputs, inputs: before.inputs }), seed));
    },
  };
  await compileGraph(graph, registry, { ...options, verify: 'each', watch });
  const numerics = programNumerics(checks, registry);
  const expected = attempt(() => runGraph(original, inputs).outputs);
  if (typeof expected === 'string') {
    note({ kind: 'program', what: 'before, in the interpreter', ok: false, maxAbsError: 0, problem: expected });
    return checks;
  }
  note(
    compareRuns(
      'after, in the interpreter',
      expected,
      attempt(() => runGraph(graph, inputs).outputs),
      numerics,
    ),
  );
  if (options.device !== undefined) {
    note(compareRuns('before, on the device', expected, await attemptAsync(options.device(original, inputs)), deviceTolerance));
    note(compareRuns('after, on the device', expected, await attemptAsync(options.device(graph, inputs)), deviceTolerance));
  }
  return checks;
}

/** What the rewrites of a program may add up to: nothing when all were exact, else the sum of their bounds. */
function programNumerics(checks: readonly Check[], registry: Registry): Numerics {
  const rules = new Map([...registry.passes.values()].flatMap((p) => p.rules ?? []).map((r) => [r.name, r] as const));
  let relative = 0;
  let steps = 0;
  for (const { what } of checks) {
    const numerics = rules.get(what.slice(0, what.indexOf(' at ')))?.numerics ?? 'exact';
    relative += numerics === 'exact' ? 0 : numerics === 'reassociates' ? 2 ** -12 : numerics.relative;
    steps = Math.max(steps, typeof numerics === 'object' ? (numerics.steps ?? 0) : 0);
  }
  return relative === 0 ? 'exact' : { relative, steps };
}

function checkRewrite(
  rule: Rule,
  at: string,
  before: ReturnType<typeof extractSubgraph>,
  after: ReturnType<typeof extractSubgraph>,
  seed: number,
): Check {
  const what = `${rule.name} at ${at}`;
  const fail = (problem: string): Check => ({ kind: 'rewrite', what, ok: false, maxAbsError: 0, problem });
  const extra = after.inputs.find((v) => !before.inputs.includes(v));
  if (extra !== undefined)
    return fail(`the new side reads ${extra.name ?? `a result of ${extra.producer?.op.name}`}, which the old side does not`);
  const samples = sampleFor(before.graph, before.graph.inputs, seed);
  const tensors = new Map(before.inputs.map((v, i) => [v, samples[i]!] as const));
  const inputsOf = (side: typeof before): HostTensor[] => side.inputs.map((v) => tensors.get(v)!);
  const evaluator = new Evaluator();
  const old = attempt(() => runGraph(before.graph, inputsOf(before), evaluator).outputs);
  // What the old side cannot run (an index out of range of random data, say) proves nothing against the rule.
  if (typeof old === 'string') return { kind: 'rewrite', what, ok: true, maxAbsError: 0, problem: `not run: ${old}` };
  return {
    ...compareRuns(
      what,
      old,
      attempt(() => runGraph(after.graph, inputsOf(after), evaluator).outputs),
      rule.numerics,
    ),
    kind: 'rewrite',
  };
}

function sampleFor(graph: Graph, values: readonly Value[], seed: number): HostTensor[] {
  const bindings = sampleBindings(graph, seed);
  const random = randomSource(seed + 1);
  return values.map((v) =>
    sampleTensor(
      v.type.dtype,
      v.type.shape.map((d) => evaluateDim(d, bindings)),
      random,
    ),
  );
}

function compareRuns(what: string, expected: readonly HostTensor[], actual: readonly HostTensor[] | string, numerics: Numerics): Check {
  if (typeof actual === 'string') return { kind: 'program', what, ok: false, maxAbsError: 0, problem: actual };
  let worst: Comparison | undefined;
  let index = 0;
  expected.forEach((e, i) => {
    const c = compareTensors(actual[i]!, e, toleranceOf(numerics, e));
    if (worst === undefined || (worst.withinTolerance && !c.withinTolerance) || c.maxAbsError > worst.maxAbsError) {
      worst = c;
      index = i;
    }
  });
  const ok = worst?.withinTolerance ?? true;
  const problem = ok ? '' : worst!.problem || `output ${index} differs by ${worst!.maxAbsError} at element ${worst!.worst}`;
  return { kind: 'program', what, ok, maxAbsError: worst?.maxAbsError ?? 0, problem };
}

function attempt<T>(run: () => T): T | string {
  try {
    return run();
  } catch (error) {
    if (error instanceof QfuseError) return error.message;
    throw error;
  }
}

async function attemptAsync<T>(run: Promise<T>): Promise<T | string> {
  try {
    return await run;
  } catch (error) {
    if (error instanceof QfuseError) return error.message;
    throw error;
  }
}
