import { bindSymbols, describeOrigin, evaluateDim, type Graph, type HostTensor, QfuseError, type Value } from '@qfuse/ir';
import { Evaluator, holdsCodes } from '@qfuse/interp';
import type { Registry } from '@qfuse/pass-manager';
import type { Numerics, Rule } from '@qfuse/rewrite';
import { type Agreement, agreement, agreementElsewhere, type Expected, interpreted, type Run, type RunElsewhere } from './agreement.js';
import { compileGraph, type CompileOptions } from './compile.js';
import { randomSource, sampleBindings, sampleTensor } from './sample.js';
import { copyGraph, extractSubgraph } from './subgraph.js';

/** One thing that was checked. */
export interface Check {
  /** `rewrite`: the two sides of one applied rule; `program`: the whole graph before and after. */
  readonly kind: 'rewrite' | 'program';
  /** Rule and place, or how the program was run. */
  readonly what: string;
  readonly ok: boolean;
  /** Largest difference over the outputs. */
  readonly maxAbsError: number;
  /** What differs or why it could not be run; a remark or nothing when it is fine. */
  readonly problem: string;
  /** Set where it could not be run because the place has not all ops. */
  readonly unsupported?: true;
}

/** Options of {@link verifyCompilation}. */
export interface VerifyOptions extends Pick<CompileOptions, 'pipeline' | 'signal' | 'source'> {
  /** Inputs for the whole program; default: random ones. */
  readonly inputs?: readonly HostTensor[] | undefined;
  /** Also runs the whole program here, e.g. on a WebGPU device. */
  readonly device?: RunElsewhere | undefined;
  readonly seed?: number | undefined;
  readonly onCheck?: ((check: Check) => void) | undefined;
}

/**
 * What the device may differ from the interpreter by, as a part of the largest result: it adds up to 2^11 products in f32, in an order of
 * its own, each time rounding by 2^-24 of what was added up. Integers that a program quantizes to on its way may be moved over a tie by that.
 */
export const deviceTolerance: Numerics = { relative: 2 ** -13, steps: 1 };

/**
 * Compiles a graph and proves it: both sides of each rewrite, and the whole program before and after, run in the
 * interpreter on the same inputs; the whole program also on a device when one is given.
 * @returns the checks in order; the graph is compiled afterwards
 * @throws QfuseError for data of constants that cannot be read, `run/inputs` for inputs that do not fit: nothing can be proved with them
 */
export async function verifyCompilation(graph: Graph, registry: Registry, options: VerifyOptions = {}): Promise<readonly Check[]> {
  for (const { constant } of graph.constants) if (constant.resolved) constant.bytes();
  if (options.inputs !== undefined) bindSymbols(graph, options.inputs);
  const checks: Check[] = [];
  const seed = options.seed ?? 1;
  const note = (check: Check): void => {
    checks.push(check);
    options.onCheck?.(check);
  };
  const original = copyGraph(graph);
  const fusions = new Set([...registry.passes.values()].flatMap((p) => (p.phase === 'fuse' ? (p.rules ?? []) : [])));
  let normalized: Graph | undefined;
  const inputs = options.inputs ?? sampleFor(original, original.inputs, seed);
  let pending:
    | { readonly rule: Rule; readonly before: ReturnType<typeof extractSubgraph>; readonly at: string; readonly read: readonly boolean[] }
    | undefined;
  const watch: CompileOptions['watch'] = {
    onMatch: ({ rule, root, inner }) => {
      if (fusions.has(rule)) normalized ??= copyGraph(graph);
      const feeders = inner
        .flatMap((n) => n.operands)
        .flatMap((v) => (v === undefined ? [] : sourcesOf(v)))
        .filter((v) => v.producer === undefined || !inner.includes(v.producer));
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
  const program = (what: string, result: Agreement | string): void =>
    note({ kind: 'program', what, ...(typeof result === 'string' ? failed(result) : result) });
  const before = attempt(() => interpreted(original, inputs));
  if (typeof before === 'string') {
    program('before, in the interpreter', before);
    return checks;
  }
  const expected = reference({ graph: original, inputs, outputs: before.outputs }, normalized, numerics);
  const after = attempt(() => interpreted(graph, inputs));
  program('after, in the interpreter', typeof after === 'string' ? after : agreement(expected, after, numerics));
  const { device } = options;
  if (device === undefined) return checks;
  try {
    program('before, on the device', await agreementElsewhere(expected, original, expected.graph, device, deviceTolerance));
  } catch (error) {
    if (!(error instanceof QfuseError)) throw error;
    // A device needs kernels for what becomes of a program, not for what it was.
    const unsupported = error.code.endsWith('/unsupported');
    const [first] = error.message.split('\n', 1);
    program(
      'before, on the device',
      unsupported ? { ok: true, maxAbsError: 0, problem: `not run: ${first!.replace(/:$/, '')}` } : error.message,
    );
  }
  try {
    program('after, on the device', await agreementElsewhere(expected, graph, graph, device, deviceTolerance));
  } catch (error) {
    if (!(error instanceof QfuseError)) throw error;
    const unsupported = error.code.endsWith('/unsupported') ? ({ unsupported: true } as const) : {};
    note({ kind: 'program', what: 'after, on the device', ...failed(error.message), ...unsupported });
  }
  return checks;
}

/**
 * What runs are compared with: the program before any fusion, if that computes what the original does. Programs may spell
 * quantizing out in steps, whose integers only normalizing makes visible.
 */
function reference(original: Expected, normalized: Graph | undefined, numerics: Numerics): Expected {
  const run = normalized === undefined ? '' : attempt(() => interpreted(normalized, original.inputs));
  return typeof run !== 'string' && agreement(original, { outputs: run.outputs, codes: [] }, numerics).ok
    ? { ...original, graph: normalized!, outputs: run.outputs }
    : original;
}

/**
 * What the old side of a rewrite starts from, for a value that it reads: what stands behind views and casts of it, as a rule may read that
 * instead; and what quantized integers were made from, as a rule may know their range from that.
 */
function sourcesOf(value: Value, quantizers = 2): readonly Value[] {
  const source = behindCasts(value);
  const { producer } = source;
  const quantizes = producer?.op.name === 'quant.choose_qparams' || producer?.results.some(holdsCodes) === true;
  // Integers and the choice of their grid: two nodes.
  if (!quantizes || quantizers === 0) return [source];
  return producer.operands.flatMap((v) => (v === undefined ? [] : sourcesOf(v, quantizers - 1)));
}

function behindCasts(value: Value): Value {
  for (let p = value.producer; p?.operands.length === 1 && (p.op.view || p.op.elementwise); p = value.producer) value = p.operands[0]!;
  return value;
}

const failed = (problem: string): Agreement => ({ ok: false, maxAbsError: 0, problem });

/**
 * What the rewrites of a program may add up to: nothing when all were exact, else the sum of their bounds. Integers that a
 * program quantizes to on its way may be moved over a tie by any of them.
 */
function programNumerics(checks: readonly Check[], registry: Registry): Numerics {
  const rules = new Map([...registry.passes.values()].flatMap((p) => p.rules ?? []).map((r) => [r.name, r] as const));
  let relative = 0;
  for (const { what } of checks) {
    const numerics = rules.get(what.slice(0, what.indexOf(' at ')))?.numerics ?? 'exact';
    relative += numerics === 'exact' ? 0 : numerics === 'reassociates' ? 2 ** -12 : numerics.relative;
  }
  return relative === 0 ? 'exact' : { relative, steps: 1 };
}

function checkRewrite(
  rule: Rule,
  at: string,
  before: ReturnType<typeof extractSubgraph>,
  after: ReturnType<typeof extractSubgraph>,
  seed: number,
): Check {
  const what = `${rule.name} at ${at}`;
  const result = (found: Agreement): Check => ({ kind: 'rewrite', what, ...found });
  const extra = after.inputs.find((v) => !before.inputs.includes(v));
  if (extra !== undefined)
    return result(failed(`the new side reads ${extra.name ?? `a result of ${extra.producer?.op.name}`}, which the old side does not`));
  const samples = sampleFor(before.graph, before.graph.inputs, seed);
  const tensors = new Map(before.inputs.map((v, i) => [v, samples[i]!] as const));
  const inputsOf = (side: typeof before): HostTensor[] => side.inputs.map((v) => tensors.get(v)!);
  const evaluator = new Evaluator();
  const inputs = inputsOf(before);
  const old = attempt(() => interpreted(before.graph, inputs, evaluator));
  // What the old side cannot run (an index out of range of random data, say) proves nothing against the rule.
  if (typeof old === 'string') return result({ ok: true, maxAbsError: 0, problem: `not run: ${old}` });
  const found = attempt(() => interpreted(after.graph, inputsOf(after), evaluator));
  if (typeof found === 'string') return result(failed(found));
  const { numerics } = rule;
  const steps = typeof numerics === 'object' && numerics.steps !== undefined;
  const run: Run = { outputs: found.outputs, codes: steps ? found.codes : [] };
  return result(agreement({ graph: before.graph, inputs, outputs: old.outputs }, run, numerics, evaluator));
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

function attempt<T>(run: () => T): T | string {
  try {
    return run();
  } catch (error) {
    if (error instanceof QfuseError) return error.message;
    throw error;
  }
}
