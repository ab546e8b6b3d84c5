import { type Graph, type HostTensor, parseGraph, tensorOf, type Value } from '@qfuse/plugin';
import { runGraph } from '@qfuse/interp';
import { allOps, opTable } from '@qfuse/ops';
import { compileProgram } from '../src/compile.js';
import type { ErrorBound } from '../src/kernel.js';
import type { WebGPUTarget } from '../src/target.js';

const ops = opTable(allOps);

/** A graph from its text, with the ops of `@qfuse/ops`. */
export const graphOf = (text: string): Graph =>
  parseGraph(text.trim().startsWith('graph') ? text : `graph @main${text}`, { ops: (name) => ops.get(name) });

/** Numbers in [-1, 1), the same in every run. */
export function randomNumbers(seed: number): () => number {
  let state = (seed * 2654435761 + 1) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2147483648 - 1;
  };
}

/** An input of the type of `value`: floats in [-range, range), small integers, random bools. */
export function inputFor(value: Value, shape: readonly number[], seed: number, range = 2): HostTensor {
  const next = randomNumbers(seed);
  const { dtype } = value.type;
  const count = shape.reduce((a, b) => a * b, 1);
  const make = (): number => {
    if (dtype === 'bool') return next() > 0 ? 1 : 0;
    if (dtype === 'f32') return next() * range;
    const low = dtype.startsWith('u') ? 0 : -7;
    return low + Math.floor(((next() + 1) / 2) * 14);
  };
  return tensorOf(dtype, shape, Array.from({ length: count }, make));
}

/** Describes where `actual` is farther from `expected` than the bound allows; undefined when nowhere. */
export function difference(actual: HostTensor, expected: HostTensor, bound: ErrorBound): string | undefined {
  if (actual.dtype !== expected.dtype || actual.shape.join() !== expected.shape.join())
    return `is ${actual.dtype}[${actual.shape.join()}], expected ${expected.dtype}[${expected.shape.join()}]`;
  const largest = bound.sums === true ? largestOf(expected) : 0;
  for (let i = 0; i < expected.data.length; i++) {
    const [a, e] = [Number(actual.data[i]), Number(expected.data[i])];
    if (Object.is(a, e) || a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
    const allowed = actual.dtype === 'f32' ? bound.absolute + bound.relative * Math.max(Math.abs(e), largest) : 0;
    if (!(Math.abs(a - e) <= allowed)) return `element ${i} is ${a}, expected ${e} ± ${allowed}`;
  }
  return undefined;
}

const largestOf = (t: HostTensor): number =>
  Array.from(t.data as Float32Array).reduce((most, v) => Math.max(most, Number.isFinite(v) ? Math.abs(v) : 0), 0);

/** Runs `graph` on the device and in the interpreter; returns what differs, by output. */
export async function differences(
  device: GPUDevice,
  graph: Graph,
  inputs: readonly HostTensor[],
  bound: ErrorBound,
  target?: WebGPUTarget,
): Promise<string[]> {
  const program = await compileProgram(graph, { device, ...(target && { target }) });
  try {
    const { outputs } = await program.run(inputs);
    const expected = runGraph(graph, inputs).outputs;
    return outputs.flatMap((o, i) => {
      const found = difference(o, expected[i]!, bound);
      return found === undefined ? [] : [`output ${i} ${found}`];
    });
  } finally {
    program.dispose();
  }
}
