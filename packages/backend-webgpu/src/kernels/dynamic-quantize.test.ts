import { fused, quant } from '@qfuse/ops';
import { Editor, Graph, symbol, tensorOf, tensorType } from '@qfuse/plugin';
import { runGraph } from '@qfuse/interp';
import { describe, expect, test } from 'vitest';
import { randomNumbers } from '../../test/compare.js';
import { differingBits } from '../../test/compare-bits.js';
import { useDevice } from '../../test/device.js';
import { differingSamples } from '../../test/exact-samples.js';
import { compileProgram, planProgram } from '../compile.js';
import { createTarget, portableTarget } from '../target.js';
import { chooseQparamsKernels } from './choose-qparams.js';
import { dynamicQuantizeKernels } from './dynamic-quantize.js';

const gpu = useDevice();
const kernels = [...chooseQparamsKernels, ...dynamicQuantizeKernels];
const rows = { granularity: 'row', mapping: 'asymmetric', qmin: -128, qmax: 127 } as const;

// The forms of GPUs: two in which lanes share a row, one in two steps; all in the full suite.
test.each([
  [kernels[0]!, [6]],
  [kernels[1]!, [6, 8, 14]],
] as const)('equals the reference on a GPU bit for bit: %#', async (kernel, samples) => {
  expect(await differingSamples(gpu.device, kernel, { ...createTarget(gpu.device), software: false }, samples)).toEqual([]);
});

/** A graph that quantizes rows, and what it must be made of. */
function quantizer(k: number, attrs: object, op: typeof fused.DynamicQuantize | typeof quant.ChooseQparams = fused.DynamicQuantize): Graph {
  const graph = new Graph();
  const edit = new Editor(graph);
  const input = edit.addInput('x', tensorType('f32', [symbol('m'), k]));
  edit.setOutputs(edit.create(op as typeof fused.DynamicQuantize, { input }, attrs as never).results);
  return graph;
}

/** Numbers of many magnitudes, with ties of the grid of their row among them. */
function numbers(count: number, seed: number): Float32Array {
  const next = randomNumbers(seed);
  return Float32Array.from({ length: count }, (_, i) => {
    const x = next() * 2 ** Math.round(next() * 6);
    return i % 3 === 0 ? (Math.round(x * 8) + 0.5) / 255 : x;
  });
}

describe.each([
  [12, { ...rows, dtype: 'i8' }],
  [37, { ...rows, dtype: 'i8', zero_point_rule: 'smaller_error', eps: 2 ** -23, zero_point_dtype: 'i8' }],
] as const)('rows of %d', (k, attrs) => {
  test('are what they are alone, in any number', async () => {
    const graph = quantizer(k, attrs);
    const program = await compileProgram(graph, { device: gpu.device });
    const all = numbers(70 * k, k);
    const whole = (await program.run([tensorOf('f32', [70, k], all)])).outputs;
    const reference = runGraph(graph, [tensorOf('f32', [70, k], all)]).outputs;
    expect(whole.flatMap((o, i) => differingBits(o, reference[i]!) ?? [])).toEqual([]);
    for (const m of [1, 2, 3, 5, 0, 69]) {
      const { outputs } = await program.run([tensorOf('f32', [m, k], all.slice(0, m * k))]);
      outputs.forEach((o, i) => expect(o.data).toEqual(whole[i]!.data.slice(0, i === 0 ? m * k : m)));
    }
    program.dispose();
  });
});

test('what follows the range is what its decomposition is', async () => {
  const attrs = { granularity: 'axis', axis: 1, mapping: 'asymmetric', qmin: -128, qmax: 127, dtype: 'i8' } as const;
  const graph = quantizer(6, attrs);
  const program = await compileProgram(graph, { device: gpu.device });
  const x = tensorOf('f32', [9, 6], numbers(54, 3));
  const { outputs } = await program.run([x]);
  expect(outputs.flatMap((o, i) => differingBits(o, runGraph(graph, [x]).outputs[i]!) ?? [])).toEqual([]);
  program.dispose();
});

test('takes one dispatch a tensor of rows or few elements, else two', () => {
  const labels = (graph: Graph, m: number) =>
    planProgram(graph, portableTarget, { sizes: { m } })
      .dispatches.filter((d) => d.grid![0] > 0)
      .map((d) => d.dispatch);
  expect(labels(quantizer(4096, { ...rows, dtype: 'i8' }), 3)).toEqual(['quantize a row by 256']);
  expect(labels(quantizer(31, { ...rows, dtype: 'i8' }), 3)).toEqual(['quantize 4 rows by 64']);
  expect(labels(quantizer(31, { ...rows, granularity: 'tensor', dtype: 'i8' }), 3)).toEqual(['ranges', 'quantize pieces']);
});

test.each([
  [{ ...rows, compute: 'f64' }, /the arithmetic is f64, expected f32/],
  [{ ...rows, eps: 0 }, /eps is 0, expected a normal f32/],
  [{ ...rows, mapping: 'symmetric_no_clipping_err', qmax: 0 }, /qmax is 0, by which its mapping divides/],
] as const)('refuses what it does not compute exactly: %j', (attrs, why) => {
  const [kernel] = chooseQparamsKernels;
  const [node] = quantizer(4, attrs, quant.ChooseQparams).nodes();
  expect(kernel!.supports(node!, portableTarget)).toMatchObject({ ok: false, why: expect.stringMatching(why) });
});
