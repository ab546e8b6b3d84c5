import { Editor, type Graph, type HostTensor } from '@qfuse/ir';
import { type Evaluator, holdsCodes, replay, runGraph } from '@qfuse/interp';
import type { Numerics } from '@qfuse/rewrite';
import { compareTensors, type Comparison } from './compare.js';
import { copyGraph } from './subgraph.js';
import { toleranceOf } from './tolerance.js';

/** Outputs of a run, and the integers that it quantized numbers to. */
export interface Run {
  readonly outputs: readonly HostTensor[];
  readonly codes: readonly HostTensor[];
}

/** Runs a graph somewhere else than in the interpreter. */
export type RunElsewhere = (graph: Graph, inputs: readonly HostTensor[]) => Promise<readonly HostTensor[]>;

/** Runs a graph in the interpreter. */
export function interpreted(graph: Graph, inputs: readonly HostTensor[], evaluator?: Evaluator): Run {
  const codes: HostTensor[] = [];
  const { outputs } = runGraph(graph, inputs, evaluator, { observe: (v, t) => void (holdsCodes(v) && codes.push(t)) });
  return { outputs, codes };
}

/** A graph with the integers that it quantizes numbers to as outputs behind its own. */
function withCodes(graph: Graph): Graph {
  const out = copyGraph(graph);
  const codes = [...out.nodes()].flatMap((n) => n.results.filter(holdsCodes));
  new Editor(out).setOutputs([...out.outputs, ...codes], out.mutations);
  return out;
}

/** How two sides compare. */
export interface Agreement {
  readonly ok: boolean;
  /** Largest difference over the outputs. */
  readonly maxAbsError: number;
  /** What differs; what was done so that it does not, or nothing, when it is fine. */
  readonly problem: string;
}

/** One side of a comparison, which can be run again in the interpreter. */
export interface Expected {
  readonly graph: Graph;
  readonly inputs: readonly HostTensor[];
  readonly outputs: readonly HostTensor[];
}

/**
 * Compares a run of another side with the expected one, which was run in the interpreter.
 *
 * Roundings may differ by what `numerics` states. Where the expected side quantizes numbers in between, a rounding may move one over a
 * tie, and then everything after it differs by a step of the grid, which no bound on roundings covers. So the expected
 * side is run again with the integers of the other side where, and only where, the numbers before rounding lie within that bound of
 * a tie. After that the bound holds for the outputs, or the two sides do not compute the same.
 */
export function agreement(expected: Expected, other: Run, numerics: Numerics, evaluator?: Evaluator): Agreement {
  const first = compared(expected.outputs, other.outputs, numerics);
  if (first.ok || numerics === 'exact') return first;
  const relative = numerics === 'reassociates' ? 2 ** -12 : numerics.relative;
  const { outputs, magnitudes, taken } = replay(expected.graph, expected.inputs, other.codes, relative, evaluator);
  const second = compared(outputs, other.outputs, numerics, magnitudes);
  return second.ok && taken > 0
    ? { ...second, problem: `${taken} quantized integer${taken === 1 ? ' lies' : 's lie'} at a tie, which roundings decide` }
    : second;
}

/**
 * Compares a run elsewhere with the expected one. Its integers are only asked for when the outputs do not agree, by running
 * `quantizing` there: the same graph, or another spelling of it in which they are visible.
 */
export async function agreementElsewhere(
  expected: Expected,
  graph: Graph,
  quantizing: Graph,
  run: RunElsewhere,
  numerics: Numerics,
): Promise<Agreement> {
  const first = agreement(expected, { outputs: await run(graph, expected.inputs), codes: [] }, numerics);
  if (first.ok) return first;
  const wide = withCodes(quantizing);
  const count = quantizing.outputs.length;
  if (wide.outputs.length === count) return first;
  const all = await run(wide, expected.inputs);
  return agreement(expected, { outputs: all.slice(0, count), codes: all.slice(count) }, numerics);
}

function compared(
  expected: readonly HostTensor[],
  actual: readonly HostTensor[],
  numerics: Numerics,
  magnitudes: readonly number[] = [],
): Agreement {
  let worst: Comparison | undefined;
  let index = 0;
  expected.forEach((e, i) => {
    const c = compareTensors(actual[i]!, e, toleranceOf(numerics, e, magnitudes[i]));
    if (worst === undefined || (worst.withinTolerance && !c.withinTolerance) || c.maxAbsError > worst.maxAbsError) {
      worst = c;
      index = i;
    }
  });
  const ok = worst?.withinTolerance ?? true;
  const problem = ok ? '' : worst!.problem || `output ${index} differs by ${worst!.maxAbsError} at element ${worst!.worst}`;
  return { ok, maxAbsError: worst?.maxAbsError ?? 0, problem };
}
