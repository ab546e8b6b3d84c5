import { allOps, quant } from '@qfuse/ops';
import { Evaluator, runGraph } from '@qfuse/interp';
import { type Graph, type HostTensor, parseGraph, QfuseError, tensorOf, verifyGraph } from '@qfuse/plugin';
import type { Batch, RunGraph } from './calibrate.js';
import { calibrate } from './calibrate.js';
import { convert } from './convert.js';
import { prepare, type PreparedModel } from './prepare.js';
import { describePlace } from './sharing.js';
import type { Quantizer } from './quantizer.js';

const table = new Map(allOps.map((op) => [op.name, op] as const));

/** The graph of a text with the ops of `@qfuse/ops`. */
export const graphOf = (text: string): Graph => parseGraph(text, { ops: (name) => table.get(name) });

const evaluator = new Evaluator();

/** Runs a graph in the interpreter. */
export const run: RunGraph = (graph, inputs) => runGraph(graph, inputs, evaluator).outputs;

/** f32 numbers of a range, the same in every run. */
export function numbers(count: number, seed = 1): Float32Array {
  let state = seed * 2654435761;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** An f32 tensor of such numbers, or of those given. */
export const tensor = (shape: readonly number[], values: ArrayLike<number> | number = 1): HostTensor =>
  tensorOf(
    'f32',
    shape,
    typeof values === 'number'
      ? numbers(
          shape.reduce((a, b) => a * b, 1),
          values,
        )
      : values,
  );

/** Prepares, calibrates when data are needed, converts; the result is a valid graph. */
export async function quantize(
  graph: Graph,
  quantizer: Quantizer,
  batches: readonly Batch[] = [],
): Promise<{ readonly prepared: PreparedModel; readonly graph: Graph }> {
  const prepared = prepare(graph, quantizer);
  if (batches.length > 0) await calibrate(prepared, run, batches);
  const converted = convert(prepared);
  const problems = verifyGraph(converted);
  if (problems.length > 0) throw new Error(problems.map((p) => p.message).join('\n'));
  return { prepared, graph: converted };
}

/** Names of ops in list order, without their dialects. */
export const opsOf = (graph: Graph): string => [...graph.nodes()].map((n) => n.op.name.replace(/^(aten|quant)\./, '')).join(' ');

/** The groups of a prepared model, each as the descriptions of its places. */
export const groupsOf = ({ groups }: PreparedModel): readonly (readonly string[])[] => groups.map((g) => g.places.map(describePlace));

/** The attributes of the quantize and dequantize nodes in list order that are not defaults. */
export const gridsOf = (graph: Graph): readonly string[] =>
  [...graph.nodes()].flatMap((n) => {
    if (n.op !== quant.Quantize && n.op !== quant.Dequantize) return [];
    const { granularity, axis, group_size, qmin, qmax } = n.attrs as Record<string, unknown>;
    return [[n.op.name.slice(6), granularity, axis, group_size, qmin, qmax].filter((v) => v !== undefined).join(' ')];
  });

/** The code and the message of the QfuseError that `body` throws. */
export async function errorOf(body: () => unknown): Promise<string> {
  try {
    await body();
  } catch (error) {
    if (error instanceof QfuseError) return `${error.code}: ${error.message}${error.help === undefined ? '' : ` (${error.help})`}`;
    throw error;
  }
  throw new Error('nothing was thrown');
}
