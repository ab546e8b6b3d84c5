import { printGraph } from '@qfuse/plugin';
import { describe, expect, test } from 'vitest';
import { calibrate, type Batch } from './calibrate.js';
import { getXNNPACKQuantizationConfig } from './configs/xnnpack.js';
import { convert } from './convert.js';
import { type CalibrationState, prepare, type PreparedModel } from './prepare.js';
import { defineQuantizer, type Quantizer } from './quantizer.js';
import { xnnpackQuantizer } from './quantizers/xnnpack.js';
import { minMaxObserver } from './observers/index.js';
import { errorOf, graphOf, run, tensor } from './test-support.js';

const text = `graph @main(%x: f32[s0, 4]) where s0 in [1, 8] {
  %w = parameter "w" : f32[2, 4] = dense<[1.27, -0.5, 0.25, 0.0, 0.1, 0.2, -2.54, 0.02]>
  %0 = aten.linear(%x, %w) : f32[s0, 2] loc("linear" in "fc")
  %1 = aten.relu(%0) : f32[s0, 2] loc("relu")
  %2 = aten.add.Tensor(%1, %1) : f32[s0, 2] loc("add")
  return %2
}`;
const quantizer = xnnpackQuantizer({ global: getXNNPACKQuantizationConfig() });
const fresh = (): PreparedModel => prepare(graphOf(text), quantizer);
const batches = (count: number, from = 1): readonly Batch[] =>
  Array.from({ length: count }, (_, i) => [tensor([2 + (i % 3), 4], from + i)]);

test('the observed graph shows what is observed behind its own outputs', () => {
  const prepared = fresh();
  expect(prepared.needsCalibration).toBe(true);
  expect(prepared.watched.map((v) => v.producer!.op.name)).toEqual(['aten.relu', 'aten.add.Tensor']);
  expect(prepared.observedGraph.outputs).toHaveLength(3);
  expect(prepared.observedGraph.outputs.map((v) => v.producer!.op.name)).toEqual(['aten.add.Tensor', 'aten.relu', 'aten.add.Tensor']);
});

test('progress is told after each batch, and calibration can go on', async () => {
  const prepared = fresh();
  const seen: number[] = [];
  await calibrate(prepared, run, batches(2), { onProgress: (n) => seen.push(n) });
  await calibrate(prepared, run, batches(1, 7), { onProgress: (n) => seen.push(n) });
  expect(seen).toEqual([1, 2, 3]);
  const whole = fresh();
  await calibrate(whole, run, [...batches(2), ...batches(1, 7)]);
  expect(printGraph(convert(prepared))).toBe(printGraph(convert(whole)));
});

test('batches may come from an asynchronous source, and a run may be asynchronous', async () => {
  async function* source(): AsyncGenerator<Batch> {
    for (const batch of batches(2)) yield await Promise.resolve(batch);
  }
  const [one, other] = [fresh(), fresh()];
  await calibrate(one, async (graph, inputs) => Promise.resolve(run(graph, inputs)), source());
  await calibrate(other, run, batches(2));
  expect(one.save()).toEqual(other.save());
});

describe('split over processes', () => {
  const minMax = (): Quantizer => {
    const spec = { kind: 'own', dtype: 'i8', mapping: 'affine', granularity: { kind: 'tensor' }, observer: minMaxObserver() } as const;
    return defineQuantizer({ name: 'min-max', annotate: (a) => [...a.graph.nodes()].forEach((n) => a.annotate(n, { output: spec })) });
  };

  test('states merge to what one process sees, and survive JSON', async () => {
    const [whole, first, second] = [1, 2, 3].map(() => prepare(graphOf(text), minMax())) as [PreparedModel, PreparedModel, PreparedModel];
    await calibrate(whole, run, batches(6));
    await calibrate(first, run, batches(6).slice(0, 2));
    await calibrate(second, run, batches(6).slice(2));
    first.merge(JSON.parse(JSON.stringify(second.save())) as CalibrationState);
    expect(first.save()).toEqual(whole.save());
    expect(printGraph(convert(first))).toBe(printGraph(convert(whole)));
  });

  test('states of histograms make a graph, in a process that saw nothing itself', async () => {
    const [main, worker] = [fresh(), fresh()];
    await calibrate(worker, run, batches(3));
    main.merge(worker.save());
    expect(main.batches).toBe(3);
    expect(printGraph(convert(main))).toBe(printGraph(convert(worker)));
  });

  test('states of another program or version are refused', async () => {
    const [prepared, other] = [fresh(), prepare(graphOf(text), minMax())];
    expect(await errorOf(() => prepared.merge(other.save()))).toContain('quantizer/state');
    const state = prepared.save();
    expect(await errorOf(() => prepared.merge({ ...state, observers: { ...state.observers, more: {} } }))).toContain('it has "more"');
    expect(await errorOf(() => prepared.merge({ ...state, version: 2 } as never))).toContain('its version is 2, expected 1');
    const wider = prepare(
      graphOf(text.replaceAll('[s0, 2]', '[s0, 3]').replace('f32[2, 4]', 'f32[3, 4]').replace('0.02]', '0.02, 0.0, 0.0, 0.0, 0.0]')),
      quantizer,
    );
    expect(await errorOf(() => wider.merge(state))).toContain('it has nothing of 2 relu: f32[s0, 3]');
    for (const [bad, why] of [
      [null, 'its version is undefined'],
      [[], 'its version is undefined'],
      [{ ...state, batches: '3' }, 'it has 3 batches'],
      [{ ...state, batches: -1 }, 'it has -1 batches'],
      [{ ...state, observers: null }, 'it has no observers'],
    ] as const)
      expect(await errorOf(() => prepared.merge(bad as never))).toContain(
        `quantizer/state: this is not the calibration state of the prepared program: ${why}`,
      );
    expect(prepared.batches).toBe(0);
  });
});

describe('errors', () => {
  test('nothing was calibrated: the places that wait for data are named', async () => {
    const error = await errorOf(() => convert(fresh()));
    expect(error).toContain(
      'quantizer/not-calibrated: nothing was calibrated, but scales of operand "input" of aten.linear at "linear" (fc), the result of aten.relu at "relu"',
    );
  });

  test('batches without elements leave an observer with nothing', async () => {
    const prepared = prepare(graphOf(text.replace('s0 in [1, 8]', 's0 in [0, 8]')), quantizer);
    await calibrate(prepared, run, [[tensor([0, 4])]]);
    expect(await errorOf(() => convert(prepared))).toContain('quantizer/unobserved: operand "input" of aten.linear at "linear" (fc)');
  });

  test('a batch that does not fit is named', async () => {
    const prepared = fresh();
    const error = await errorOf(() => calibrate(prepared, run, [...batches(1), [tensor([2, 5])]]));
    expect(error).toContain('run/inputs: batch 1: input "x", axis 1 has size 5, expected 4');
    expect(await errorOf(() => calibrate(prepared, run, [[]]))).toContain('batch 1: 0 inputs were given');
    expect(await errorOf(() => calibrate(prepared, run, [[tensor([9, 4])]]))).toContain('ir/dim-range');
    expect(prepared.batches).toBe(1);
  });

  test('NaN and infinities are named with where they are', async () => {
    const prepared = fresh();
    const bad = (value: number): Batch => [tensor([1, 4], [1, value, 3, 4])];
    expect(await errorOf(() => calibrate(prepared, run, [bad(Number.NaN)]))).toContain('quantizer/nan: batch 0: "x" has NaN at element 1');
    expect(await errorOf(() => calibrate(prepared, run, [bad(Infinity)]))).toContain('"x" has Infinity at element 1');
    const overflow: Batch = [tensor([1, 4], [3e38, 0, 0, -3e38])];
    expect(await errorOf(() => calibrate(fresh(), run, [overflow]))).toContain('the result of aten.relu at "relu" has Infinity');
  });

  test('a run that is stopped throws the reason of the signal', async () => {
    const stop = new AbortController();
    stop.abort(new Error('enough'));
    await expect(calibrate(fresh(), run, batches(1), { signal: stop.signal })).rejects.toThrow('enough');
  });

  test('a run that returns something else is a defect of the runner', async () => {
    await expect(calibrate(fresh(), () => [], batches(1))).rejects.toThrow('the run returned 0 tensors, the observed graph has 3 outputs');
  });
});
