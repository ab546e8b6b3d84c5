import { describe, expect, test } from 'vitest';
import { getSymmetricQuantizationConfig } from '../configs/symmetric.js';
import { getXNNPACKQuantizationConfig } from '../configs/xnnpack.js';
import { linearQuantizer } from '../quantizers/weights.js';
import { xnnpackQuantizer } from '../quantizers/xnnpack.js';
import { errorOf, graphOf, quantize, run, tensor } from '../test-support.js';
import { compareLayers } from './compare-layers.js';
import { Deviation } from './deviation.js';

const text = `graph @main(%x: f32[s0, 4]) where s0 in [1, 8] {
  %a.weight = parameter "a.weight" : f32[4, 4] = dense<[1.0, 0.3, -0.2, 0.7, 0.1, -1.0, 0.45, 0.3, 0.9, 0.11, -0.7, 0.6, 0.2, 0.33, 0.57, -1.0]>
  %b.weight = parameter "b.weight" : f32[2, 4] = dense<[1.0, -1.0, 1.0, -1.0, 0.5, 0.5, -0.5, -0.5]>
  %0 = aten.linear(%x, %a.weight) : f32[s0, 4] loc("linear" in "a")
  %1 = aten.relu(%0) : f32[s0, 4] loc("relu")
  %2 = aten.linear(%1, %b.weight) : f32[s0, 2] loc("linear_1" in "b")
  return %2
}`;
const batches = [[tensor([3, 4])], [tensor([5, 4], 2)]];

describe('weights in 4 and 8 bits', () => {
  const report = async () => {
    const [global, b] = [getSymmetricQuantizationConfig({ weightBits: 4 }), getSymmetricQuantizationConfig()];
    const { graph } = await quantize(graphOf(text), linearQuantizer({ global, moduleNames: { b } }));
    return compareLayers(graphOf(text), graph, run, batches);
  };

  test('the layer with fewer bits adds the noise', async () => {
    const { layers, outputs, suggestion } = await report();
    expect(layers.map((l) => l.name).toSorted()).toEqual(['a', 'b']);
    expect(layers[0]!.snr).toBeLessThanOrEqual(layers[1]!.snr);
    const [a, b] = ['a', 'b'].map((name) => layers.find((l) => l.name === name)!);
    expect(a!.inputSnr).toBe(Infinity);
    expect(a!.snr).toBeGreaterThan(10);
    expect(a!.cosine).toBeGreaterThan(0.99);
    // Nearly all noise of b came in with what it reads.
    expect(b!.inputSnr).toBeLessThan(Infinity);
    expect(outputs).toEqual([{ snr: b!.snr, cosine: b!.cosine }]);
    expect(suggestion!.exclude).toBe('a');
    expect(suggestion!.share).toBeGreaterThan(0.9);
  });

  test('bytes are those of packed integers and scales', async () => {
    const { layers, weightBytes } = await report();
    const of = (name: string) => layers.find((l) => l.name === name)!.weightBytes;
    expect(of('a')).toEqual({ before: 64, after: 8 + 16 });
    expect(of('b')).toEqual({ before: 32, after: 8 + 8 });
    expect(weightBytes).toEqual({ before: 96, after: 40 });
  });
});

test('with the layer excluded nothing is left to report of it', async () => {
  const { graph } = await quantize(
    graphOf(text),
    linearQuantizer({ global: getSymmetricQuantizationConfig({ weightBits: 4 }), exclude: ['a'] }),
  );
  const { layers, suggestion } = await compareLayers(graphOf(text), graph, run, batches);
  expect(layers.map((l) => l.name)).toEqual(['b']);
  expect(layers[0]!.inputSnr).toBe(Infinity);
  expect(suggestion?.exclude).toBe('b');
});

test('static: results are compared as their readers see them', async () => {
  const config = getXNNPACKQuantizationConfig({ isPerChannel: true });
  const { graph } = await quantize(graphOf(text), xnnpackQuantizer({ global: config }), batches);
  const { layers, outputs } = await compareLayers(graphOf(text), graph, run, batches);
  const b = layers.find((l) => l.name === 'b')!;
  expect(outputs[0]!.snr).toBe(b.snr);
  expect(b.snr).toBeGreaterThan(25);
});

test('a shared weight counts once', async () => {
  const shared = `graph @main(%x: f32[2, 2]) {
  %w = parameter "w" : f32[2, 2] = dense<[1.0, 0.3, -0.2, 0.7]>
  %0 = aten.linear(%x, %w) : f32[2, 2] loc("first")
  %1 = aten.linear(%0, %w) : f32[2, 2] loc("second")
  return %1
}`;
  const { graph } = await quantize(graphOf(shared), linearQuantizer({ global: getSymmetricQuantizationConfig() }));
  const { layers, weightBytes } = await compareLayers(graphOf(shared), graph, run, [[tensor([2, 2])]]);
  expect(layers.map((l) => l.name).toSorted()).toEqual(['first', 'second']);
  expect(weightBytes).toEqual({ before: 16, after: 12 });
});

test('an unchanged program has no layers and no noise', async () => {
  const { layers, outputs, suggestion } = await compareLayers(graphOf(text), graphOf(text), run, batches);
  expect([layers, outputs, suggestion]).toEqual([[], [{ snr: Infinity, cosine: 1 }], undefined]);
});

test('graphs that do not belong together are refused', async () => {
  const fused = graphOf(`graph @main(%x: f32[2, 2]) {
  %w = parameter "w" : i8[2, 2] = dense<[1, 2, 3, 4]>
  %s = parameter "s" : f32[2] = splat<1.0>
  %0 = fused.linear_qcs8w(%x, %w, %s) : f32[2, 2]
  return %0
}`);
  expect(await errorOf(() => compareLayers(graphOf(text), fused, run, batches))).toContain(
    'has fused.linear_qcs8w, expected a program that is not fused yet',
  );
  const two = graphOf('graph @main(%x: f32[2]) {\n  return %x, %x\n}');
  expect(await errorOf(() => compareLayers(graphOf(text), two, run, batches))).toContain('1 and 2 outputs');
  expect(await errorOf(() => compareLayers(graphOf(text), graphOf(text), run, [[tensor([3, 5])]]))).toContain('run/inputs');
});

test('noise and cosine from their definitions', () => {
  const d = new Deviation();
  expect([d.noise, d.snr, d.cosine]).toEqual([0, Infinity, 1]);
  d.add(tensor([2], [3, 4]), tensor([2], [3, 4]));
  expect([d.snr, d.cosine]).toEqual([Infinity, 1]);
  d.add(tensor([1], [0]), tensor([1], [5]));
  expect(d.snr).toBeCloseTo(0);
  expect(d.cosine).toBeCloseTo(25 / Math.sqrt(25 * 50));
  const zeros = new Deviation();
  zeros.add(tensor([1], [0]), tensor([1], [1]));
  expect([zeros.snr, zeros.cosine]).toEqual([-Infinity, 0]);
  expect(() => zeros.add(tensor([1], [0]), tensor([2], [0, 0]))).toThrow('are compared');
});
