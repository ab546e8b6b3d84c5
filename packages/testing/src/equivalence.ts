import {
  type Dim,
  type DType,
  dtypeInfo,
  evaluateDim,
  type Graph,
  type HostTensor,
  isFloat,
  isInteger,
  QfuseError,
  type Value,
} from '@qfuse/ir';
import { Evaluator, replay, runGraph, type RunResult } from '@qfuse/interp';
import type { Numerics } from '@qfuse/rewrite';
import { Random, randomTensor } from './random.js';

/**
 * Largest element of wide integer inputs, for each set of sizes and inputs that is tried. They are indices as a rule: 0
 * and 1 are most often allowed, larger ones reach the rest of a table.
 */
const ROUNDS = [1, 5, 60] as const;

/** Unit roundoff of the float dtypes: half the distance from 1 to the next number. */
const roundoff: Readonly<Record<string, number>> = { f64: 2 ** -53, f32: 2 ** -24, f16: 2 ** -11, bf16: 2 ** -8 };

/**
 * The difference that a rule's numerics allow for a result: nothing for `exact`; 2^12 roundings of the largest
 * result for `reassociates` (sums of some thousand terms in another order); that share of the largest result for
 * `relative`, and no less than the sign of a zero. Integers are exact.
 * @param magnitude - how large what the result was computed from is, when that is larger: it may have cancelled
 */
export function allowedError(numerics: Numerics, expected: HostTensor, magnitude = 0): number {
  if (!isFloat(expected.dtype) || numerics === 'exact') return 0;
  let largest = magnitude;
  for (const x of expected.data) if (Number.isFinite(Number(x))) largest = Math.max(largest, Math.abs(Number(x)));
  const unit = roundoff[expected.dtype]!;
  return Math.max(largest * (numerics === 'reassociates' ? 4096 * unit : Math.max(numerics.relative, 2 * unit)), Number.MIN_VALUE);
}

/**
 * What differs between two tensors beyond `allowed`, or undefined. NaN equals NaN. With nothing allowed a float must be
 * the same number, the sign of zero included.
 */
export function difference(actual: HostTensor, expected: HostTensor, allowed: number): string | undefined {
  if (actual.dtype !== expected.dtype || actual.shape.join() !== expected.shape.join())
    return `the result is ${actual.dtype}[${actual.shape.join(', ')}], expected ${expected.dtype}[${expected.shape.join(', ')}]`;
  for (let i = 0; i < expected.data.length; i++) {
    const a = actual.data[i]!;
    const b = expected.data[i]!;
    // The same number, or the same infinity, which no difference can be taken of.
    if (Object.is(a, b) || (a === b && allowed > 0)) continue;
    if (!(allowed > 0 && Math.abs(Number(a) - Number(b)) <= allowed))
      return `element ${i} is ${String(a)}, expected ${String(b)} (allowed difference ${allowed})`;
  }
  return undefined;
}

/** A value for every symbol of a graph that its facts allow. */
export function randomBindings(graph: Graph, random: Random): Map<string, number> {
  return new Map(
    graph.env.symbols().map((name) => {
      const { min, max, divisor } = graph.env.fact(name);
      // Empty tensors show little: 0 is only taken where nothing else is allowed.
      const low = Math.ceil(Math.max(min, Math.min(1, max)) / divisor);
      const high = Math.min(Math.floor(max / divisor), low + 5);
      return [name, divisor * random.int(low, high)] as const;
    }),
  );
}

/** Inputs for sizes that fit; integers of more than 8 bits lie in [0, largest]. */
function randomInputs(graph: Graph, random: Random, largest: number): readonly HostTensor[] {
  const bindings = randomBindings(graph, random);
  return graph.inputs.map(({ type: { dtype, shape } }) =>
    randomTensor(
      random,
      dtype,
      shape.map((d: Dim) => evaluateDim(d, bindings)),
      isWide(dtype) ? [0, largest] : undefined,
    ),
  );
}

const isWide = (dtype: DType): boolean => isInteger(dtype) && dtypeInfo(dtype).bits > 8;

/**
 * Runs two graphs with the same inputs on random data and throws where they differ by more than `numerics` allows. Integers that a rule
 * may move by a step are compared as {@link replay} says: they may differ where a number lies so near a tie, and nowhere else.
 * @returns how often the results were compared: data that `before` itself refuses (an index out of range) show
 * nothing about a rewrite and are left out
 * @throws Error naming seed, output and element
 */
export function expectEquivalent(before: Graph, after: Graph, numerics: Numerics, seed = 1): number {
  const evaluator = new Evaluator();
  let compared = 0;
  for (const [round, largest] of ROUNDS.entries()) {
    const draw = (max: number): readonly HostTensor[] => randomInputs(before, new Random(seed * 1000 + round), max);
    let inputs = draw(largest);
    let expected = attempt(() => runGraph(before, inputs, evaluator));
    if (expected === undefined && largest > 1) expected = attempt(() => runGraph(before, (inputs = draw(1)), evaluator));
    if (expected === undefined) continue;
    compared++;
    const codes: HostTensor[] = [];
    const observe = (_: Value, tensor: HostTensor): void => void (isInteger(tensor.dtype) && codes.push(tensor));
    const actual = runGraph(after, inputs, evaluator, { observe });
    let problem = firstProblem(expected, actual, numerics);
    // Few results are sums that cancelled or lie at ties; only for those is it worth to run the old side again.
    if (problem !== undefined && numerics !== 'exact') {
      const steps = typeof numerics === 'object' && numerics.steps !== undefined;
      const again = replay(before, inputs, steps ? codes : [], steps ? numerics.relative : 0, evaluator);
      problem = firstProblem(again, actual, numerics, again.magnitudes);
    }
    if (problem !== undefined) throw new Error(`seed ${seed}, round ${round}, ${problem}`);
  }
  return compared;
}

function firstProblem(expected: RunResult, actual: RunResult, numerics: Numerics, magnitudes: readonly number[] = []): string | undefined {
  const pairs = [
    ...expected.outputs.map((e, i) => [`output ${i}`, e, actual.outputs[i]!, magnitudes[i]] as const),
    ...[...expected.mutated].map(([name, e]) => [`buffer "${name}"`, e, actual.mutated.get(name)!, undefined] as const),
  ];
  for (const [what, e, a, magnitude] of pairs) {
    const problem = difference(a, e, allowedError(numerics, e, magnitude));
    if (problem !== undefined) return `${what}: ${problem}`;
  }
  return undefined;
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof QfuseError && (error.code === 'interp/value' || error.code === 'interp/shape')) return undefined;
    throw error;
  }
}
